// Keeps a page of the dashboard current: follows the event stream, and loads the page again after events. Without scripts
// the page reloads itself instead.
const script = document.currentScript;
const AFTER_EVENT_MS = 300;
const AT_LEAST_EVERY_MS = 15000;
const TIMEOUT_MS = 10000;

const stale = document.getElementById("stale");
const main = document.getElementById("main");
let paused = false;

// --- Loading the page again ---

let due = null;
let running = false;
let again = false;

// A click needs the same element from press to release.
let pressed = false;
addEventListener("pointerdown", (press) => { pressed = press.button === 0; }, true);
for (const end of ["pointerup", "pointercancel", "contextmenu"]) addEventListener(end, () => setTimeout(() => { pressed = false; }), true);
addEventListener("blur", () => { pressed = false; });

// An update would take away what the reader is about to use.
function isBusy() {
  if (pressed) return true;
  const at = document.activeElement;
  if (at && main.contains(at) && at.matches("input, select, textarea")) return true;
  const selection = getSelection();
  if (selection && !selection.isCollapsed && main.contains(selection.anchorNode)) return true;
  const changed = [...main.querySelectorAll("input")].some((field) => field.value !== field.defaultValue);
  return changed || [...main.querySelectorAll("select")].some((field) => !field.options[field.selectedIndex]?.defaultSelected && field.selectedIndex > 0);
}

// What a page says, without the times that pass by themselves.
function saying(of) {
  const copy = of.cloneNode(true);
  for (const passing of copy.querySelectorAll("time, .left, .as-of, input[name=seen]")) passing.remove();
  for (const details of copy.querySelectorAll("details")) details.removeAttribute("open");
  return copy.innerHTML;
}

// An element is found again by what it is and says, and by how many of them come before it.
function place(of) {
  const same = (one) => one.tagName === of.tagName && one.textContent === of.textContent;
  return { same, nth: [...main.querySelectorAll(of.tagName)].filter(same).indexOf(of) };
}

function at({ same, nth }, tag) {
  return [...main.querySelectorAll(tag)].filter(same)[nth];
}

let said = saying(main);

function replace(fresh) {
  const saysNow = saying(fresh);
  if (saysNow === said) return;
  said = saysNow;
  const had = document.activeElement;
  const focus = had && had !== main && main.contains(had) ? [place(had), had.tagName] : null;
  const open = [...main.querySelectorAll("details[open] > summary")].map(place);
  main.replaceChildren(...fresh.childNodes);
  for (const one of open) at(one, "summary")?.parentElement.setAttribute("open", "");
  if (focus) at(...focus)?.focus({ preventScroll: true });
  main.dispatchEvent(new Event("updated"));
}

async function refresh() {
  due = null;
  if (document.hidden || paused) return;
  if (running) { again = true; return; }
  if (isBusy()) return later(500);
  running = true;
  try {
    const answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html", "x-page-update": "1" }, signal: AbortSignal.timeout(TIMEOUT_MS) });
    // The session has ended, or the page is gone: the whole page says so.
    if (answer.redirected || [401, 403, 404].includes(answer.status)) return location.reload();
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("main");
    if (!fresh) return location.reload();
    if (isBusy()) again = true;
    else replace(fresh);
    const [account, shown] = [page.querySelector(".account"), document.querySelector(".account")];
    if (!pressed && account && shown && account.textContent !== shown.textContent) shown.replaceWith(account);
    const asOf = main.querySelector(".as-of time");
    if (asOf) [asOf.dateTime, asOf.textContent] = [new Date().toISOString(), exact.format(new Date())];
    showTimes();
    stale.hidden = true;
  } catch {
    stale.hidden = false;
  } finally {
    running = false;
    if (again) later(AFTER_EVENT_MS);
    again = false;
  }
}

function later(ms) {
  if (due === null) due = setTimeout(refresh, ms);
}

// An event that comes while an update is due or under way may not be in it, so another one follows.
function soon() {
  if (due === null && !running) later(AFTER_EVENT_MS);
  else again = true;
}

// --- The event stream ---

let events = null;

function follow() {
  if (document.hidden || events || !script.dataset.events) return;
  events = new EventSource(script.dataset.events);
  for (const kind of [...script.dataset.kinds.split(" "), "reset"]) events.addEventListener(kind, soon);
  events.onopen = soon;
  events.onerror = () => {
    // The browser connects again by itself, unless it was refused.
    if (events?.readyState === EventSource.CLOSED) events = null;
    soon();
  };
}

function tick() {
  follow();
  later(0);
}

follow();
setInterval(tick, AT_LEAST_EVERY_MS);
document.addEventListener("visibilitychange", () => {
  // A hidden tab holds no connection, of which browsers have few.
  if (document.hidden) { events?.close(); events = null; } else tick();
});

// --- Times ---

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function rough(ms) {
  const secs = Math.max(0, Math.floor(ms / 1000));
  if (secs < 60) return `${secs} s`;
  if (secs < 3600) return `${Math.floor(secs / 60)} min`;
  if (secs < 86400) return `${Math.floor(secs / 3600)} h`;
  const days = Math.floor(secs / 86400);
  return days === 1 ? "1 day" : `${days} days`;
}

function showTimes() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    time.title = `${exact.format(at)} (your time)`;
    if (time.classList.contains("ago")) time.textContent = `${rough(now - at)} ago`;
  }
  for (const left of document.querySelectorAll("[data-until]")) {
    const ms = new Date(left.dataset.until) - now;
    left.textContent = ms > 0 ? `(${rough(ms)} left)` : "(time is up)";
  }
}

showTimes();
setInterval(showTimes, 1000);

// --- Switches: live updates and theme ---

const bar = document.createElement("div");
bar.className = "switches";

function button(label, pressed, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  if (pressed !== null) made.setAttribute("aria-pressed", String(pressed));
  made.addEventListener("click", () => act(made));
  bar.append(made);
  return made;
}

const pause = button("Pause updates", false, () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  document.body.classList.toggle("paused", paused);
  if (!paused) later(0);
});

const THEMES = ["system", "light", "dark"];
function theme() {
  return document.documentElement.dataset.theme ?? "system";
}
const themes = button(`Theme: ${theme()}`, null, () => {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try { localStorage.setItem("theme", next); } catch { /* The choice lasts as long as the page. */ }
  themes.textContent = `Theme: ${next}`;
});
document.querySelector(".bar-top").append(bar);

// --- Keys: `/` goes to the filters, `g` and a letter to a page, `?` lists them ---

const help = document.createElement("dialog");
help.setAttribute("aria-label", "Keyboard shortcuts");
const links = [...document.querySelectorAll("nav a[data-key]")];
const keys = [["/", "go to the filters"], ["p", "pause or resume updates"], ["?", "show this list"]];
for (const link of links) keys.push([`g ${link.dataset.key}`, `go to ${link.textContent}`]);
const list = document.createElement("dl");
for (const [key, words] of keys) {
  const row = document.createElement("div");
  const term = document.createElement("dt");
  term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
  row.append(term, Object.assign(document.createElement("dd"), { textContent: words }));
  list.append(row);
}
const form = document.createElement("form");
form.method = "dialog";
form.append(Object.assign(document.createElement("button"), { textContent: "Close" }));
help.append(Object.assign(document.createElement("h2"), { textContent: "Keyboard shortcuts" }), list, form);
document.body.append(help);

let goes = false;
document.addEventListener("keydown", (press) => {
  if (press.ctrlKey || press.metaKey || press.altKey || press.target.matches("input, select, textarea")) return;
  if (goes) {
    goes = false;
    const link = links.find((one) => one.dataset.key === press.key);
    if (link) location.assign(link.href);
    return;
  }
  if (press.key === "g") goes = true;
  else if (press.key === "?") help.open ? help.close() : help.showModal();
  else if (press.key === "p") pause.click();
  else if (press.key === "/") {
    const field = document.querySelector(".filters input, .filters select");
    if (field) field.focus();
    else location.assign("/tasks");
    press.preventDefault();
  }
});
