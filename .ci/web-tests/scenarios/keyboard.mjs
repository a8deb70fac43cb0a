// The pages are usable with the keyboard alone, and on a phone.

import { isClean } from "../browser.mjs";
import { check, equal } from "../checks.mjs";
import { World } from "../world.mjs";

/** What has the focus: its place among all elements, its text, and whether the focus is visible. */
const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return {
      place: [...document.querySelectorAll("*")].indexOf(element),
      text: (element.textContent || element.getAttribute("name") || "").trim().slice(0, 40),
      isVisible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
      isInView: box.bottom > 0 && box.top < innerHeight,
    };
  });

/** Presses Tab through a whole page. Returns what had the focus. */
async function tabThrough(page) {
  const order = [];
  for (let presses = 0; presses < 300; presses += 1) {
    await page.keyboard.press("Tab");
    const now = await focused(page);
    if (now === null || order.some(({ place }) => place === now.place)) break;
    order.push(now);
  }
  return order;
}

export async function keyboard(browser, options) {
  const world = new World(options);
  try {
    const project = await world.project("a-repository-with-a-rather-long-name", { "a.txt": "one\n" });
    const long = `/${"a-very-long-directory-name/".repeat(8)}file.rs`;
    const ids = [];
    for (const number of [0, 1, 2]) {
      const steps = [
        { say: `message ${number} ${long} ${"W".repeat(300)}` },
        { command: { cmd: `cat ${long}`, output: "x".repeat(500), exit: 1 } },
        { write: { path: `${project}/a.txt`, text: `${"long line ".repeat(100)}${number}\n` } },
        { say: "done" },
      ];
      ids.unshift(await world.finished(project, steps, { words: `Task ${number} ${"unbreakable".repeat(30)} ` }));
    }
    const server = await world.web("--actions");
    const page = await browser.signIn(server);

    await page.keyboard.press("Tab");
    const first = await focused(page);
    check("the first Tab leads to the skip link, which is then visible", first?.text === "Skip to the content" && first.isInView, first);
    await page.keyboard.press("Enter");
    equal("the skip link leads to the content", await page.evaluate(() => document.activeElement.id), "main");
    for (const address of ["/tasks", `/tasks/${ids[0]}`, `/tasks/${ids[0]}/changes`, `/tasks/${ids[0]}/undo`, "/usage", "/check"]) {
      await page.goto(server.origin + address);
      const order = await tabThrough(page);
      const reachable = await page.evaluate(
        () => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
          .filter((element) => element.checkVisibility()).length,
      );
      const what = address.replace(ids[0], "ID");
      check(`${what}: Tab reaches everything, in the order of the page`, order.length === reachable && order.every(({ place }, at) => at === 0 || order[at - 1].place < place), { order, reachable });
      check(`${what}: the focus is always visible`, order.every(({ isVisible, isInView }) => isVisible && isInView), order.filter(({ isVisible, isInView }) => !isVisible || !isInView));
    }

    await page.goto(`${server.origin}/tasks`);
    const text = async () => (await focused(page))?.text;
    await page.keyboard.press("j");
    equal("j selects the first task", await text(), ids[0]);
    await page.keyboard.press("j");
    equal("j selects the next task", await text(), ids[1]);
    await page.keyboard.press("k");
    equal("k selects the one before", await text(), ids[0]);
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/tasks/${ids[1]}`);
    check("Enter opens it", true);
    await page.goBack();
    await page.focus("input[name=since]");
    await page.keyboard.press("j");
    equal("in a field, j is a letter", await page.inputValue("input[name=since]"), "j");
    await page.locator("h1").click();
    await page.keyboard.press("?");
    check("? explains the keys", await page.locator("dialog#keys").isVisible());
    await page.keyboard.press("Escape");
    check("Escape closes the explanation", !(await page.locator("dialog#keys").isVisible()));

    // A phone.
    await page.setViewportSize({ width: 360, height: 740 });
    const tabs = ["", "/changes", "/log", "/result", "/details", "/undo", "/resume"].map((tab) => `/tasks/${ids[0]}${tab}`);
    for (const address of ["/tasks", ...tabs, "/usage", "/check", "/nothing"]) {
      await page.goto(server.origin + address);
      const { width, wide } = await page.evaluate(() => ({
        width: document.scrollingElement.scrollWidth,
        wide: [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > 361).map((element) => element.outerHTML.slice(0, 120)).slice(0, 5),
      }));
      check(`${address.replace(ids[0], "ID")}: no horizontal scrolling at 360 pixels`, width <= 360, { width, wide });
    }
    await isClean("keyboard and phone", page);
    await page.context().close();
  } finally {
    await world.close();
  }
}
