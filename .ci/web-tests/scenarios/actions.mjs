// Actions need `--actions` and a confirmation.

import fs from "node:fs";
import path from "node:path";
import { isClean } from "../browser.mjs";
import { check, equal, eventually } from "../checks.mjs";
import { World } from "../world.mjs";

export async function actions(browser, options) {
  const world = new World(options);
  try {
    const project = await world.project("shop", { "a.txt": "one\n" });
    const edited = await world.finished(project, [{ write: { path: path.join(project, "a.txt"), text: "two\n" } }, { say: "edited" }]);
    const running = await world.fake(project, [{ say: "busy" }, { hang: true }]);
    const content = () => fs.readFileSync(path.join(project, "a.txt"), "utf8");
    equal("the agent edited the file", content(), "two\n");

    const readOnly = await world.web();
    let page = await browser.signIn(readOnly);
    await page.goto(`${readOnly.origin}/tasks/${running}`);
    check("without --actions, the page has none", (await page.locator(`a[href$="/cancel"], form[action$="/cancel"]`).count()) === 0);
    const refused = await page.goto(`${readOnly.origin}/tasks/${running}/cancel`);
    const explained = await page.textContent("main");
    check("without --actions, the confirmation is refused with the command", refused.status() === 403 && explained.includes(`codex-connector cancel ${running}`), explained);
    // The strongest request that a page of this server could send: same origin, with the cookie and the token of a form.
    await page.goto(`${readOnly.origin}/tasks`);
    const csrf = await page.locator("input[name=csrf]").first().getAttribute("value");
    const status = await page.evaluate(
      async ([address, csrf]) => (await fetch(address, { method: "POST", body: new URLSearchParams({ csrf }), redirect: "manual" })).status,
      [`/tasks/${running}/cancel`, csrf],
    );
    equal("without --actions, the form is refused", status, 403);
    equal("the task still runs", world.record(running).status, "running");
    await isClean("the read-only pages", page);
    await page.context().close();

    const server = await world.web("--actions");
    page = await browser.signIn(server);
    await page.goto(`${server.origin}/tasks/${running}`);
    await page.getByRole("link", { name: "Cancel", exact: false }).first().click();
    check("the confirmation shows the command", (await page.textContent("main")).includes(`codex-connector cancel ${running}`));
    equal("asking changes nothing", world.record(running).status, "running");
    await page.locator("main").getByRole("button", { name: "Stop the task" }).click();
    check("the task's page says that it was cancelled", new URL(page.url()).pathname === `/tasks/${running}` && (await page.textContent("main")).includes("cancelled"), await page.textContent("main"));
    await world.ended(running);
    equal("the task was cancelled", world.record(running).failureReason, "Cancelled by user");

    await page.goto(`${server.origin}/tasks/${edited}`);
    await page.getByRole("link", { name: "Undo", exact: false }).first().click();
    const plan = await page.textContent("main");
    check("the confirmation of undo names the file and the command", plan.includes("a.txt") && plan.includes(`codex-connector undo ${edited}`), plan);
    equal("asking changes nothing in the file", content(), "two\n");
    await page.locator("main").getByRole("button", { name: "Undo" }).click();
    equal("undo restores the file", content(), "one\n");
    const notice = page.locator(".notice");
    check("the page says so", (await notice.textContent()).includes("Reverted"), await page.textContent("main"));
    await page.reload();
    check("the page says so once", (await notice.count()) === 0);
    await page.getByRole("link", { name: "Redo", exact: false }).first().click();
    await page.locator("main").getByRole("button", { name: "Redo" }).click();
    equal("redo makes the change again", content(), "two\n");

    // Somebody else edits the file, so undo must refuse.
    fs.writeFileSync(path.join(project, "a.txt"), "three\n");
    await page.goto(`${server.origin}/tasks/${edited}/undo`);
    const conflict = await page.textContent("main");
    check("a conflict is explained", conflict.includes("a.txt") && (await page.locator("main form button").count()) === 0, conflict);
    equal("a conflict changes nothing", content(), "three\n");

    await page.goto(`${server.origin}/tasks/${edited}/resume`);
    await page.fill("textarea", 'FAKE[{"say": "continued <b>here</b>"}]');
    await page.locator("main").getByRole("button", { name: "Resume" }).click();
    const next = new URL(page.url()).pathname.split("/")[2];
    check("resume leads to a new task", /^[0-9a-f]{8}$/.test(next) && next !== edited, `${page.url()}\n${await page.textContent("main")}`);
    world.started.push(next);
    await eventually("the new task completes in its open page", async () => (await page.textContent("#head")).includes("completed"), () => page.textContent("main"));
    equal("it continues the session", world.record(next).sessionId, world.record(edited).sessionId);
    await isClean("the pages with actions", page);
    await page.context().close();
  } finally {
    await world.close();
  }
}
