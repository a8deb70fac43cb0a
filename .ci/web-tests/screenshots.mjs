// The pictures in docs/images. The data is made up, but plausible: a small online shop on which three agents work.

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { check, eventually } from "./checks.mjs";
import { World } from "./world.mjs";

const SCREENS = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
};

const CART = `export function total(items) {
  return items.reduce((sum, item) => sum + item.price, 0);
}
`;

const BETTER_CART = `/** The total in cents, with the quantity of each item. */
export function total(items) {
  return items.reduce((sum, item) => sum + item.cents * item.quantity, 0);
}

export function format(cents) {
  return new Intl.NumberFormat("en", { style: "currency", currency: "EUR" }).format(cents / 100);
}
`;

const TEST = `import { format, total } from "../src/cart.js";

test("an empty cart costs nothing", () => expect(total([])).toBe(0));
test("quantities count", () => expect(total([{ cents: 250, quantity: 3 }])).toBe(750));
test("amounts have a currency", () => expect(format(750)).toBe("€7.50"));
`;

const command = (cmd, output, exit = 0) => ({ command: { cmd, output, exit } });
const pause = (seconds) => ({ sleep: seconds });
const usage = (input, cached, output) => ({ usage: { input_tokens: input, cached_input_tokens: cached, output_tokens: output } });

/** The program of the backends: the fake agent with the steps of a prompt, which the pages do not show. */
function agent(world) {
  const [scripts, program] = [path.join(world.root, "scripts"), path.join(world.root, "agent")];
  fs.mkdirSync(scripts);
  const lines = [
    "#!/bin/sh",
    `case " $* " in *" --help "* | *" --version "*) ;; *" exec "*) key=$(cksum | tr ' ' -); exec '${world.options.fakeAgent}' "$@" <'${scripts}'/"$key";; esac`,
    `exec '${world.options.fakeAgent}' "$@"`,
  ];
  fs.writeFileSync(program, lines.join("\n"), { mode: 0o755 });
  const config = path.join(world.data, "config.toml");
  fs.writeFileSync(config, fs.readFileSync(config, "utf8").replaceAll(world.options.fakeAgent, program));
  return (prompt, steps) => {
    const key = execFileSync("cksum", { input: prompt }).toString().trim().replaceAll(" ", "-");
    fs.writeFileSync(path.join(scripts, key), `FAKE${JSON.stringify(steps)}`);
  };
}

/** Makes records look as if their tasks had run some days and hours ago. */
function age(world, id, hours, minutes) {
  const file = world.file(id, "debug.json");
  const record = JSON.parse(fs.readFileSync(file, "utf8"));
  const began = Date.now() - hours * 3_600_000;
  record.startedAt = new Date(began).toISOString();
  record.duration = minutes * 60_000;
  record.completedAt = new Date(began + minutes * 60_000).toISOString();
  fs.writeFileSync(file, JSON.stringify(record, null, 2));
}

async function populate(world) {
  const script = agent(world);
  const start = (directory, prompt, steps, options) => {
    script(prompt, steps);
    return world.start(directory, prompt, options);
  };
  const finished = async (...task) => {
    const id = await start(...task);
    await world.ended(id);
    return id;
  };
  const shop = await world.project("shop", { "src/cart.js": CART, "README.md": "# Shop\n", "docs/api.md": "# API\n", "test/.gitkeep": "" });
  const site = await world.project("website", { "index.html": "<h1>Shop</h1>\n" });
  const history = [
    [shop, "Explain how the session cache is invalidated.", "codex", 70, 4, 48_200, "It is invalidated by key."],
    [site, "Check the landing page for broken links.", "reviewer", 52, 7, 31_900, "Two links are broken."],
    [shop, "Update the dependencies and run the tests.", "codex", 47, 12, 96_400, "All tests pass."],
    [shop, "Review the last three commits.", "reviewer", 27, 6, 64_000, "One finding: an unchecked index."],
    [site, "Compress the images of the start page.", "codex", 24, 3, 18_700, "The page is 40 % smaller."],
    [shop, "Write a migration for the orders table.", "codex", 5, 9, 71_300, "The migration is reversible."],
  ];
  const ids = [];
  for (const [directory, prompt, backend, hours, minutes, tokens, answer] of history) {
    const steps = [usage(tokens, Math.round(tokens * 0.7), Math.round(tokens / 20)), { say: answer }];
    const id = await finished(directory, prompt, steps, { backend });
    age(world, id, hours, minutes);
    ids.push(id);
  }
  // The records were changed behind the catalog's back, so it is rebuilt.
  for (const name of fs.readdirSync(world.data)) {
    if (/^index\.(sqlite|lock)|^tasks\.json$/.test(name)) fs.rmSync(path.join(world.data, name));
  }
  await world.connector(["ls", "--all"]);
  const edited = await finished(
    shop,
    "Make the cart count quantities, in cents, and test it.",
    [
      { raw: JSON.stringify({ type: "item.completed", item: { id: "r", type: "reasoning", text: "**Reading the cart** before changing it" } }) },
      pause(1.2),
      { say: "I read the cart and its callers first." },
      command("rg -n 'total\\(' src", "src/cart.js:1:export function total(items) {\nsrc/checkout.js:14:  const sum = total(cart.items);"),
      command("sed -n 1,40p src/checkout.js", "import { total } from './cart.js';"),
      command("sed -n 1,80p src/cart.js", CART),
      pause(0.8),
      { write: { path: path.join(shop, "src/cart.js"), text: BETTER_CART } },
      { write: { path: path.join(shop, "test/cart.test.js"), text: TEST } },
      pause(0.5),
      command("npm test", "✓ an empty cart costs nothing\n✓ quantities count\n✗ amounts have a currency\n    Expected: \"€7.50\"  Received: \"EUR 7.50\"", 1),
      { say: "The test expects the narrow symbol. I set `currencyDisplay`." },
      { write: { path: path.join(shop, "src/cart.js"), text: BETTER_CART.replace('currency: "EUR"', 'currency: "EUR", currencyDisplay: "narrowSymbol"') } },
      pause(1.5),
      command("npm test", "3 tests passed"),
      usage(84_300, 61_000, 5_120),
      { say: "The total now counts quantities and is in cents. There are three tests for it, and all pass.\n\n- src/cart.js: `total` and `format`\n- test/cart.test.js: new" },
    ],
  );
  const limit = [usage(9_100, 4_000, 700), { fail: "You've hit your usage limit. Try again at 6:00 PM." }];
  await finished(site, "Translate the start page into German.", limit, { backend: "reviewer" });
  const running = await start(
    shop,
    "Document every endpoint in docs/api.md.",
    [{ say: "I start with the endpoints of the cart." }, command("rg -n 'router' src/api", "src/api/cart.js:3"), { say: "Now the error codes." }, { hang: true }],
  );
  const parallel = await start(shop, "Find out why the checkout is slow.", [{ say: "I compare the timings." }, { hang: true }], { backend: "reviewer" });
  await eventually("the tasks run", () => [running, parallel].every((id) => world.log(id).includes("MESSAGE")), () => world.log(running));
  return { edited };
}

/** Replaces text in the page. */
function replaceText(replacements) {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    for (const [from, to] of replacements) texts.currentNode.data = texts.currentNode.data.replaceAll(from, to);
  }
}

export async function screenshots(browser, options) {
  const world = new World(options);
  try {
    const { edited } = await populate(world);
    fs.mkdirSync(options.screenshots, { recursive: true });
    const server = await world.web("--actions");
    const page = await browser.signIn(server);
    const cookies = await page.context().cookies();
    await page.context().close();
    // The directories of a person instead of those of this test.
    const names = [[path.join(world.root, "agent"), "/usr/local/bin/codex"], [world.home, "/home/you"], [world.root, "/home/you"]];
    const pages = { tasks: "/tasks", task: `/tasks/${edited}`, changes: `/tasks/${edited}/changes`, usage: "/usage", check: "/check" };
    for (const colorScheme of ["light", "dark"]) {
      for (const [screen, settings] of Object.entries(SCREENS)) {
        // Without our script, no update brings back the directories of the test.
        const context = await browser.newContext({ ...settings, colorScheme, reducedMotion: "reduce", javaScriptEnabled: false });
        await context.addCookies(cookies);
        const shown = await context.newPage();
        const debuggerOf = await context.newCDPSession(shown);
        for (const [name, address] of Object.entries(pages)) {
          await shown.goto(server.origin + address);
          await shown.evaluate(replaceText, names);
          if (name === "changes") await shown.locator("#tab-heading").evaluate((heading) => heading.scrollIntoView());
          await shown.waitForTimeout(300);
          const { data } = await debuggerOf.send("Page.captureScreenshot", { format: "webp", quality: 80 });
          const file = path.join(options.screenshots, `web-${name}-${screen}-${colorScheme}.webp`);
          fs.writeFileSync(file, Buffer.from(data, "base64"));
          check(`${path.basename(file)}: ${fs.statSync(file).size} bytes`, fs.statSync(file).size > 0);
        }
        await context.close();
      }
    }
  } finally {
    await world.close();
  }
}
