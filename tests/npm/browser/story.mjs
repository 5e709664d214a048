// The story that the demo tells by itself, and the buttons with which its viewer takes part.
import assert from "node:assert/strict";
import { assertAccessible, assertFits, base, get, newPage, picture, text, until } from "./lib.mjs";

// The demo goes by the clock, and a slow machine shows less of it at a time. A lease runs out after a minute.
const STORY_MS = 150000;

const tasks = async () => (await get("/v1/tasks?limit=100")).tasks;
const isCleos = (task) => task.holder === "cleo" && /leased|in_progress/.test(task.state);
const eventsOf = async (task) => (await get(`/v1/events?last=100&task=${task}`)).events;

/// Waits until a page that follows the events shows something, and returns the match.
async function shows(browser, path, what) {
  const page = await newPage(browser);
  await page.goto(base + path);
  const match = await until(`${path} shows ${what}`, async () => what.exec(await text(page, "main")), STORY_MS);
  await page.context().close();
  return match;
}

/// Waits until a repository without a free slot has one again.
async function throttleOpens(browser) {
  const page = await newPage(browser);
  await page.goto(base);
  const full = new Set();
  await until("a full budget has a free slot again", async () => {
    const rows = await page.locator("table.budgets tbody tr").allInnerTexts();
    return rows.some((row) => {
      const [repo] = /acme\/\w+/.exec(row);
      const isFull = /3 of 3 slots taken/.test(row) && /Full/.test(row);
      if (isFull) full.add(repo);
      return !isFull && full.has(repo) && /[12] slots? (is|are) free|3 slots are free/.test(row);
    });
  }, STORY_MS);
  await page.context().close();
}

/// Waits until an offer has ended for a reason, and its task is ready again.
async function comesBack(reason) {
  await until(`a task is ready again after ${reason}`, async () => {
    const { events } = await get("/v1/events?last=100&kind=lease.ended");
    for (const ended of events.filter((one) => one.data.reason === reason)) {
      const later = (await eventsOf(ended.task_id)).filter((one) => one.seq > ended.seq);
      if (later.some((one) => one.kind === "task.ready")) return true;
    }
    return false;
  }, STORY_MS);
}

/// Clicks a button of the demo, and returns what the page says then.
async function click(page, label) {
  await page.getByRole("button", { name: label, exact: true }).click();
  await page.locator("#told").waitFor();
  return page.locator("#told").innerText();
}

/// Stops the worker while it holds tasks, and returns the ids of these leases.
async function stopHolder(page) {
  return until("the worker is stopped while it holds a task", async () => {
    await until("the worker holds a task", async () => (await tasks()).some(isCleos), STORY_MS);
    const told = await click(page, "Stop cleo's worker");
    const held = [...told.matchAll(/(acme\/\w+) #(\d+)/g)].map(([, repo, issue]) => `${repo} ${issue}`);
    if (/✓ cleo's worker is stopped while it holds/.test(told)) {
      const found = (await tasks()).filter((task) => held.includes(`${task.repo} ${task.issue}`));
      return Promise.all(found.map(async (task) => (await eventsOf(task.task_id)).filter((one) => one.kind === "lease.granted").at(-1).lease_id));
    }
    assert.match(told, /✓ cleo's worker is stopped. It holds no lease/);
    await startAgain(page);
    return null;
  }, STORY_MS);
}

async function startAgain(page) {
  assert.match(await click(page, "Start cleo's worker again"), /✓ cleo's worker runs again/);
}

/// Waits until leases have ended, and returns the task of one whose time ran out; none if all pull requests were on their way.
async function lapsed(leases) {
  const ended = new Map();
  await until("the leases of the stopped worker have ended", async () => {
    const { events } = await get("/v1/events?last=100&kind=lease.ended");
    for (const one of events) if (leases.includes(one.lease_id)) ended.set(one.lease_id, one);
    return ended.size === leases.length;
  }, STORY_MS);
  return [...ended.values()].find((one) => one.data.reason === "expired")?.task_id;
}

async function opensIssue(browser, page) {
  const told = await click(page, "Open and label an issue");
  const [, issue, title] = /✓ mona opened issue #(\d+) in acme\/docs and labelled it pool:ready: (Your issue \d+: [^.]+)\./.exec(told);
  const task = await until("the issue is a task", async () => (await tasks()).find((one) => one.title === title));
  assert.deepEqual([task.repo, task.issue], ["acme/docs", Number(issue)]);
  // The lists and the task's page lead to the conversation.
  const reader = await newPage(browser);
  for (const [path, name] of [[`/tasks?repo=acme/docs&issue=${issue}`, `issue #${issue} on GitHub`], [`/tasks/${task.task_id}`, `#${issue} on GitHub`]]) {
    await reader.goto(base + path);
    await reader.getByRole("link", { name, exact: true }).click();
    await reader.waitForURL(`**/acme/docs/issues/${issue}`);
    assert.match(await text(reader), new RegExp(`${title} #${issue}.*pool:ready`));
  }
  await reader.goto(`${base}/events?repo=acme/docs`);
  const conversation = reader.locator(".events").getByRole("link", { name: /^issue #\d+ on GitHub$/ }).first();
  const number = /\d+/.exec(await conversation.getAttribute("aria-label"))[0];
  assert.ok((await conversation.getAttribute("href")).endsWith(`/acme/docs/issues/${number}`));
  await reader.goto(base);
  await reader.getByRole("link", { name: "sandbox GitHub" }).click();
  await reader.getByRole("link", { name: "acme/rocket" }).waitFor();
  await reader.context().close();
}

async function merges(page) {
  const [, pull, repo] = await until("a pull request was open", async () => {
    const told = await click(page, "Merge a pull request");
    const merged = /✓ mona merged pull request #(\d+) in (acme\/\w+): .*Its slot is free\./.exec(told);
    assert.ok(merged || /▲ No pull request is open/.test(told), told);
    return merged;
  }, STORY_MS);
  await until("the pool knows of the merge", async () => {
    const { events } = await get(`/v1/events?last=100&kind=task.merged&repo=${repo}`);
    return events.some((one) => one.data.pull === Number(pull));
  });
}

/// While the worker is stopped, it gets nothing, and its task comes back. Returns false if its work was done already.
async function staysStopped(page, leases) {
  assert.equal(await page.getByRole("button", { name: "Stop cleo's worker" }).count(), 0);
  const before = (await tasks()).filter(isCleos).map((task) => task.task_id);
  const task = await lapsed(leases);
  const after = (await tasks()).filter(isCleos).map((task) => task.task_id);
  assert.deepEqual(after.filter((id) => !before.includes(id)), [], "a stopped worker gets nothing");
  if (!task) return false;
  await page.goto(`${base}/tasks/${task}`);
  assert.match(await text(page), /Lease ended: the time ran out/);
  assert.ok((await eventsOf(task)).some((one) => one.kind === "task.ready"));
  await page.goto(base);
  return true;
}

async function refusesForeignForms() {
  const send = async (headers, control) => fetch(`${base}/demo`, { method: "POST", redirect: "manual", headers, body: new URLSearchParams({ control }) });
  assert.equal((await send({ origin: "https://evil.example" }, "stop")).status, 403);
  assert.equal((await send({ "sec-fetch-site": "cross-site" }, "stop")).status, 403);
  assert.equal((await send({}, "made up")).status, 303);
}

export async function story(browser) {
  await Promise.all([
    throttleOpens(browser),
    shows(browser, "/tasks?state=ready", /The area \S+ is locked: it has one holder at a time/),
    shows(browser, "/events?kind=lease.*", /Lease ended: the offer was declined/),
    shows(browser, "/events?kind=lease.*", /Lease ended: the offer was not acknowledged in time/),
    comesBack("nacked"),
    comesBack("ack_timeout"),
  ]);
  await refusesForeignForms();

  const page = await newPage(browser);
  await page.goto(base);
  await page.getByRole("heading", { name: "Try it" }).waitFor();
  let leases = await stopHolder(page);
  await page.getByRole("button", { name: "Start cleo's worker again" }).waitFor();
  await assertAccessible(page, "demo, worker stopped");
  await picture(page, "demo-stopped", false);
  await opensIssue(browser, page);
  await merges(page);
  while (!await staysStopped(page, leases)) {
    await startAgain(page);
    leases = await stopHolder(page);
  }
  const known = (await tasks()).filter((task) => task.holder === "cleo").map((task) => task.task_id);
  await startAgain(page);
  await page.getByRole("button", { name: "Stop cleo's worker" }).waitFor();
  await until("the worker works again", async () => (await tasks()).some((task) => task.holder === "cleo" && !known.includes(task.task_id)), STORY_MS);

  // The buttons work without scripts, and fit a phone.
  for (const colorScheme of ["light", "dark"]) {
    const phone = await newPage(browser, { colorScheme, viewport: { width: 360, height: 800 }, javaScriptEnabled: false });
    await phone.goto(base);
    assert.match(await click(phone, "Open and label an issue"), /✓ mona opened issue/);
    await picture(phone, `demo-${colorScheme}-phone`, false);
    await phone.context().close();
    const scripted = await newPage(browser, { colorScheme, viewport: { width: 360, height: 800 } });
    await scripted.goto(base);
    await assertFits(scripted, `demo-${colorScheme}-phone`);
    await assertAccessible(scripted, `demo-${colorScheme}-phone`);
  }
}
