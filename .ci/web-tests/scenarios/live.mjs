// The real Codex works, with a scripted model, while its page and the list are open.

import fs from "node:fs";
import path from "node:path";
import { isClean } from "../browser.mjs";
import { check, equal, eventually, gate, sleep } from "../checks.mjs";
import { scriptedModel } from "../model.mjs";
import { proxyTo } from "../proxy.mjs";
import { World } from "../world.mjs";

/** The entries of a timeline that every page shows. The beginning of a command may be left out once it has ended. */
const SHOWN = ["message", "command_finished", "files_changed", "reasoning", "ended"];

/** How long the connection is cut, in milliseconds. */
const CUT = 2000;

const PATCH = `*** Begin Patch
*** Update File: src/greeting.txt
@@
-hello
+hello, world
*** Add File: src/new.txt
+a new file
*** End Patch`;

/** The numbers of the entries on the page, in its order. */
const shown = (page) =>
  page.evaluate(() => [...document.querySelectorAll("#activity [id^=e]")].map((item) => Number(item.id.slice(1))));

/** Checks what the page shows against the timeline. */
async function isComplete(what, page, world, id) {
  const numbers = await shown(page);
  check(`${what}: the entries are in order, and none is there twice`, numbers.every((seq, at) => at === 0 || numbers[at - 1] < seq), numbers);
  const timeline = world.timeline(id);
  const missing = timeline.filter(({ kind, seq }) => SHOWN.includes(kind) && !numbers.includes(seq));
  check(`${what}: nothing is missing, compared with the timeline`, missing.length === 0, { missing, numbers });
  const known = new Set(timeline.map(({ seq }) => seq));
  check(`${what}: nothing else is there`, numbers.every((seq) => known.has(seq)), numbers);
}

/** Hides or shows a page as its tab does when another one is selected. Headless Chromium never hides a page itself. */
export const setHidden = (page, hidden) =>
  page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => (hidden ? "hidden" : "visible") });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);

export async function live(browser, options) {
  const gates = { second: gate(), cut: gate(), hidden: gate(), end: gate() };
  const model = await scriptedModel([
    { think: "I look at the greeting first." },
    { say: "I begin with phase one." },
    { shell: "echo output of phase one" },
    { wait: gates.second.opened, say: "Now phase two." },
    { shell: "echo output of phase two" },
    { wait: gates.cut.opened, say: "This was said while the connection was cut." },
    { patch: PATCH },
    { say: "This too." },
    { wait: gates.hidden.opened, say: "This was said while the tab was hidden." },
    { shell: "echo it fails >&2; exit 3" },
    { wait: gates.end.opened, say: "Everything is done." },
  ]);
  const world = new World(options, { codex: options.codex, model: model.url });
  let proxy;
  try {
    const project = await world.project("shop", { "src/greeting.txt": "hello\n", "README.md": "a shop\n" });
    const server = await world.web();
    proxy = await proxyTo(server.origin);
    const list = await browser.signIn(server, {}, proxy.origin);
    check("an empty list says so", (await list.textContent("#tasks")).includes("no tasks"));

    const id = await world.start(project, "Make the greeting friendlier.");
    const row = list.locator("#tasks tr", { hasText: id });
    await row.waitFor();
    check("a new task appears in the open list", (await row.textContent()).includes("Make the greeting friendlier."));
    await eventually("the list shows that it is running", async () => (await row.textContent()).includes("running"), () => row.textContent());

    const page = await list.context().newPage();
    await page.goto(`${proxy.origin}/tasks/${id}`);
    const activity = page.locator("#activity");
    const sees = (text) => activity.getByText(text, { exact: false }).first().waitFor({ state: "attached" });
    await sees("I begin with phase one.");
    await sees("output of phase one");
    await page.evaluate(() => (window.isSameDocument = true));
    gates.second.open();
    await sees("Now phase two.");
    await sees("output of phase two");
    check("activity appears in the open page", true);
    await eventually("the task's page has one stream", () => proxy.streams().filter((path) => path.startsWith(`/tasks/${id}/live`)).length === 1, () => proxy.streams());

    // The connection is cut while the agent continues.
    const connection = page.locator("#connection");
    proxy.down();
    await eventually("the page says that the connection is lost", async () => /lost/.test(await connection.textContent()), () => connection.textContent());
    gates.cut.open();
    await eventually("the agent continues", () => world.log(id).includes("This too."), () => world.log(id));
    await sleep(CUT);
    check("nothing arrives without a connection", !(await activity.textContent()).includes("This too."));
    proxy.up();
    await sees("This was said while the connection was cut.");
    await sees("This too.");
    await eventually("the page no longer says that the connection is lost", async () => (await connection.textContent()) === "", () => connection.textContent());
    await isComplete("after the connection was cut", page, world, id);

    // The tab is hidden while the agent continues.
    await setHidden(page, true);
    await eventually("a hidden tab closes its stream", () => !proxy.streams().some((path) => path.startsWith(`/tasks/${id}/live`)), () => proxy.streams());
    gates.hidden.open();
    await eventually("the agent continues", () => world.log(id).includes("exit code 3"), () => world.log(id));
    check("a hidden tab is not updated", !(await activity.textContent()).includes("while the tab was hidden"));
    await setHidden(page, false);
    await sees("This was said while the tab was hidden.");
    const failed = activity.locator("li", { hasText: "exit 3" }).last();
    await failed.waitFor();
    check("a failed command is expanded", await failed.locator("details").first().evaluate((details) => details.open));

    gates.end.open();
    await sees("Everything is done.");
    await eventually("the head says how it ended", async () => (await page.textContent("#head")).includes("completed"), () => page.textContent("#head"));
    await world.ended(id);
    await eventually("the title says so too", async () => (await page.title()).includes("completed"), () => page.title());
    await eventually("the stream ends with the task", () => !proxy.streams().some((path) => path.startsWith(`/tasks/${id}/live`)), () => proxy.streams());
    await sleep(500);
    check("the page says nothing about a lost connection", (await connection.textContent()) === "");
    await isComplete("after the end", page, world, id);
    check("all this without loading the page again", await page.evaluate(() => window.isSameDocument === true));
    await eventually("the open list shows the end", async () => (await row.textContent()).includes("completed"), () => row.textContent());
    await isClean("the live page", page);
    await page.reload();
    await isComplete("after a reload", page, world, id);

    await page.getByRole("link", { name: "Changes", exact: true }).click();
    const changes = page.locator("main");
    for (const text of ["src/greeting.txt", "src/new.txt", "-hello", "+hello, world", "+a new file"]) {
      check(`the diff of a real edit has ${text}`, (await changes.textContent()).includes(text), await changes.textContent());
    }
    equal("added lines are marked", await page.locator(".line-added").allTextContents(), ["+hello, world\n", "+a new file\n"]);
    await page.getByRole("link", { name: "Result", exact: true }).click();
    check("the result is the final message", (await changes.textContent()).includes("Everything is done."));
    await page.getByRole("link", { name: "Log", exact: true }).click();
    check("the log has what the model never saw", (await changes.textContent()).includes("COMMAND FINISHED (exit code 3"), await changes.textContent());
    await page.getByRole("link", { name: "Details", exact: true }).click();
    check("the details name the directory", (await changes.textContent()).includes(project));
    equal("the file is edited", fs.readFileSync(path.join(project, "src/greeting.txt"), "utf8"), "hello, world\n");
    await isClean("the other tabs", page);
    await page.context().close();
  } finally {
    for (const { open } of Object.values(gates)) open();
    proxy?.close();
    await world.close();
    model.close();
  }
}
