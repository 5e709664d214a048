// The dashboard in a real browser: `node dashboard.mjs SCENARIO ADDRESS FOLDER`. Exits with 0 if the scenario holds.
import assert from "node:assert/strict";
import { assertAccessible, assertFits, base, get, newPage, picture, scenario, text, until, withBrowser } from "./lib.mjs";
import { story } from "./story.mjs";

const PAGES = [
  "/", "/tasks", "/tasks?state=ready", "/leases", "/insights", "/insights?repo=acme/rocket&days=7", "/leaderboard", "/events",
  "/repos/acme/rocket", "/docs", "/nothing/here",
];
const WINDOWS = { desk: { width: 1200, height: 900 }, phone: { width: 360, height: 800 } };

const human = (rfc3339) => {
  const at = new Date(rfc3339);
  const two = (n) => String(n).padStart(2, "0");
  const month = at.toLocaleString("en-US", { month: "short", timeZone: "UTC" });
  return `${at.getUTCDate()} ${month} ${at.getUTCFullYear()}, ${two(at.getUTCHours())}:${two(at.getUTCMinutes())} UTC`;
};
const plain = (message) => message.replaceAll("`", "").replace(/\s+/g, " ");

// Without scripts, the pages answer the three questions in the words of the API.
async function answers(browser) {
  const page = await newPage(browser, { javaScriptEnabled: false });
  const { tasks } = await get("/v1/tasks?limit=100");
  assert.ok(tasks.length >= 5);
  const seen = { waiting: 0, held: 0 };
  await page.goto(`${base}/tasks`);
  const list = await text(page);
  await page.goto(`${base}/leases`);
  const leases = await text(page);
  for (const { task_id, title } of tasks) {
    const task = await get(`/v1/tasks/${task_id}`);
    await page.goto(`${base}/tasks/${task_id}`);
    const alone = await text(page);
    if (task.waiting) {
      const reasons = [...task.waiting.reasons.map((one) => one.message), task.waiting.prospects].filter(Boolean);
      assert.ok(reasons.length > 0, title);
      for (const reason of reasons) {
        assert.ok(alone.includes(plain(reason)), `${title}: ${reason}\n${alone}`);
        assert.ok(list.includes(plain(reason)), `${title}: ${reason}\n${list}`);
      }
      seen.waiting += 1;
    }
    if (task.lease_expires_at) {
      for (const shown of [alone, list, leases]) {
        assert.ok(shown.includes(task.holder) && shown.includes(human(task.lease_expires_at)), `${title}: ${shown}`);
      }
      assert.ok(leases.includes(title), leases);
      seen.held += 1;
    }
  }
  assert.ok(seen.waiting >= 3 && seen.held >= 1, JSON.stringify(seen));
  await page.goto(base);
  const overview = await text(page);
  const { repos } = await get("/v1/repos");
  for (const { repo, budget } of repos) {
    assert.ok(overview.includes(repo) && overview.includes(`${budget.used} of ${budget.max_open_prs} slots taken`), overview);
    for (const reason of budget.reasons) assert.ok(overview.includes(plain(reason.message)), `${reason.message}\n${overview}`);
  }
  await page.goto(`${base}/repos/acme/lander`);
  assert.match(await text(page), /Locked areas engine held by ada's laptop until/);
  await page.goto(base);
  // The answers are a click apart.
  await page.getByRole("link", { name: "acme/rocket", exact: true }).first().click();
  assert.match(await text(page), /holds .* until/);
}

// The page of a worker that holds something, as the leases link to it.
async function workerPage(browser) {
  const page = await newPage(browser, { javaScriptEnabled: false });
  const link = page.locator(".lane h2 a").first();
  await until("a worker holds something", async () => {
    await page.goto(`${base}/leases`);
    return await link.count() > 0;
  });
  const path = await link.getAttribute("href");
  await page.context().close();
  return path;
}

// Every page in both themes and on a phone: nothing is cut off, and axe-core finds nothing.
async function pages(browser) {
  const { tasks } = await get("/v1/tasks?limit=100");
  const paths = [...PAGES, ...["ready", "leased"].map((state) => `/tasks/${tasks.find((task) => task.state === state).task_id}`)];
  paths.push(await workerPage(browser));
  await look(browser, "", paths, [["light", "desk"], ["light", "phone"], ["dark", "desk"], ["dark", "phone"]]);
}

// The same with the data of a demo while it plays, as it grows.
async function demoPages(browser) {
  await until("somebody holds a task", async () => (await get("/v1/tasks?state=leased")).tasks.length > 0);
  const { tasks } = await get("/v1/tasks?limit=100");
  const paths = [
    "/", "/tasks", "/leases", "/insights", "/leaderboard", "/events", "/repos/acme/rocket", `/tasks/${tasks[0].task_id}`,
    await workerPage(browser),
  ];
  await look(browser, "demo-", paths, [["light", "desk"], ["dark", "desk"], ["light", "phone"]]);
}

async function look(browser, before, paths, looks) {
  for (const [colorScheme, window] of looks) {
    const page = await newPage(browser, { colorScheme, viewport: WINDOWS[window] });
    for (const path of paths) {
      const name = `${before}${path.replace(/[^a-z]+/g, "-").replace(/^-+|-+$/g, "") || "overview"}-${colorScheme}-${window}`;
      await page.goto(base + path);
      await assertFits(page, name);
      await assertAccessible(page, name);
      await picture(page, name);
    }
    await page.context().close();
  }
}

// What happens is on the screen without a reload, in every tab; updates can be paused; a lost pool is said.
async function live(browser) {
  const tabs = [await newPage(browser), await newPage(browser)];
  await Promise.all(tabs.map((tab) => tab.goto(`${base}/tasks`)));
  await tabs[1].getByRole("button", { name: "Pause updates" }).click();
  await tabs[0].evaluate(() => { globalThis.notReloaded = true; });
  console.log("ready");
  await tabs[0].getByText("Arrives while you watch").waitFor();
  assert.equal(await tabs[0].evaluate(() => globalThis.notReloaded), true, "the page did not load again as a whole");
  assert.equal(await tabs[1].getByText("Arrives while you watch").count(), 0, "updates are paused there");
  await tabs[1].keyboard.press("p");
  await tabs[1].getByText("Arrives while you watch").waitFor();

  // What the reader types is not lost by an update.
  const field = tabs[0].getByLabel("Repository");
  await field.fill("acme/ro");
  console.log("typing");
  await tabs[1].getByText("Arrives while you type").waitFor();
  assert.equal(await field.inputValue(), "acme/ro");

  const banner = tabs[1].locator("#stale");
  assert.equal(await banner.isVisible(), false);
  console.log("stop");
  await banner.waitFor();
  assert.match(await banner.innerText(), /does not answer/);
  console.log("start");
  await banner.waitFor({ state: "hidden" });
}

// Everything can be reached and used with the keyboard alone.
async function keyboard(browser) {
  const page = await newPage(browser);
  await page.goto(base);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.getElementById("main").contains(document.activeElement)));
  for (const [keys, path] of [["gt", "/tasks"], ["gl", "/leases"], ["gi", "/insights"], ["gb", "/leaderboard"], ["ge", "/events"], ["go", "/"]]) {
    for (const key of keys) await page.keyboard.press(key);
    await page.waitForURL(base + path);
  }
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.waitForURL(`${base}/tasks`);
  await page.keyboard.press("/");
  await until("the filters have the focus", () => page.evaluate(() => document.activeElement.name === "state"));
  await page.keyboard.press("Tab");
  await page.keyboard.type("acme/rocket");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${base}/tasks?state=&repo=acme%2Frocket&skill=&area=&holder=`);
  assert.ok((await text(page)).includes("Show all"));
  const theme = page.getByRole("button", { name: /^Theme/ });
  await theme.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.reload();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark", "the choice lasts");
}

// Texts of strangers are shown as they are, and never run.
async function hostile(browser) {
  const page = await newPage(browser);
  const { tasks } = await get("/v1/tasks?limit=100");
  for (const path of ["/", "/tasks", "/leases", "/events", ...tasks.map((task) => `/tasks/${task.task_id}`)]) {
    await page.goto(base + path);
    await page.waitForLoadState("load");
    assert.equal(await page.evaluate(() => globalThis.owned), undefined, path);
    assert.equal(await page.locator("img, iframe, object, script:not([src])").count(), 0, path);
  }
  await page.goto(`${base}/tasks`);
  const shown = await text(page);
  for (const { title } of tasks) assert.ok(shown.includes(title.slice(0, 40)), `${title}\n${shown}`);
}

async function signIn(page, token) {
  await page.goto(`${base}/signin`);
  await page.getByLabel("Admin token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
}

// The operator signs in and acts; each effect is read back through the API; whoever is not signed in is refused.
async function acts(browser) {
  const page = await newPage(browser);
  const told = page.locator("#told");
  const repo = async () => get("/v1/repos/acme/rocket");
  const find = async (title) => (await get("/v1/tasks?limit=100")).tasks.find((task) => task.title === title);
  const goto = async (path) => { await page.goto(base + path); };

  await goto("/repos/acme/rocket");
  assert.equal(await page.locator("form.act").count(), 0, "strangers see no forms");
  const noDemo = await fetch(`${base}/demo`, { method: "POST", body: new URLSearchParams({ control: "merge" }) });
  assert.deepEqual([noDemo.status, (await noDemo.json()).type], [404, "/problems/unknown-path"], "only a demo has buttons for everybody");
  await signIn(page, "wrong");
  assert.ok((await text(page)).includes("That is not the admin token."));
  await signIn(page, "an-admin-token-for-the-test");
  assert.equal(await told.innerText(), "✓ You are signed in as the operator.");
  await assertAccessible(page, "overview, signed in");
  await goto("/");
  assert.equal(await told.count(), 0, "it is said once");

  await goto("/repos/acme/rocket");
  await assertAccessible(page, "repository, signed in");
  await assertFits(page, "repository, signed in");
  await picture(page, "repository-operator");
  await page.getByLabel("The operator's limit").fill("4");
  await page.getByLabel("The operator's limit").press("Enter");
  assert.match(await told.innerText(), /limit for acme\/rocket is now 4/);
  assert.equal((await repo()).budget.max_open_prs, 4);

  await page.getByLabel("Pause because of").fill("the <b>release</b>");
  await page.getByLabel("for hours").fill("2");
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  assert.match(await told.innerText(), /Nothing is handed out here until/);
  assert.equal((await repo()).paused, true);
  assert.ok((await text(page)).includes("the <b>release</b>"));
  await page.getByRole("button", { name: "Resume" }).click();
  assert.equal((await repo()).paused, false);

  const held = await find("Mend the valve");
  await goto(`/tasks/${held.task_id}`);
  await picture(page, "task-operator");
  assert.equal(await page.getByRole("button", { name: "Revoke the lease" }).isVisible(), false, "it asks first");
  await page.getByText("Revoke the lease…").click();
  await page.getByLabel("Reason, which").fill("gone for a week");
  await page.getByRole("button", { name: "Revoke the lease" }).click();
  assert.match(await told.innerText(), /taken back/);
  assert.equal((await find("Mend the valve")).state, "ready");
  assert.ok((await text(page)).includes("gone for a week"), "the timeline has the reason");
  // Many at once: first what would change, then only that.
  await goto("/tasks?repo=acme/lander&state=ready");
  await page.getByText("Act on all tasks that match…").click();
  await page.locator("select[name=verb]").selectOption("close");
  await page.getByRole("button", { name: "Preview" }).click();
  assert.match(await text(page), /3 tasks of the 3 that match would change/);
  assert.equal((await find("Waits for a skill")).state, "ready", "a preview changes nothing");
  await assertAccessible(page, "preview of an act on many tasks");
  await picture(page, "bulk");
  await page.getByLabel("Reason, which").fill("a new plan");
  await page.getByRole("button", { name: "Close 3 tasks" }).click();
  assert.match(await text(page), /3 tasks were changed/);
  assert.equal((await find("Waits for a skill")).state, "closed");
  await goto("/bulk?repo=acme/lander&verb=reopen");
  assert.match(await text(page), /3 tasks of the 4 that match would change.*The others are left/);
  await page.getByRole("button", { name: "Reopen 3 tasks" }).click();
  assert.equal((await find("Waits for a skill")).state, "ready");

  await goto(`/tasks/${held.task_id}`);
  await page.getByText("Close the task…").click();
  await page.getByRole("button", { name: "Close the task" }).click();
  assert.equal((await find("Mend the valve")).state, "closed");
  await page.getByRole("button", { name: "Reopen" }).click();
  assert.equal((await find("Mend the valve")).state, "ready");

  // A refusal is explained in the words of the API.
  await goto("/repos/acme/lander");
  await page.getByText("Remove the repository…").click();
  await page.getByRole("button", { name: "Remove the repository" }).click();
  assert.match(await told.innerText(), /^▲ .*(held|under way|review)/s);
  assert.equal((await fetch(`${base}/v1/repos/acme/lander`)).status, 200);
  await goto("/repos/acme/docs");
  await page.getByText("Remove the repository…").click();
  await page.getByRole("button", { name: "Remove the repository" }).click();
  await until("it is gone", async () => (await fetch(`${base}/v1/repos/acme/docs`)).status === 404);
  await goto("/repos/acme/lander");

  await page.getByRole("link", { name: "Operations" }).click();
  await page.getByRole("heading", { name: "Loops of this process" }).waitFor();
  await assertAccessible(page, "operations");
  await picture(page, "operations");
  await page.getByText("Revoke the worker…").click();
  await page.getByLabel("Reason, which the log keeps").fill("sold the laptop");
  await page.getByRole("button", { name: "Revoke the worker" }).click();
  assert.match(await told.innerText(), /The worker is revoked; 1 lease ended/);
  assert.equal((await find("Mend the engine")).state, "ready");
  await goto("/repos/acme/lander");

  // Tried directly against the server: without a session, with a made-up form, from another site.
  const cookies = await page.context().cookies();
  const session = cookies.find((one) => one.name === "owp_session");
  assert.ok(session.httpOnly && session.sameSite === "Lax");
  const token = await page.locator("form.act input[name=form]").first().getAttribute("value");
  const send = async (headers, form) => {
    const body = new URLSearchParams({ verb: "pause", repo: "acme/rocket", back: "/", ...form });
    return (await fetch(`${base}/act`, { method: "POST", redirect: "manual", headers, body })).status;
  };
  const cookie = `owp_session=${session.value}`;
  assert.equal(await send({}, { form: token }), 401);
  assert.equal(await send({ cookie: "owp_session=made-up" }, { form: token }), 401);
  assert.equal(await send({ cookie }, {}), 403);
  assert.equal(await send({ cookie }, { form: "made-up" }), 403);
  assert.equal(await send({ cookie, origin: "https://evil.example" }, { form: token }), 403);
  assert.equal(await send({ cookie, "sec-fetch-site": "cross-site" }, { form: token }), 403);
  assert.equal((await repo()).paused, false, "none of them did anything");
  assert.equal(await send({ cookie }, { form: token }), 303);
  assert.equal((await repo()).paused, true);

  // After the sign-out, the session is gone for the server, too; a page that is still open says so.
  const other = await page.context().newPage();
  await other.goto(`${base}/repos/acme/rocket`);
  await other.keyboard.press("p");
  await page.getByRole("button", { name: "Sign out" }).click();
  assert.match(await told.innerText(), /signed out/);
  assert.equal(await send({ cookie }, { form: token }), 401);
  await other.getByRole("button", { name: "Resume" }).click();
  assert.match(await text(other), /session has ended. Nothing was changed/);
  assert.equal((await repo()).paused, true);
}

// The operator imports tasks after a preview, verifies and exports an audit log, and sees the first steps.
async function operator(browser) {
  const TASKS = "repo: acme/lander\ntasks:\n  - id: fins\n    title: Paint the <b>fins</b>\n    estimate_points: 3\n    required_skills: [paint]\n    area: hull\n  - id: legs\n    title: Grease the legs\n";
  const page = await newPage(browser);
  await signIn(page, "an-admin-token-for-the-test");
  const looks = async (name) => {
    for (const [window, viewport] of Object.entries(WINDOWS)) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ["light", "dark"]) {
        // A colour that is still changing has no contrast.
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await assertFits(page, `${name} ${window}`);
        await assertAccessible(page, `${name} ${window} ${colorScheme}`);
        await picture(page, `${name}-${colorScheme}-${window}`);
      }
    }
    await page.setViewportSize(WINDOWS.desk);
    await page.emulateMedia({ colorScheme: "light", reducedMotion: null });
  };
  const titles = async () => (await get("/v1/tasks?repo=acme/lander&limit=100")).tasks.map((task) => task.title);
  const before = await titles();

  await page.goto(`${base}/operations`);
  await page.getByRole("link", { name: "Import tasks" }).click();
  await page.getByLabel("Task file").fill(TASKS.replace("estimate_points: 3", "estimate_points: many"));
  await page.getByRole("button", { name: "Preview" }).click();
  await page.getByRole("heading", { name: "1 fault; nothing was added" }).waitFor();
  assert.match(await text(page, ".faults"), /line 5, column 22: tasks\[0\]\.estimate_points must be a whole number/);
  assert.match(await page.getByLabel("Task file").inputValue(), /estimate_points: many\n/, "what was entered is still there");
  await looks("import-fault");

  await page.getByLabel("Task file").fill(TASKS);
  await page.getByRole("button", { name: "Preview" }).click();
  await page.getByText("2 new tasks").waitFor();
  assert.equal(await page.getByLabel("Task file").inputValue(), TASKS);
  await looks("import-preview");
  assert.deepEqual(await titles(), before, "a preview adds nothing");
  await page.getByRole("button", { name: "Add 2 tasks" }).click();
  assert.equal(await page.locator("#told").innerText(), "✓ 2 tasks were added to acme/lander.");
  assert.equal(page.url(), `${base}/tasks?repo=acme%2Flander`);
  assert.deepEqual((await titles()).filter((title) => !before.includes(title)).sort(), ["Grease the legs", "Paint the <b>fins</b>"]);
  const added = (await get("/v1/tasks?repo=acme/lander&limit=100")).tasks.find((task) => task.title === "Paint the <b>fins</b>");
  assert.deepEqual([added.estimate_points, added.required_skills, added.area], [3, ["paint"], "hull"]);

  // A manual repository's page leads to the form, too, which then names it.
  await page.goto(`${base}/repos/acme/lander`);
  await page.getByRole("link", { name: "Import tasks" }).click();
  assert.equal(await page.getByLabel("Repository").inputValue(), "acme/lander");
  await page.getByLabel("Task file").fill(TASKS);
  await page.getByRole("button", { name: "Preview" }).click();
  await page.getByText("2 tasks are there already and do not change.").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Add/ }).count(), 0);

  // Tried directly against the server: without a session, with a made-up form, from another site.
  const cookie = (await page.context().cookies()).map((one) => `${one.name}=${one.value}`).join("; ");
  const form = await page.locator(".task-file input[name=form]").first().getAttribute("value");
  const send = async (headers, fields) => {
    const body = new URLSearchParams({ text: TASKS.replaceAll("id: ", "id: other-"), do: "add", ...fields });
    return (await fetch(`${base}/import`, { method: "POST", redirect: "manual", headers, body })).status;
  };
  const known = await titles();
  assert.equal(await send({}, { form }), 401);
  assert.equal(await send({ cookie: "owp_session=made-up" }, { form }), 401);
  assert.equal(await send({ cookie }, { form: "made-up" }), 403);
  assert.equal(await send({ cookie, origin: "https://evil.example" }, { form }), 403);
  assert.equal(await send({ cookie, "sec-fetch-site": "cross-site" }, { form }), 403);
  assert.deepEqual(await titles(), known, "none of them added anything");
  assert.equal(await send({ cookie }, { form }), 303);
  assert.equal((await titles()).length, known.length + 2);

  await page.goto(`${base}/events`);
  assert.match(await text(page), /Audit log of the pool itself/);
  await page.getByLabel("Repository").fill("acme/lander");
  await page.getByRole("button", { name: "Filter" }).click();
  assert.match(await text(page), /Audit log of acme\/lander \d+ events; the last one/);
  await looks("events-operator");
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Export" }).click();
  assert.equal((await download).suggestedFilename(), "audit-acme-lander.ndjson");
  await page.getByRole("link", { name: "Verify" }).click();
  await page.getByText("✓ The audit log of acme/lander verifies.").waitFor();
  await looks("audit-log");
  const exported = await (await fetch(`${base}/events/export?repo=acme/lander`, { headers: { cookie } })).text();
  const lines = exported.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([lines.at(-1).verified, lines.at(-1).events], [true, lines.length - 1]);

  await page.goto(`${base}/operations`);
  await page.getByRole("link", { name: "First steps" }).click();
  await page.getByRole("heading", { name: "First steps" }).waitFor();
  const steps = await text(page, "main");
  for (const said of ["✓ A manual repository (done)", "✓ A task (done)", "✓ A contributor (done)", "○ GitHub App (optional)"]) {
    assert.ok(steps.includes(said), `${said}\n${steps}`);
  }
  await looks("first-steps");
}

// People sign in with GitHub, and may do what GitHub lets them do.
async function people(browser) {
  const signedIn = async (login) => {
    const page = await newPage(browser);
    await page.goto(base);
    await page.getByRole("link", { name: "Sign in" }).click();
    await assertAccessible(page, "sign-in");
    await page.getByRole("link", { name: "Sign in with GitHub" }).click();
    await page.getByRole("button", { name: login, exact: true }).click();
    await page.locator("#told").waitFor();
    assert.equal(await page.locator("#told").innerText(), `✓ You are signed in as ${login}.`);
    await page.goto(`${base}/repos/acme/docs`);
    return page;
  };
  const ada = await signedIn("ada");
  await ada.getByRole("link", { name: "My work" }).click();
  await ada.getByRole("heading", { name: "What I could take" }).waitFor();
  await assertAccessible(ada, "my work");
  await picture(ada, "my-work");
  await ada.goto(`${base}/operations`);
  assert.equal(ada.url(), `${base}/signin`, "that page is the operator's");
  await ada.goto(`${base}/repos/acme/docs`);
  assert.equal(await ada.locator("form.act").count(), 0, "a contributor is offered nothing there");
  const mona = await signedIn("mona");
  await mona.getByRole("spinbutton", { name: "Review budget" }).fill("5");
  await mona.getByRole("spinbutton", { name: "Review budget" }).press("Enter");
  assert.equal(await mona.locator("#told").innerText(), "✓ The review budget is now 5.");
  assert.equal((await get("/v1/repos/acme/docs")).budget.max_open_prs, 5);
  // Both tabs show it; the other one without a reload.
  await ada.getByText("of 5 slots taken").first().waitFor();

  // Trust and bans are shown to those who may act, and are in the log under the maintainer's name.
  await mona.getByRole("textbox", { name: "Trust" }).fill("ada");
  await mona.getByRole("spinbutton", { name: "up to tier" }).fill("2");
  await mona.getByRole("button", { name: "Trust" }).click();
  await mona.getByText("Ban somebody…").click();
  await mona.getByRole("textbox", { name: "Login" }).fill("fay");
  await mona.getByRole("button", { name: "Ban somebody" }).click();
  assert.match(await text(mona), /ada up to tier 2 by mona.* fay banned by mona/);
  const trusted = (await get("/v1/events?last=100&kind=trust.set&repo=acme/docs")).events.filter((one) => one.data.by === "mona");
  assert.ok(trusted.length >= 2, JSON.stringify(trusted));

  // The demo may hand a task out before the reservation; another one waits behind it.
  await until("a task is reserved", async () => {
    const { tasks } = await get("/v1/tasks?state=ready&repo=acme/docs");
    const free = tasks.find((task) => task.reserved_until === null);
    if (!free) return false;
    await mona.goto(`${base}/tasks/${free.task_id}`);
    const reserve = mona.getByRole("textbox", { name: "Reserve for" });
    if (await reserve.count() === 0) return false;
    await reserve.fill("ada");
    await mona.getByRole("button", { name: "Reserve" }).click();
    if (!(await mona.locator("#told").innerText()).startsWith("✓")) return false;
    const { events } = await get(`/v1/events?last=100&kind=task.updated&task=${free.task_id}`);
    return events.some((one) => one.data.reserved_for === "ada" && one.data.by === "mona");
  });

  // Nobody is on the leaderboard unasked.
  await mona.goto(`${base}/leaderboard`);
  assert.ok((await text(mona)).includes("Nobody who asked to be here has merged work yet."));
  await until("ada has merged work", async () => {
    const { events } = await get("/v1/events?last=100&kind=task.merged");
    return events.length >= 12;
  });
  await ada.goto(`${base}/leaderboard`);
  await ada.getByRole("button", { name: "Put me on the leaderboard" }).click();
  assert.equal(await ada.locator("#told").innerText(), "✓ You are on the leaderboard.");
  await until("mona sees ada there", async () => {
    await mona.reload();
    return /ada [\d.]+/.test(await text(mona, "main"));
  });
  await assertAccessible(mona, "leaderboard");
  await picture(mona, "leaderboard");
  await ada.getByRole("button", { name: "Take me off the leaderboard" }).click();
  assert.equal(await ada.locator("#told").innerText(), "✓ You are not on the leaderboard any more.");

  // Acts on many tasks are for those who may write, and for one repository.
  await mona.goto(`${base}/tasks?state=pr_opened&repo=acme/docs`);
  await mona.getByText("Act on all tasks that match…").click();
  assert.deepEqual(await mona.locator("select[name=verb] option").allInnerTexts(), ["approve", "unblock", "revoke"]);
  await mona.goto(`${base}/bulk?verb=revoke`);
  assert.ok((await text(mona)).includes("Filter by a repository first"));
  await ada.goto(`${base}/bulk?verb=revoke&repo=acme/docs`);
  assert.ok((await text(ada)).includes("You may not write to this repository"));
  await mona.goto(`${base}/bulk?verb=close&repo=acme/docs`);
  assert.ok((await text(mona)).includes("Only the operator can do that."));

  // What was merged is in the figures of today, drawn and as a table.
  await mona.goto(`${base}/insights`);
  const merged = Number(await mona.locator(".insights dd").first().innerText());
  assert.ok(merged >= 12, `${merged} merged`);
  assert.equal(await mona.locator("figure.chart canvas").count(), 4);
  await mona.getByText("Show the numbers of each day").click();
  assert.equal(Number(await mona.locator("table.days tbody [data-key=merged]").first().innerText()), merged);
  await assertAccessible(mona, "insights");
  await picture(mona, "insights");
}

// The demo, for the pictures in the README.
async function demo(browser) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await newPage(browser, { colorScheme, viewport: { width: 1200, height: 760 } });
    await page.goto(base);
    await until("a full budget beside merged work", async () => {
      const shown = await text(page);
      return /3 of 3 slots taken/.test(shown) && /[1-9] merged/.test(shown);
    });
    await picture(page, `demo-${colorScheme}`, false);
    await assertAccessible(page, `demo-${colorScheme}`);
  }
}

await withBrowser({ answers, pages, live, keyboard, hostile, acts, demo, demoPages, people, story, operator }[scenario]);
