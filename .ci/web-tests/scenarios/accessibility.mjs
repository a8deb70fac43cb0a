// axe-core examines every page, light and dark, wide and narrow.

import path from "node:path";
import { isClean } from "../browser.mjs";
import { check, equal, eventually } from "../checks.mjs";
import { World } from "../world.mjs";

export async function accessibility(browser, options) {
  const world = new World(options);
  try {
    const project = await world.project("shop", { "a.txt": "one\n" });
    const server = await world.web("--actions");
    const [light, dark] = [await browser.signIn(server, { colorScheme: "light" }), null];
    const cookies = await light.context().cookies();
    const pages = { light, dark };
    const darkContext = await browser.newContext({ colorScheme: "dark" });
    await darkContext.addCookies(cookies);
    pages.dark = await darkContext.newPage();
    const examine = async (what, address, after = async () => {}) => {
      for (const [scheme, page] of Object.entries(pages)) {
        await page.goto(server.origin + address);
        await after(page);
        equal(`axe: ${what}, ${scheme}`, await browser.axeViolations(page), []);
      }
    };
    await examine("an empty list", "/tasks");

    const edited = await world.finished(project, [
      { say: "I **edit** it" },
      { command: { cmd: "cargo test", output: "error: it fails", exit: 101 } },
      ...Array.from({ length: 4 }, (_, number) => ({ command: { cmd: `echo ${number}`, output: `output ${number}`, exit: 0 } })),
      { write: { path: path.join(project, "a.txt"), text: "two\n" } },
      { usage: { input_tokens: 12_000, cached_input_tokens: 9_000, output_tokens: 400 } },
      { say: "done\n\n- one\n- two" },
    ]);
    const failed = await world.finished(project, [{ error: "a warning" }, { fail: "You've hit your usage limit." }], { backend: "reviewer" });
    const running = await world.fake(project, [{ say: "busy" }, { hang: true }]);
    await eventually("the task runs", () => world.log(running).includes("busy"));
    const cancelled = await world.fake(project, [{ say: "busy" }, { hang: true }]);
    await world.connector(["cancel", cancelled]);
    await world.ended(cancelled);

    await examine("the list", "/tasks");
    await examine("the list with the keys", "/tasks", async (page) => {
      await page.keyboard.press("?");
      await page.locator("dialog#keys").waitFor();
    });
    await examine("a list without a match", "/tasks?state=timed_out");
    await examine("a wrong filter", "/tasks?since=yesterdayish");
    for (const tab of ["", "/changes", "/log", "/result", "/details"]) {
      await examine(`a task that edited, ${tab || "activity"}`, `/tasks/${edited}${tab}`);
    }
    for (const [what, id] of Object.entries({ failed, running, cancelled })) {
      await examine(`a ${what} task`, `/tasks/${id}`);
      await examine(`the details of a ${what} task`, `/tasks/${id}/details`);
    }
    for (const action of ["undo", "redo", "apply", "resume"]) await examine(`the page of ${action}`, `/tasks/${edited}/${action}`);
    await examine("the page of cancel", `/tasks/${running}/cancel`);
    await examine("Usage", "/usage");
    await examine("Check", "/check");
    await examine("a page that does not exist", "/nothing");

    const backgrounds = [];
    for (const page of Object.values(pages)) {
      await page.goto(`${server.origin}/tasks`);
      backgrounds.push(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor + getComputedStyle(document.body).backgroundColor));
      await page.setViewportSize({ width: 390, height: 844 });
    }
    check("light and dark have different backgrounds", backgrounds[0] !== backgrounds[1], backgrounds);
    await examine("the list on a phone", "/tasks");
    await examine("a task on a phone", `/tasks/${edited}`);
    await examine("changes on a phone", `/tasks/${edited}/changes`);
    for (const page of Object.values(pages)) {
      await isClean("the examined pages", page);
      await page.context().clearCookies();
    }
    await examine("the page for signing in", "/tasks");
    for (const page of Object.values(pages)) await page.context().close();
  } finally {
    await world.close();
  }
}
