// Very much of everything.

import fs from "node:fs";
import { isClean } from "../browser.mjs";
import { check, eventually } from "../checks.mjs";
import { World } from "../world.mjs";

/** Maximum number of elements of a page, whatever the task did. */
const MAX_ELEMENTS = 30_000;

async function isBounded(what, page) {
  const elements = await page.evaluate(() => document.querySelectorAll("*").length);
  check(`${what}: the page has at most ${MAX_ELEMENTS} elements`, elements <= MAX_ELEMENTS, elements);
  await isClean(what, page);
}

export async function badInput(browser, options) {
  const world = new World(options);
  try {
    const lines = Array.from({ length: 50_000 }, (_, number) => `line ${number}\n`).join("");
    const project = await world.project("shop", { "big.txt": lines, "small.txt": "small\n" });
    const go = world.flag("go");
    const steps = [
      { await_file: go.file },
      { flood: { lines: 5_000, length: 200, json: true } },
      { say: "after the flood" },
      { raw_bytes: { byte: 120, count: 10_000_000, newline: true } },
      { run: "sed -i 's/^line/changed line/' big.txt; echo changed > small.txt" },
      { say: "the last message" },
    ];
    const id = await world.fake(project, steps, { sandbox: "danger-full-access" });
    const server = await world.web();
    const page = await browser.signIn(server);
    await page.goto(`${server.origin}/tasks/${id}`);
    go.set();
    await eventually("the page follows an agent that does very much", async () => (await page.textContent("#activity")).includes("ended: completed"), async () => `${(await page.textContent("#activity")).slice(-2000)}\n${world.log(id).slice(-3000)}`);
    await isBounded("thousands of events and a line of 10 MB", page);
    await world.ended(id);
    // A sparse log of 1 GB, whose last lines are the real ones.
    const log = world.file(id, "log");
    const real = fs.readFileSync(log);
    fs.truncateSync(log, 1 << 30);
    fs.appendFileSync(log, `\n${real.subarray(-20_000)}`);
    for (const tab of ["", "/changes", "/log", "/result", "/details"]) {
      await page.goto(`${server.origin}/tasks/${id}${tab}`);
      await isBounded(`a diff of 100,000 lines and a log of 1 GB, ${tab || "activity"}`, page);
    }
    await page.goto(`${server.origin}/tasks/${id}/changes`);
    const link = page.locator('a[href*="file="]', { hasText: "small.txt" }).first();
    await link.click();
    check("a file that did not fit has its own page", (await page.textContent("main")).includes("+changed"), await page.textContent("main"));
    await page.context().close();
  } finally {
    await world.close();
  }
}
