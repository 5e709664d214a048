// What the scenarios share: the browser, the checks of a page, and waiting.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const PATIENCE_MS = 30000;

const [, , scenario, base, folder] = process.argv;
export { scenario, base };

const open = [];

/// Opens a page that fails the scenario if a script fails, a dialog opens or the page breaks its content policy.
export async function newPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, colorScheme: "light", ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const trouble = [];
  page.on("pageerror", (error) => trouble.push(`a script failed: ${error.message}`));
  page.on("dialog", async (dialog) => { trouble.push(`a dialog opened: ${dialog.message()}`); await dialog.dismiss(); });
  page.on("console", (said) => {
    if (said.type() === "error" && !said.text().includes("net::ERR") && !said.text().includes("Failed to load")) trouble.push(said.text());
  });
  open.push(trouble);
  return page;
}

export async function withBrowser(run) {
  const browser = await chromium.launch({
    executablePath: process.env.OWP_TEST_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
  try {
    await run(browser);
    assert.deepEqual(open.flat(), []);
  } finally {
    await browser.close();
  }
}

export async function get(path) {
  const answer = await fetch(base + path);
  assert.equal(answer.status, 200, path);
  return answer.json();
}

/// Waits until a condition holds, and returns what it returned.
export async function until(what, holds, patience = PATIENCE_MS) {
  const since = Date.now();
  for (;;) {
    const found = await holds();
    if (found) return found;
    assert.ok(Date.now() - since < patience, `waited in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/// Fails on any violation that axe-core finds on the page.
export async function assertAccessible(page, name) {
  // Through the debugger, because the page's policy allows only its own scripts.
  await page.evaluate(AXE);
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const said = found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`);
  assert.deepEqual(said, [], name);
}

/// Fails if the page is wider than the window.
export async function assertFits(page, name) {
  const [wide, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= shown, `${name} is ${wide} pixels wide in a window of ${shown}`);
}

export async function picture(page, name, whole = true) {
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: whole });
}

/// The visible text, with runs of white space as one space.
export async function text(page, selector = "body") {
  return (await page.locator(selector).innerText()).replace(/\s+/g, " ");
}
