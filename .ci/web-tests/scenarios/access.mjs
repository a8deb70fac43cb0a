// Attacks on the sign-in and by pages of other origins.
//
// Pages of another port of 127.0.0.1 are of the same site, so the browser sends them our cookie: the strongest attacker that
// a browser lets through.

import http from "node:http";
import { isClean } from "../browser.mjs";
import { check, equal } from "../checks.mjs";
import { World } from "../world.mjs";

/** A server of an attacker, with one page. */
async function evil(html) {
  const server = http.createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/html", "set-cookie": "other=1; Path=/" });
    response.end(html);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => (server.closeAllConnections(), server.close()) };
}

export async function access(browser, options) {
  const world = new World(options);
  const servers = [];
  try {
    const project = await world.project("shop", { "a.txt": "a\n" });
    const id = await world.fake(project, [{ say: "a secret of the agent" }, { hang: true }]);
    const [server, other] = [await world.web("--actions"), await world.web("--actions")];
    const page = await browser.signIn(server);
    const context = page.context();

    // A replayed one-time address.
    const replay = await (await browser.newContext()).newPage();
    const replayed = await replay.goto(server.address);
    const why = await replay.textContent("main");
    check("a replayed one-time address is refused", replayed.status() === 403 && why.includes("codex-connector web"), why);
    equal("it sets no cookie", await replay.context().cookies(), []);
    equal("the list stays closed", (await replay.goto(`${server.origin}/tasks`)).status(), 401);
    check("the page shows no task", !(await replay.content()).includes(id));
    equal("nor a stream", (await replay.goto(`${server.origin}/tasks/live`)).status(), 401);

    // The cookie of another server, with its own name and with ours.
    const elsewhere = await browser.signIn(other);
    const [cookie] = await elsewhere.context().cookies();
    const [own] = await context.cookies();
    check("the cookie cannot be read by scripts and is not sent by other sites", own.httpOnly && own.sameSite === "Strict", own);
    equal("a script sees no cookie", await page.evaluate(() => document.cookie), "");
    for (const name of [cookie.name, own.name]) {
      await replay.context().clearCookies();
      await replay.context().addCookies([{ name, value: cookie.value, url: server.origin }]);
      const refused = await replay.goto(`${server.origin}/tasks/${id}`);
      check(`the cookie of another server is refused as ${name === own.name ? "ours" : "its own"}`, refused.status() === 401 && !(await replay.content()).includes("a secret"), refused.status());
    }
    await replay.context().close();

    // Forms, fetches, streams and frames of another origin, in the browser that is signed in.
    await page.goto(`${server.origin}/tasks/${id}/cancel`);
    const csrf = await page.locator("main input[name=csrf]").getAttribute("value");
    const forgery = await evil(`<!doctype html><title>evil</title>
      <form id="form" method="post" action="${server.origin}/tasks/${id}/cancel"><input name="csrf" value="${csrf}"></form>`);
    servers.push(forgery);
    const attacker = await context.newPage();
    await attacker.goto(forgery.origin);
    const [request] = await Promise.all([
      attacker.waitForRequest((request) => request.method() === "POST"),
      attacker.evaluate(() => document.getElementById("form").submit()),
    ]);
    const forged = await request.response();
    await attacker.waitForURL(`${server.origin}/**`);
    check("the forged form has our cookie", ((await request.allHeaders()).cookie ?? "").includes(own.name), await request.allHeaders());
    equal("a form of another origin is refused, even with the right token", forged.status(), 403);
    equal("the task still runs", world.record(id).status, "running");

    await attacker.goto(forgery.origin);
    const results = await attacker.evaluate(
      async ([origin, id, csrf]) => {
        const attempt = (promise) => promise.then((value) => String(value), () => "refused");
        const post = (more) => fetch(`${origin}/tasks/${id}/cancel`, { method: "POST", body: new URLSearchParams({ csrf }), credentials: "include", ...more });
        const stream = new Promise((done, fail) => {
          const source = new EventSource(`${origin}/tasks/${id}/live`, { withCredentials: true });
          source.onopen = () => done("opened");
          source.onerror = () => fail();
        });
        const script = new Promise((done, fail) => {
          const element = document.createElement("script");
          element.src = `${origin}/tasks/${id}/log.txt`;
          element.onload = () => done("loaded");
          element.onerror = () => fail();
          document.head.append(element);
        });
        const image = new Promise((done, fail) => {
          const element = new Image();
          element.src = `${origin}/assets/icon.svg`;
          element.onload = () => done("loaded");
          element.onerror = () => fail();
        });
        return {
          read: await attempt(fetch(`${origin}/tasks/${id}`, { credentials: "include" }).then((answer) => answer.text())),
          post: await attempt(post({}).then((answer) => answer.status)),
          opaque: await attempt(post({ mode: "no-cors" }).then((answer) => answer.type)),
          stream: await attempt(stream),
          script: await attempt(script),
          image: await attempt(image),
        };
      },
      [server.origin, id, csrf],
    );
    const { opaque, ...refused } = results;
    check("another origin can read no page, stream, log or icon", Object.values(refused).every((result) => result === "refused"), results);
    equal("nor cancel with a request whose answer it cannot read", world.record(id).status, "running");

    const framer = await evil(`<!doctype html><title>evil</title><iframe src="${server.origin}/tasks/${id}"></iframe>`);
    servers.push(framer);
    await attacker.goto(framer.origin);
    const framed = await Promise.all(attacker.frames().slice(1).map((frame) => frame.content().catch(() => "")));
    check("another origin cannot show a page in a frame", framed.length > 0 && framed.every((html) => !html.includes("a secret")), framed);
    await attacker.close();

    // A link of another origin may lead here, but signs nobody in.
    equal("the signed-in browser still sees the page", (await page.goto(`${server.origin}/tasks/${id}`)).status(), 200);
    await page.getByRole("button", { name: "Sign out" }).click();
    equal("after signing out, the cookie is gone", (await context.cookies()).filter(({ name }) => name === own.name), []);
    await context.addCookies([own]);
    equal("and no longer valid", (await page.goto(`${server.origin}/tasks`)).status(), 401);
    await elsewhere.context().close();
    await context.close();
  } finally {
    servers.forEach((server) => server.close());
    await world.close();
  }
}
