// The list is filtered by state, repository and backend, and the filter is in the address.

import { isClean } from "../browser.mjs";
import { check, equal, eventually } from "../checks.mjs";
import { World } from "../world.mjs";

const ids = async (page) => (await page.locator("#tasks tbody a.task-link").allTextContents()).sort();

export async function filter(browser, options) {
  const world = new World(options);
  try {
    const [shop, blog] = [await world.project("shop", { "a.txt": "a\n" }), await world.project("blog", { "b.txt": "b\n" })];
    const completed = await world.finished(shop, [{ say: "done" }]);
    const reviewed = await world.finished(shop, [{ say: "fine" }], { backend: "reviewer" });
    const failed = await world.finished(blog, [{ fail: "out of luck" }]);
    const running = await world.fake(blog, [{ say: "busy" }, { hang: true }]);
    const server = await world.web();
    const page = await browser.signIn(server);
    const all = [completed, reviewed, failed, running].sort();
    equal("all tasks are listed", await ids(page), all);

    await page.locator("#counts a", { hasText: "failed" }).click();
    equal("the count of failed tasks is a link to them", await ids(page), [failed]);
    equal("the filter is in the address", new URL(page.url()).searchParams.get("state"), "failed");
    equal("the link says that it is selected", await page.locator("#counts [aria-current]").allTextContents(), [
      (await page.locator("#counts a", { hasText: "failed" }).textContent()),
    ]);

    await page.selectOption("select[name=state]", "");
    const repository = await page.locator("select[name=repo] option", { hasText: "shop" }).getAttribute("value");
    await page.selectOption("select[name=repo]", repository);
    await page.getByRole("button", { name: "Filter" }).click();
    equal("by repository", await ids(page), [completed, reviewed].sort());
    await page.selectOption("select[name=backend]", "reviewer");
    await page.getByRole("button", { name: "Filter" }).click();
    equal("by repository and backend", await ids(page), [reviewed]);
    const address = page.url();

    // A filtered list is live too, and only shows what the filter selects.
    const later = await world.finished(shop, [{ say: "fine too" }], { backend: "reviewer" });
    await eventually("a new task that the filter selects appears", async () => (await ids(page)).includes(later), () => ids(page));
    await world.finished(blog, [{ say: "elsewhere" }], { backend: "reviewer" });
    const last = await world.finished(shop, [{ say: "fine again" }], { backend: "reviewer" });
    await eventually("another one appears", async () => (await ids(page)).includes(last), () => ids(page));
    equal("others do not", await ids(page), [reviewed, later, last].sort());

    await page.selectOption("select[name=state]", "cancelled");
    await page.getByRole("button", { name: "Filter" }).click();
    check("an empty list says that the filter is the reason", (await page.textContent("#tasks")).includes("No task matches"));
    await page.getByRole("link", { name: "Remove all filters" }).first().click();
    check("the filters can be removed", (await ids(page)).length === all.length + 3 && new URL(page.url()).search === "", page.url());

    const other = await page.context().newPage();
    await other.goto(address);
    equal("an address shows the same list in another tab", await ids(other), [reviewed, later, last].sort());
    await isClean("the filtered list", page);
    await page.context().close();
  } finally {
    await world.close();
  }
}
