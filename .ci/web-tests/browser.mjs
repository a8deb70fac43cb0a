// Headless Chromium with a new profile, and pages in it that notice everything that must not happen.

import { createRequire } from "node:module";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { check } from "./checks.mjs";

/** The hosts that Chromium itself asks for updates and the like. Requests of pages to them are noticed elsewhere. */
const VENDOR = /^(https?:\/\/)?[a-z0-9-]+\.(google|googleapis|gvt1)\.com[:/]/;

/** Runs in every page before its own script. */
const WATCH = () => {
  window.executed = [];
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`),
  );
};

export class Browser {
  static async launch(options) {
    const require = createRequire(path.join(options.packages, "package.json"));
    const { chromium } = require("playwright-core");
    const self = new Browser();
    self.axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
    self.unexpected = [];
    // Everything that is not on loopback goes to this proxy, which refuses it. Some of it is from Chromium itself, whatever the
    // page does.
    const refuse = (url) => VENDOR.test(url) || self.unexpected.push(url);
    self.sink = http.createServer((request, response) => {
      refuse(request.url);
      response.writeHead(403).end();
    });
    self.sink.on("connect", (request, socket) => {
      refuse(request.url);
      socket.destroy();
    });
    await new Promise((done) => self.sink.listen(0, "127.0.0.1", done));
    // With a new profile in the temporary directory, which is removed in the end.
    self.browser = await chromium.launch({
      executablePath: options.browser,
      headless: true,
      chromiumSandbox: process.getuid() !== 0,
      proxy: { server: `http://127.0.0.1:${self.sink.address().port}`, bypass: "127.0.0.1" },
      args: ["--disable-dev-shm-usage"],
    });
    return self;
  }

  /** Watches the pages of a context. */
  async prepare(context) {
    context.problems = [];
    context.setDefaultTimeout(60_000);
    const note = (problem) => context.problems.push(problem);
    if (!context.withoutScripts) await context.addInitScript(WATCH);
    context.on("request", (request) => {
      const url = new URL(request.url());
      if (/^(https?|wss?|ftp):$/.test(url.protocol) && url.hostname !== "127.0.0.1") note(`request to ${url}`);
    });
    context.on("dialog", (dialog) => {
      note(`dialog: ${dialog.message()}`);
      dialog.dismiss().catch(() => {});
    });
    context.on("weberror", (error) => note(`error in a script: ${error.error()}`));
    context.on("console", (message) => {
      if (/content.security.policy/i.test(message.text())) note(`blocked by the policy: ${message.text()}`);
    });
  }

  /** A new context: cookies and settings of its own. */
  async newContext(settings = {}) {
    const context = await this.browser.newContext({
      viewport: { width: 1280, height: 900 },
      locale: "en-US",
      timezoneId: "UTC",
      ...settings,
    });
    context.withoutScripts = settings.javaScriptEnabled === false;
    await this.prepare(context);
    return context;
  }

  /** A signed-in page in a new context. `origin` replaces the server's address, for example by that of a proxy. */
  async signIn(server, settings = {}, origin = server.origin) {
    const context = await this.newContext(settings);
    const page = await context.newPage();
    const response = await page.goto(server.address.replace(server.origin, origin));
    check(`the one-time address leads to the list${settings.javaScriptEnabled === false ? ", without JavaScript" : ""}`,
      response.status() === 200 && new URL(page.url()).pathname === "/tasks", `${response.status()} ${page.url()}`);
    return page;
  }

  /** The violations that axe-core finds on a page, in few words. */
  async axeViolations(page) {
    // Through the debugger, to which the page's policy does not apply.
    if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(this.axe);
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    return found.violations.map(({ id, help, nodes }) => ({
      id,
      help,
      nodes: nodes.slice(0, 5).map((node) => `${node.target.join(" ")}: ${node.failureSummary}`.slice(0, 500)),
    }));
  }

  async close() {
    await this.browser.close();
    this.sink.closeAllConnections();
    this.sink.close();
  }
}

/** Checks that nothing was executed, requested elsewhere or blocked in a page and its context. */
export async function isClean(what, page) {
  const inPage = page.context().withoutScripts || page.isClosed()
    ? []
    : await page.evaluate(() => [...(window.executed ?? []), ...(window.violations ?? [])]);
  const problems = [...page.context().problems, ...inPage];
  check(`${what}: no script of the content ran, nothing was blocked, no other host was asked`, problems.length === 0, problems);
}
