// Keeps a page of the dashboard current: follows the event stream, and loads the page again after events. Without scripts
// the page reloads itself instead.
const script = document.currentScript;
const AFTER_EVENT_MS = 300;
const AT_LEAST_EVERY_MS = 15000;
const TIMEOUT_MS = 10000;

const stale = document.getElementById("stale");
const main = document.getElementById("main");
let paused = false;
let etag = null;
let due = null;

// --- Loading the page again ---

function focused() {
  const at = document.activeElement;
  if (!at || !main.contains(at) || at === main) return null;
  if (at.id) return `#${CSS.escape(at.id)}`;
  const href = at.getAttribute("href");
  return href ? `a[href="${CSS.escape(href)}"]` : null;
}

// A click needs the same element from press to release.
let pressed = false;
addEventListener("pointerdown", () => { pressed = true; }, true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => { pressed = false; }), true);

// An update would take away what the reader typed, and the field that has the focus.
function isTyping() {
  const at = document.activeElement;
  if (at && main.contains(at) && at.matches("input, select, textarea")) return true;
  return [...main.querySelectorAll("input")].some((field) => field.value !== field.defaultValue);
}

function replace(fresh) {
  const name = (details) => details.querySelector("summary").textContent;
  const open = new Set([...main.querySelectorAll("details[open]")].map(name));
  const back = focused();
  main.replaceChildren(...fresh.childNodes);
  for (const details of main.querySelectorAll("details")) if (open.has(name(details))) details.open = true;
  if (back) main.querySelector(back)?.focus({ preventScroll: true });
  showTimes();
}

async function refresh() {
  due = null;
  if (document.hidden || paused) return;
  if (isTyping()) return later(2000);
  try {
    const headers = { accept: "text/html" };
    if (etag) headers["if-none-match"] = etag;
    const answer = await fetch(location.pathname + location.search, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (answer.status !== 304) {
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      etag = answer.headers.get("etag");
      const text = await answer.text();
      if (pressed || isTyping()) {
        etag = null;
        return later(200);
      }
      const page = new DOMParser().parseFromString(text, "text/html");
      const [fresh, account] = [page.getElementById("main"), page.querySelector(".account")];
      if (fresh) replace(fresh);
      // The session may have ended meanwhile.
      const shown = document.querySelector(".account");
      if (account && shown && account.textContent !== shown.textContent) shown.replaceWith(account);
    }
    stale.hidden = true;
  } catch {
    stale.hidden = false;
  }
}

function later(ms) {
  if (due === null) due = setTimeout(refresh, ms);
}

// --- The event stream ---

const events = new EventSource(script.dataset.events);
for (const kind of [...script.dataset.kinds.split(" "), "reset"]) events.addEventListener(kind, () => later(AFTER_EVENT_MS));
// The browser connects again by itself, and continues after the last event.
events.onerror = () => later(AFTER_EVENT_MS);
events.onopen = () => later(AFTER_EVENT_MS);
setInterval(() => later(0), AT_LEAST_EVERY_MS);
document.addEventListener("visibilitychange", () => later(0));

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
