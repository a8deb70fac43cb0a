// Drives codex-connector with the official TypeScript SDK. `.ci/official-clients` runs this file and reads the JSON that it prints.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const { server, environment, call } = JSON.parse(process.argv[2]);
const client = new Client({ name: "typescript", version: "1" });
await client.connect(new StdioClientTransport({ command: server, env: environment }));
const { tools } = await client.listTools();
const progress = [];
// With `resetTimeoutOnProgress`, progress keeps a call alive beyond its timeout.
const options = { onprogress: ({ message }) => progress.push(message), timeout: 2500, resetTimeoutOnProgress: true };
const answer = await client.callTool({ name: "codex_agent", arguments: call }, undefined, options);
const { resources } = await client.listResources();
const { prompts } = await client.listPrompts();
await client.close();
console.log(JSON.stringify({ tools, progress, answer, resources, prompts }));
