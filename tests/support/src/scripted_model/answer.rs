//! One response, as the stream of server-sent events that the Responses API answers with.

use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    conversation::Conversation,
    step::{Step, StreamError, ToolCall, Usage},
};

/// What the body of an HTTP response is made of; an error cuts the connection.
pub(super) type Chunk = Result<Bytes, io::Error>;

/// A response being given.
#[derive(Debug)]
pub(super) struct Answer {
    stream: mpsc::Sender<Chunk>,
    /// Unique among responses; part of every id inside this one.
    id: String,
    model: Value,
    sequence: u64,
    /// The items finished so far.
    output: Vec<Value>,
    usage: Usage,
}

/// The agent closed the connection.
#[derive(Debug)]
pub(super) struct Gone;

/// Whether the stream goes on after a step.
#[derive(Debug, PartialEq, Eq)]
enum Stream {
    Open,
    Ended,
}

/// How long a command runs before Codex answers for it while it goes on. 30,000 ms is the most it takes.
const YIELD_MS: u64 = 30_000;
/// How long older versions, which wait for the end of a command, let it run; their own default is 10 s.
const COMMAND_TIMEOUT_MS: u64 = 600_000;
/// One delta of a long message; agents limit the length of a line.
const DELTA_CHARS: usize = 16_384;

impl Answer {
    /// A response on `stream`, whose `id` no other response has.
    pub(super) fn new(stream: mpsc::Sender<Chunk>, id: String, model: Value) -> Answer {
        Answer { stream, id, model, sequence: 0, output: Vec::new(), usage: Usage::default() }
    }

    /// Plays `steps` to the agent that sent `conversation`.
    pub(super) async fn play(mut self, steps: &[Step], conversation: Conversation<'_>) -> Result<(), Gone> {
        let created = self.response("in_progress");
        self.event("response.created", json!({"response": created})).await?;
        for step in steps {
            if self.step(step, conversation).await? == Stream::Ended {
                return Ok(());
            }
        }
        let completed = self.response("completed");
        self.event("response.completed", json!({"response": completed})).await
    }

    async fn step(&mut self, step: &Step, conversation: Conversation<'_>) -> Result<Stream, Gone> {
        match step {
            Step::Say(text) => self.say(text).await?,
            Step::Think(text) => self.think(text).await?,
            Step::Shell(command) => return self.shell(command, conversation).await,
            Step::Patch(patch) => return self.patch(patch, conversation).await,
            Step::Tool(call) => return self.tool(call, conversation).await,
            Step::Sleep(seconds) => self.pause(Duration::from_secs_f64(seconds.max(0.0))).await?,
            // The limit on a request ends it, if the agent does not.
            Step::Hang => self.pause(Duration::MAX).await?,
            Step::Fail(_) => {}
            Step::Error(error) => return self.fail(error).await,
            Step::Drop => {
                let cut = io::Error::new(io::ErrorKind::ConnectionAborted, "the script cuts the connection");
                self.stream.send(Err(cut)).await.map_err(|_| Gone)?;
                return Ok(Stream::Ended);
            }
            Step::Usage(usage) => self.usage = *usage,
        }
        Ok(Stream::Open)
    }

    async fn say(&mut self, text: &str) -> Result<(), Gone> {
        let id = self.item_id("msg");
        let index = self.output.len();
        let message = |status: &str, content: Value| json!({"type": "message", "id": id, "role": "assistant", "status": status, "content": content});
        let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
        let at = |key: &str, value: Value| {
            let mut fields = json!({"item_id": id, "output_index": index, "content_index": 0});
            fields[key] = value;
            fields
        };
        self.added(&message("in_progress", json!([]))).await?;
        self.event("response.content_part.added", at("part", part(""))).await?;
        for delta in pieces(text) {
            self.event("response.output_text.delta", at("delta", delta.into())).await?;
        }
        self.event("response.output_text.done", at("text", text.into())).await?;
        self.event("response.content_part.done", at("part", part(text))).await?;
        self.done(message("completed", json!([part(text)]))).await
    }

    async fn think(&mut self, text: &str) -> Result<(), Gone> {
        let id = self.item_id("rs");
        let index = self.output.len();
        let reasoning =
            |summary: Value| json!({"type": "reasoning", "id": id, "summary": summary, "encrypted_content": null});
        let part = |text: &str| json!({"type": "summary_text", "text": text});
        let at = |key: &str, value: Value| {
            let mut fields = json!({"item_id": id, "output_index": index, "summary_index": 0});
            fields[key] = value;
            fields
        };
        self.added(&reasoning(json!([]))).await?;
        self.event("response.reasoning_summary_part.added", at("part", part(""))).await?;
        self.event("response.reasoning_summary_text.delta", at("delta", text.into())).await?;
        self.event("response.reasoning_summary_text.done", at("text", text.into())).await?;
        self.done(reasoning(json!([part(text)]))).await
    }

    /// Calls the shell tool under the name, and with the arguments, that this version of the agent offers.
    async fn shell(&mut self, command: &str, conversation: Conversation<'_>) -> Result<Stream, Gone> {
        let offered = |name: &str| conversation.tool_kind(name).is_some();
        if offered("exec_command") {
            self.function_call("exec_command", json!({"cmd": command, "yield_time_ms": YIELD_MS})).await
        } else if offered("shell_command") {
            self.function_call("shell_command", json!({"command": command, "timeout_ms": COMMAND_TIMEOUT_MS})).await
        } else if offered("shell") {
            let argv = ["bash", "-lc", command];
            self.function_call("shell", json!({"command": argv, "timeout_ms": COMMAND_TIMEOUT_MS})).await
        } else {
            let message = format!("the script wants a shell tool, but offered are: {}", conversation.tool_names());
            self.fail(&StreamError { message, code: "invalid_prompt".into() }).await
        }
    }

    /// Calls `apply_patch` as the custom tool or the function that this version offers.
    async fn patch(&mut self, patch: &str, conversation: Conversation<'_>) -> Result<Stream, Gone> {
        match conversation.tool_kind("apply_patch") {
            Some("custom") => {
                let (id, call_id) = (self.item_id("ctc"), self.item_id("call"));
                self.call(json!({"type": "custom_tool_call", "id": id, "call_id": call_id, "name": "apply_patch", "input": patch}))
                    .await
            }
            Some(_) => self.function_call("apply_patch", json!({"input": patch})).await,
            // Codex takes this form out of a shell command too, and older versions know no other.
            None => self.shell(&format!("apply_patch <<'END_OF_PATCH'\n{patch}\nEND_OF_PATCH"), conversation).await,
        }
    }

    /// Calls a tool of an MCP server: Codex offers them in a namespace for each server, older versions under long names.
    async fn tool(&mut self, call: &ToolCall, conversation: Conversation<'_>) -> Result<Stream, Gone> {
        let Some(offered) = conversation.mcp_tool(&call.name) else {
            let message = format!("the script wants {}, but offered are: {}", call.name, conversation.tool_names());
            return self.fail(&StreamError { message, code: "invalid_prompt".into() }).await;
        };
        let (id, call_id) = (self.item_id("fc"), self.item_id("call"));
        let arguments = call.args.to_string();
        let mut item = json!({"type": "function_call", "id": id, "call_id": call_id, "name": offered.name, "arguments": arguments});
        if let Some(namespace) = offered.namespace {
            item["namespace"] = namespace.into();
        }
        self.call(item).await
    }

    async fn function_call(&mut self, name: &str, arguments: Value) -> Result<Stream, Gone> {
        let (id, call_id) = (self.item_id("fc"), self.item_id("call"));
        let arguments = arguments.to_string();
        self.call(json!({"type": "function_call", "id": id, "call_id": call_id, "name": name, "arguments": arguments}))
            .await
    }

    async fn call(&mut self, item: Value) -> Result<Stream, Gone> {
        self.added(&item).await?;
        self.done(item).await?;
        Ok(Stream::Open)
    }

    async fn fail(&mut self, error: &StreamError) -> Result<Stream, Gone> {
        let mut failed = self.response("failed");
        failed["error"] = json!({"code": error.code, "message": error.message});
        self.event("response.failed", json!({"response": failed})).await?;
        Ok(Stream::Ended)
    }

    async fn pause(&mut self, length: Duration) -> Result<(), Gone> {
        tokio::select! {
            () = tokio::time::sleep(length) => Ok(()),
            () = self.stream.closed() => Err(Gone),
        }
    }

    async fn added(&mut self, item: &Value) -> Result<(), Gone> {
        let index = self.output.len();
        self.event("response.output_item.added", json!({"output_index": index, "item": item})).await
    }

    async fn done(&mut self, item: Value) -> Result<(), Gone> {
        let index = self.output.len();
        self.output.push(item.clone());
        self.event("response.output_item.done", json!({"output_index": index, "item": item})).await
    }

    async fn event(&mut self, kind: &str, fields: Value) -> Result<(), Gone> {
        let mut data = json!({"type": kind, "sequence_number": self.sequence});
        self.sequence += 1;
        if let (Some(data), Value::Object(fields)) = (data.as_object_mut(), fields) {
            data.extend(fields);
        }
        let text = format!("event: {kind}\ndata: {data}\n\n");
        self.stream.send(Ok(text.into())).await.map_err(|_| Gone)
    }

    fn item_id(&self, prefix: &str) -> String {
        format!("{prefix}_{}_{}", self.id, self.output.len())
    }

    /// The response object, as events of the beginning and of the end carry it.
    fn response(&self, status: &str) -> Value {
        let usage = match status {
            "in_progress" => Value::Null,
            _ => json!({
                "input_tokens": self.usage.input,
                "input_tokens_details": {"cached_tokens": self.usage.cached},
                "output_tokens": self.usage.output,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": self.usage.input + self.usage.output,
            }),
        };
        json!({
            "id": format!("resp_{}", self.id),
            "object": "response",
            "created_at": SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            "status": status,
            "model": self.model,
            "output": self.output,
            "usage": usage,
        })
    }
}

/// `text` in pieces of at most [`DELTA_CHARS`]; an empty text is one empty piece.
fn pieces(text: &str) -> Vec<String> {
    if text.is_empty() {
        return vec![String::new()];
    }
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(DELTA_CHARS).map(|piece| piece.iter().collect()).collect()
}
