// Keeps the status page fresh without losing the reader's place. Without scripts the page reloads itself instead.
const EVERY_MS = 5000;
const stale = document.getElementById("stale");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html" }, signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("main");
    const shown = document.querySelector("main");
    if (fresh && shown) shown.replaceChildren(...fresh.childNodes);
    stale.hidden = true;
  } catch {
    stale.hidden = false;
  }
}

setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
