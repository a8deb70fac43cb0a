// Everything works without JavaScript, except that pages do not update themselves.

import path from "node:path";
import { isClean } from "../browser.mjs";
import { check, equal } from "../checks.mjs";
import { World } from "../world.mjs";

export async function withoutJavaScript(browser, options) {
  const world = new World(options);
  try {
    const project = await world.project("shop", { "a.txt": "one\n" });
    const edited = await world.finished(project, [
      { say: "I edit" },
      ...Array.from({ length: 5 }, (_, number) => ({ command: { cmd: `echo ${number}`, output: `output ${number}`, exit: 0 } })),
      { write: { path: path.join(project, "a.txt"), text: "two\n" } },
      { say: "the final message" },
    ]);
    const running = await world.fake(project, [{ say: "busy" }, { hang: true }]);
    const server = await world.web("--actions");
    const page = await browser.signIn(server, { javaScriptEnabled: false });
    const main = () => page.textContent("main");
    check("the list has both tasks", (await main()).includes(edited) && (await main()).includes(running));
    await page.selectOption("select[name=state]", "running");
    await page.getByRole("button", { name: "Filter" }).click();
    check("the filter works", (await main()).includes(running) && !(await page.textContent("#tasks")).includes(edited), await main());
    await page.getByRole("link", { name: "Remove all filters" }).first().click();

    await page.locator("#tasks").getByRole("link", { name: edited }).click();
    check("the task's page has the activity", (await main()).includes("the final message"));
    const fold = page.locator("#activity details").first();
    await fold.locator("summary").first().click();
    check("parts can be unfolded", await fold.locator("ol, pre").first().isVisible());
    for (const [tab, text] of [["Changes", "+two"], ["Log", "MESSAGE: I edit"], ["Result", "the final message"], ["Details", project]]) {
      await page.getByRole("link", { name: tab, exact: true }).click();
      check(`the tab ${tab} works`, (await main()).includes(text), await main());
    }
    for (const name of ["Usage", "Check", "Tasks"]) {
      await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true }).click();
      check(`the page ${name} works`, (await page.textContent("h1")).trim() === name, await page.textContent("h1"));
    }
    await page.locator("#tasks").getByRole("link", { name: running }).click();
    await page.getByRole("link", { name: "Cancel", exact: false }).first().click();
    await page.locator("main").getByRole("button", { name: "Stop the task" }).click();
    check("a task can be cancelled", (await main()).includes("cancelled"), await main());
    await world.ended(running);
    equal("it was", world.record(running).failureReason, "Cancelled by user");
    await isClean("without JavaScript", page);
    await page.getByRole("button", { name: "Sign out" }).click();
    equal("signing out works", (await page.goto(`${server.origin}/tasks`)).status(), 401);
    await page.context().close();
  } finally {
    await world.close();
  }
}
