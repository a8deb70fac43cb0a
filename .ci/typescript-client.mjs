// The official TypeScript SDK against codex-connector: `.ci/official-clients` says how to call this, and reads the JSON that
// it prints.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const { server, environment, call } = JSON.parse(process.argv[2]);
const client = new Client({ name: "typescript", version: "1" });
await client.connect(new StdioClientTransport({ command: server, env: environment }));
const { tools } = await client.listTools();
const progress = [];
// Progress keeps a call alive beyond the time that it would have in silence.
const options = { onprogress: ({ message }) => progress.push(message), timeout: 2500, resetTimeoutOnProgress: true };
const answer = await client.callTool({ name: "codex_agent", arguments: call }, undefined, options);
const { resources } = await client.listResources();
const { prompts } = await client.listPrompts();
await client.close();
console.log(JSON.stringify({ tools, progress, answer, resources, prompts }));
