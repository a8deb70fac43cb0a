// Runs the scenarios. `.ci/web` installs what they need, and calls this.

import { parseArgs } from "node:util";
import fs from "node:fs";
import { Browser } from "./browser.mjs";
import { check, numberPassed } from "./checks.mjs";
import { accessibility } from "./scenarios/accessibility.mjs";
import { access } from "./scenarios/access.mjs";
import { actions } from "./scenarios/actions.mjs";
import { badInput } from "./scenarios/bad_input.mjs";
import { filter } from "./scenarios/filter.mjs";
import { hostile } from "./scenarios/hostile.mjs";
import { keyboard } from "./scenarios/keyboard.mjs";
import { live } from "./scenarios/live.mjs";
import { tabs } from "./scenarios/tabs.mjs";
import { withoutJavaScript } from "./scenarios/without_javascript.mjs";
import { screenshots } from "./screenshots.mjs";

const SCENARIOS = {
  live,
  filter,
  actions,
  access,
  tabs,
  hostile,
  "bad-input": badInput,
  "without-javascript": withoutJavaScript,
  keyboard,
  accessibility,
};

const { values } = parseArgs({
  options: {
    packages: { type: "string" },
    browser: { type: "string" },
    server: { type: "string" },
    "fake-agent": { type: "string" },
    codex: { type: "string" },
    work: { type: "string" },
    screenshots: { type: "string" },
    only: { type: "string", multiple: true, default: [] },
  },
});
const options = { ...values, fakeAgent: values["fake-agent"] };

const unknown = options.only.filter((name) => !(name in SCENARIOS));
if (unknown.length > 0) {
  console.error(`unknown scenario ${unknown}; there are: ${Object.keys(SCENARIOS).join(", ")}`);
  process.exit(2);
}
fs.mkdirSync(options.work, { recursive: true });
const chosen = Object.entries(SCENARIOS).filter(([name]) => options.only.length === 0 || options.only.includes(name));
const browser = await Browser.launch(options);
try {
  if (options.screenshots) {
    await screenshots(browser, options);
  } else {
    for (const [name, scenario] of chosen) {
      const began = Date.now();
      console.log(`--- ${name}`);
      await scenario(browser, options);
      console.log(`    ${((Date.now() - began) / 1000).toFixed(1)} s`);
    }
  }
  check("Chromium asked no other host", browser.unexpected.length === 0, browser.unexpected);
} catch (error) {
  console.error(error.message.startsWith("FAILED") ? error.message : `FAILED: ${error.stack}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
if (!process.exitCode) console.log(`web: ${numberPassed()} passed, 0 failed`);
process.exit();
