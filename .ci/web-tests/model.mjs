// A model for Codex that plays a script, over OpenAI's Responses API on loopback.
//
// A step is {say}, {think}, {shell}, {patch}, or {wait: promise}. A step that calls a tool ends the response; the next steps
// follow when Codex sends the tool's output.

import http from "node:http";

const isCall = (step) => "shell" in step || "patch" in step;

/** Starts the model. Returns the address for Codex, and a function that stops it. */
export async function scriptedModel(steps) {
  const server = http.createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    if (!request.url.endsWith("/responses")) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    await play(stepsFor(steps, JSON.parse(body)), JSON.parse(body), response);
    response.end();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}/v1`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The steps of the next response: those after the calls that Codex has already answered. */
function stepsFor(steps, body) {
  let rest = steps;
  for (const item of body.input ?? []) {
    if (item.type?.endsWith("_call_output")) rest = rest.slice(rest.findIndex(isCall) + 1);
  }
  const call = rest.findIndex(isCall);
  return call < 0 ? rest : rest.slice(0, call + 1);
}

async function play(steps, body, response) {
  const id = `${Date.now()}_${Math.random().toString(36).slice(2)}`;
  const output = [];
  const event = (type, fields) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
  const state = (status) => ({
    id: `resp_${id}`,
    object: "response",
    status,
    model: body.model,
    output,
    usage:
      status === "completed"
        ? {
            input_tokens: 1200,
            input_tokens_details: { cached_tokens: 800 },
            output_tokens: 34,
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: 1234,
          }
        : null,
  });
  const add = (item) => {
    event("response.output_item.added", { output_index: output.length, item });
    event("response.output_item.done", { output_index: output.length, item });
    output.push(item);
  };
  event("response.created", { response: state("in_progress") });
  for (const step of steps) {
    const name = (prefix) => `${prefix}_${id}_${output.length}`;
    if (step.wait) await step.wait;
    if (step.say) {
      const content = [{ type: "output_text", text: step.say, annotations: [] }];
      add({ type: "message", id: name("msg"), role: "assistant", status: "completed", content });
    }
    if (step.think) {
      const summary = [{ type: "summary_text", text: step.think }];
      add({ type: "reasoning", id: name("rs"), summary, encrypted_content: null });
    }
    if (step.shell) add({ ...shell(step.shell, body), id: name("fc"), call_id: name("call") });
    if (step.patch) add({ ...patch(step.patch, body), id: name("ctc"), call_id: name("call") });
  }
  event("response.completed", { response: state("completed") });
}

const offered = (body, name) => body.tools?.find((tool) => tool.name === name);

const call = (name, args) => ({ type: "function_call", name, arguments: JSON.stringify(args) });

/** A call of the shell tool that this version of Codex offers. */
function shell(command, body) {
  if (offered(body, "exec_command")) return call("exec_command", { cmd: command, yield_time_ms: 30_000 });
  if (offered(body, "shell_command")) return call("shell_command", { command, timeout_ms: 600_000 });
  return call("shell", { command: ["bash", "-lc", command], timeout_ms: 600_000 });
}

function patch(text, body) {
  const tool = offered(body, "apply_patch");
  if (tool?.type === "custom") return { type: "custom_tool_call", name: "apply_patch", input: text };
  if (tool) return call("apply_patch", { input: text });
  return shell(`apply_patch <<'END_OF_PATCH'\n${text}\nEND_OF_PATCH`, body);
}
