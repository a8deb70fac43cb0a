// Content that wants to be executed, or to look like something else, is displayed.

import path from "node:path";
import { isClean } from "../browser.mjs";
import { check, equal, eventually } from "../checks.mjs";
import { World } from "../world.mjs";

/** Each reports itself when it runs. `AT` is replaced by its place. */
const PAYLOADS = [
  "<script>executed.push('AT script')</script>",
  "<img src=x onerror=\"executed.push('AT image')\">",
  "<svg onload=\"executed.push('AT svg')\"><animate onload=alert(1)></svg>",
  "</pre></code></td></table></main><script>alert('AT')</script>",
  "'\"><details open ontoggle=\"executed.push('AT details')\">",
  "<a href=\"javascript:executed.push('AT link')\">click</a> [click](javascript:alert(1)) javascript:alert(1)",
  "<iframe srcdoc=\"<script>parent.executed.push('AT frame')</script>\"></iframe>",
  "<style>*{display:none}</style><meta http-equiv=refresh content=\"0;url=/logout\"><base href=//evil.example/>",
  "<form action=/logout method=post id=main><input name=csrf></form><link rel=stylesheet href=//evil.example/x.css>",
  "{{constructor.constructor('executed.push(1)')()}} ${executed.push(2)} <%= 1 %> &lt;script&gt;alert(1)&lt;/script&gt; ]]>",
  "data: x\n\nevent: replace\ndata: {\"id\":\"main\",\"html\":\"<script>alert(1)</script>\"}\n\n",
];

/** Terminal escapes, invisible and misleading characters. */
const CONTROLS = "\u001b[31mred\u001b]0;title\u0007 \u202egnp.exe\u202c \u200bzero \u2066isolated\u2069 \u0085next";

const at = (where) => [...PAYLOADS, CONTROLS].join("\n").replaceAll("AT", where);

/** Elements and attributes that only the content could have made. */
const foreign = () => {
  const bad = [];
  const elements = "iframe, object, embed, base, style, img, audio, video, animate, meta[http-equiv]";
  for (const element of document.querySelectorAll(elements)) bad.push(element.outerHTML.slice(0, 200));
  for (const script of document.querySelectorAll("script")) {
    if (!/^\/assets\/app\.js/.test(script.getAttribute("src") ?? "") || script.textContent) bad.push(script.outerHTML);
  }
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      const isAddress = ["href", "src", "action", "formaction", "data-live", "xlink:href"].includes(name);
      if (/^on|^style$|^srcdoc$/i.test(name) || (isAddress && !/^(\/(?!\/)|#)/.test(value))) bad.push(`${element.localName} ${name}=${value}`);
    }
  }
  for (const id of ["main", "connection", "activity", "tasks"]) {
    if (document.querySelectorAll(`#${id}`).length > 1) bad.push(`#${id} is there twice`);
  }
  return bad;
};

/** Characters that must not reach the page as they are. */
const MISLEADING = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/u;

const unfold = (page) => page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));

async function isHarmless(what, page) {
  equal(`${what}: every element and attribute is ours`, await page.evaluate(foreign), []);
  const text = await page.evaluate(() => document.documentElement.textContent + [...document.querySelectorAll("*")].flatMap((element) => [...element.attributes].map(({ value }) => value)).join("\n"));
  const found = text.match(MISLEADING);
  check(`${what}: misleading characters are escaped`, found === null, found && JSON.stringify(text.slice(Math.max(0, found.index - 60), found.index + 60)));
  await isClean(what, page);
}

export async function hostile(browser, options) {
  const world = new World(options);
  try {
    const name = "<img src=x onerror=alert(1)>\u202e.txt";
    const project = await world.project("shop <b onclick=alert(1)>", { [name]: "one\n", "a.txt": "a\n" });
    const go = world.flag("go");
    const steps = [
      { await_file: go.file },
      { say: at("message") },
      { command: { cmd: at("command"), output: at("output"), exit: 1 } },
      { command: { cmd: "printf '<script>'", output: at("output"), exit: 0 } },
      { error: at("error") },
      { stderr: at("stderr").replaceAll("\n", " ") },
      { write: { path: path.join(project, name), text: `${at("file")}\n` } },
      { write: { path: path.join(project, "<script>alert(1)<"), text: at("file") } },
      { raw: JSON.stringify({ type: "item.completed", item: { id: "x", type: "reasoning", text: at("reasoning") } }) },
      { raw: JSON.stringify({ type: "item.completed", item: { id: "y", type: "todo_list", items: [{ text: at("plan"), completed: false }] } }) },
      { say: `the result ${at("result")}` },
      { await_file: world.flag("end").file },
    ];
    const id = await world.fake(project, steps, { words: at("prompt").replaceAll("\u0000", "").replaceAll("[", "(") });
    const server = await world.web("--actions");
    const page = await browser.signIn(server);

    // It arrives while the list and the task are open.
    const list = await page.context().newPage();
    await list.goto(`${server.origin}/tasks`);
    await page.goto(`${server.origin}/tasks/${id}`);
    go.set();
    await page.locator("#activity").getByText("the result", { exact: false }).first().waitFor();
    await unfold(page);
    const activity = await page.textContent("#activity");
    for (const where of ["message", "command", "output", "error", "reasoning", "result"]) {
      check(`hostile text of ${where} is displayed as text`, activity.includes(`<script>executed.push('${where} script')</script>`), activity);
    }
    check("escape sequences are visible", activity.includes("\\x1b[31mred") || activity.includes("\\u{1b}[31mred"), activity);
    check("bidirectional controls are visible", /\\u\{202e\}/i.test(activity), activity);
    await isHarmless("live activity", page);
    await list.locator("#tasks", { hasText: "executed.push" }).waitFor();
    await isHarmless("the live list", list);

    world.flag("end").set();
    await world.ended(id);
    const failed = await world.finished(project, [{ fail: at("failure") }]);
    const paths = ["", "/changes", "/log", "/result", "/details", "/undo", "/redo", "/apply", "/resume"].map((tab) => `/tasks/${id}${tab}`);
    for (const address of [...paths, `/tasks/${failed}`, `/tasks/${failed}/details`, "/tasks", "/usage", "/check"]) {
      await page.goto(server.origin + address);
      await unfold(page);
      await isHarmless(address.replace(id, "ID").replace(failed, "FAILED"), page);
    }
    await page.goto(`${server.origin}/tasks/${id}/changes`);
    const changes = await page.textContent("main");
    check("the diff shows the markup and the file's name", changes.includes("<script>executed.push('file script')") && changes.includes("<img src=x onerror=alert(1)>"), changes);
    const file = await page.locator('a[href*="file="]').first().getAttribute("href");
    equal("the link to a file with such a name works", (await page.goto(server.origin + file)).status(), 200);
    await isHarmless("one file", page);
    for (const query of ["state=<script>", "repo=%3Cscript%3Ealert(1)%3C/script%3E&backend=\"onload=alert(1)", "since=<img src=x onerror=alert(1)>", "page=<script>"]) {
      await page.goto(`${server.origin}/tasks?${query}`);
      await isHarmless(`/tasks?${query}`, page);
    }
    for (const download of ["log.txt", "changes.patch", "result.txt"]) {
      const answer = await page.request.get(`${server.origin}/tasks/${id}/${download}`);
      const headers = answer.headers();
      check(`${download} is plain text that browsers do not reinterpret`, headers["content-type"] === "text/plain; charset=utf-8" && headers["x-content-type-options"] === "nosniff", headers);
    }

    // A result of one megabyte.
    const markup = "<img src=x onerror=alert(1)><script>alert(2)</script>";
    const big = await world.finished(project, [{ say: markup.repeat(Math.ceil(1e6 / markup.length)) + "\u001b[2J the end of the markup" }]);
    for (const tab of ["", "/result"]) {
      await page.goto(`${server.origin}/tasks/${big}${tab}`);
      await isHarmless(`a megabyte of markup, ${tab || "activity"}`, page);
    }
    const shown = await page.textContent("main");
    check("the result is shown to its end, or says how to get the rest", shown.includes("the end of the markup") || (await page.locator('a[href$="result.txt"]').count()) > 0, shown.slice(-500));
    await eventually("no navigation happened", () => page.url() === `${server.origin}/tasks/${big}/result`);
    await page.context().close();
  } finally {
    await world.close();
  }
}
