// Eight tabs of one browser, which opens at most six connections to one server.

import { isClean } from "../browser.mjs";
import { check, equal, eventually } from "../checks.mjs";
import { proxyTo } from "../proxy.mjs";
import { World, connections } from "../world.mjs";
import { setHidden } from "./live.mjs";

const TABS = 8;

export async function tabs(browser, options) {
  const world = new World(options);
  let proxy;
  try {
    const project = await world.project("shop", { "a.txt": "a\n" });
    const server = await world.web();
    proxy = await proxyTo(server.origin);
    const flags = Array.from({ length: TABS - 1 }, (_, number) => world.flag(number));
    const steps = flags.flatMap(({ file }, number) => [{ say: `message ${number}` }, { await_file: file }]);
    const id = await world.fake(project, [...steps, { say: "the last message" }, { hang: true }]);

    const first = await browser.signIn(server, {}, proxy.origin);
    const pages = [first];
    for (let number = 0; number < TABS; number += 1) {
      const page = number === 0 ? first : await first.context().newPage();
      if (number > 0) await setHidden(pages[number - 1], true);
      await page.goto(`${proxy.origin}/tasks/${id}`);
      if (number > 0) pages.push(page);
      const newest = number < flags.length ? `message ${number}` : "the last message";
      await page.locator("#activity").getByText(newest).first().waitFor();
      flags[number]?.set();
    }
    check("each of eight tabs in a row is updated while it is shown", true);
    await eventually("only the shown tab has a stream", () => proxy.streams().length === 1, () => proxy.streams());
    await eventually("the server has one connection", () => connections(server) === 1, () => connections(server));

    await setHidden(pages[TABS - 1], true);
    await eventually("without a shown tab there is no stream", () => connections(server) === 0, () => connections(server));
    await setHidden(pages[0], false);
    await pages[0].locator("#activity").getByText("the last message").first().waitFor();
    const messages = await pages[0].locator("#activity li", { hasText: /message/ }).allTextContents();
    equal("a tab that is shown again has everything once", messages.length, TABS);

    // All tabs at once: some have to wait for a connection, but none is lost when the others are hidden again.
    for (const page of pages.slice(1)) await setHidden(page, false);
    await eventually("six streams are open", () => proxy.streams().length === 6, () => proxy.streams());
    for (const page of pages.slice(0, TABS - 1)) await setHidden(page, true);
    await pages[TABS - 1].locator("#activity").getByText("the last message").first().waitFor();
    await eventually("the server has one connection again", () => connections(server) === 1, () => connections(server));

    for (const page of pages) await page.close();
    await eventually("closed tabs leave no connection", () => connections(server) === 0, () => connections(server));
    await isClean("eight tabs", first);
    await first.context().close();
  } finally {
    proxy?.close();
    await world.close();
  }
}
