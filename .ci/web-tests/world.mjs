// A new home directory with projects, tasks in them, and servers of the web UI. Everything it starts ends with `close`.

import { execFile, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { promisify } from "node:util";
import { DEADLINE, eventually } from "./checks.mjs";

const run = promisify(execFile);

export class World {
  /** `codex` is the program of the backends `codex` and `reviewer`. */
  constructor(options, { codex = options.fakeAgent, model = null } = {}) {
    fs.mkdirSync(options.work, { recursive: true });
    this.options = options;
    this.root = fs.mkdtempSync(path.join(options.work, "world-"));
    this.home = path.join(this.root, "home");
    this.data = path.join(this.home, ".codex-connector");
    this.servers = [];
    this.started = [];
    this.environment = { HOME: this.home, PATH: process.env.PATH, LANG: "C.UTF-8" };
    fs.mkdirSync(this.data, { recursive: true });
    const backend = (name) => `[backends.${name}]\nkind = "codex"\nprogram = ${JSON.stringify(codex)}\n`;
    fs.writeFileSync(path.join(this.data, "config.toml"), backend("codex") + backend("reviewer"));
    if (model) {
      const settings = path.join(this.home, ".codex");
      this.environment.CODEX_HOME = settings;
      fs.mkdirSync(settings);
      // Codex offers `apply_patch` to a model that it knows.
      const provider = `[model_providers.mock]\nname = "mock"\nbase_url = "${model}"\nwire_api = "responses"\n`;
      fs.writeFileSync(path.join(settings, "config.toml"), `model = "gpt-5.5"\nmodel_provider = "mock"\n${provider}`);
    }
  }

  /** A new repository with these files, committed. Returns its directory. */
  async project(name, files) {
    const directory = path.join(this.root, name);
    fs.mkdirSync(directory);
    for (const [file, text] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(directory, file)), { recursive: true });
      fs.writeFileSync(path.join(directory, file), text);
    }
    const git = (...args) => run("git", ["-C", directory, ...args], { env: this.environment });
    await git("init", "--quiet", "--initial-branch=main");
    await git("add", "--all");
    await git("-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "-m", "first");
    return directory;
  }

  /** Runs codex-connector. Returns what it printed on stdout. */
  async connector(args, { cwd = this.root, code = 0 } = {}) {
    const ended = await run(this.options.server, args, { cwd, env: this.environment, timeout: DEADLINE, maxBuffer: 1 << 28 }).catch(
      (error) => error,
    );
    if ((ended.code ?? 0) !== code) throw new Error(`FAILED: codex-connector ${args.join(" ")}: ${ended.stdout}${ended.stderr}`);
    return ended.stdout;
  }

  /** Starts a task. Returns its ID. */
  async start(directory, prompt, { backend = "codex", sandbox = "workspace-write" } = {}) {
    const file = path.join(this.root, `prompt-${this.started.length}`);
    fs.writeFileSync(file, prompt);
    const args = ["run", "--detach", "--backend", backend, "--sandbox", sandbox, "-f", file];
    const id = (await this.connector(args, { cwd: directory })).trim();
    this.started.push(id);
    return id;
  }

  /** Starts a task of the fake agent that plays these steps. */
  fake(directory, steps, { words = "", ...options } = {}) {
    return this.start(directory, `${words}FAKE${JSON.stringify(steps)}`, options);
  }

  /** Runs such a task to its end. */
  async finished(directory, steps, options) {
    const id = await this.fake(directory, steps, options);
    await this.ended(id);
    return id;
  }

  /** A path whose appearance an `await_file` step waits for, and a function that creates it. */
  flag(name) {
    const file = path.join(this.root, `flag-${name}`);
    return { file, set: () => fs.writeFileSync(file, "") };
  }

  /** Waits until nothing of a task remains to be done. */
  ended(id) {
    return eventually(`the end of task ${id}`, () => !fs.existsSync(path.join(this.data, "run", id)), () => this.log(id));
  }

  file(id, ending) {
    return path.join(this.data, "logs", `${id}.${ending}`);
  }

  log(id) {
    return fs.readFileSync(this.file(id, "log"), "utf8");
  }

  record(id) {
    return JSON.parse(fs.readFileSync(this.file(id, "debug.json"), "utf8"));
  }

  /** The entries of a task's timeline. */
  timeline(id) {
    const lines = fs.readFileSync(this.file(id, "timeline.jsonl"), "utf8").split("\n").filter(Boolean);
    return lines.map((line) => JSON.parse(line)).filter((entry) => entry.seq !== undefined);
  }

  /** Starts a server of the web UI. */
  async web(...args) {
    const process_ = spawn(this.options.server, ["web", ...args], { cwd: "/", env: this.environment, stdio: ["ignore", "pipe", "pipe"] });
    let errors = "";
    process_.stderr.on("data", (data) => (errors += data));
    this.servers.push(process_);
    const lines = readline.createInterface({ input: process_.stdout });
    const address = await new Promise((done, fail) => {
      lines.once("line", done);
      process_.once("exit", () => fail(new Error(`FAILED: web did not start: ${errors}`)));
    });
    const { origin } = new URL(address);
    return { origin, address, pid: process_.pid, stop: () => stop(process_) };
  }

  /** Ends the servers and the tasks that still run, and removes all files. */
  async close() {
    await Promise.all(this.servers.map(stop));
    const running = this.started.filter((id) => fs.existsSync(path.join(this.data, "run", id)));
    for (const id of running) {
      await this.connector(["cancel", id]).catch(() => {});
      await this.ended(id).catch(() => {});
    }
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

async function stop(process_) {
  if (process_.exitCode !== null || process_.signalCode !== null) return;
  const exited = new Promise((done) => process_.once("exit", done));
  process_.kill("SIGINT");
  const timer = setTimeout(() => process_.kill("SIGKILL"), 5000);
  await exited;
  clearTimeout(timer);
}

/** The number of established connections to a server, from the kernel. */
export function connections(server) {
  const port = Number(new URL(server.origin).port).toString(16).toUpperCase().padStart(4, "0");
  const lines = fs.readFileSync("/proc/net/tcp", "utf8").split("\n").map((line) => line.trim().split(/\s+/));
  return lines.filter((fields) => fields[1]?.endsWith(`:${port}`) && fields[3] === "01").length;
}
