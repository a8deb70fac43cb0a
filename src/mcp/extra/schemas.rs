//! The tools beyond the four as the client sees them.

use connector_api::Sandbox;
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::json;

use crate::{
    config::ExtraTool,
    mcp::tools::{Defaults, tool_with},
};

/// The most characters of an answer that Claude Code is asked to show whole.
const WHOLE: u32 = 500_000;

/// The name of a tool.
pub(super) fn name(tool: ExtraTool) -> &'static str {
    match tool {
        ExtraTool::Wait => "codex_wait",
        ExtraTool::Result => "codex_result",
        ExtraTool::Sessions => "codex_sessions",
        ExtraTool::Resume => "codex_resume",
    }
}

/// A tool whole.
pub(super) fn tool(tool: ExtraTool, defaults: Defaults) -> Tool {
    let task_id = |about: &str| json!({"type": "string", "description": about});
    let (description, properties, required, hints, meta) = match tool {
        ExtraTool::Wait => (
            "Wait until background tasks have ended, and return a short summary of each. Waits for all of them, or for the \
             first with `until: any`. The tasks go on when the waiting ends early.",
            json!({
                "taskIds": {
                    "type": "array",
                    "items": {"type": "string"},
                    "minItems": 1,
                    "maxItems": 50,
                    "description": "The ids of the tasks."
                },
                "until": {
                    "type": "string",
                    "enum": ["all", "any"],
                    "default": "all",
                    "description": "all: until every task has ended. any: until the first has."
                },
                "timeoutMs": {
                    "type": "number",
                    "minimum": 0,
                    "default": 0,
                    "description": "Wait no longer than this many milliseconds. 0 = as long as it takes."
                }
            }),
            json!(["taskIds"]),
            ToolAnnotations::with_title("Wait for tasks").read_only(true).idempotent(true).open_world(false),
            json!({}),
        ),
        ExtraTool::Result => (
            "Read a long result whole, piece by piece. codex_agent and codex_status show long results without their middle. \
             Each answer says where the next piece begins.",
            json!({
                "taskId": task_id("The task's id: eight characters of 0-9 and a-f."),
                "offset": {"type": "number", "minimum": 0, "default": 0, "description": "The first byte to read."},
                "length": {
                    "type": "number",
                    "minimum": 1,
                    "default": 40_000,
                    "description": "How many bytes to read at most, up to 200000."
                }
            }),
            json!(["taskId"]),
            ToolAnnotations::with_title("Read a result").read_only(true).idempotent(true).open_world(false),
            json!({"anthropic/maxResultSizeChars": WHOLE}),
        ),
        ExtraTool::Sessions => (
            "List ended tasks whose session can be gone on with by codex_resume, newest first: id, session, backend, how it \
             ended, when, and the beginning of the task's text.",
            json!({
                "limit": {"type": "number", "minimum": 1, "default": 20, "description": "How many to list at most."}
            }),
            json!([]),
            ToolAnnotations::with_title("List sessions").read_only(true).idempotent(true).open_world(false),
            json!({}),
        ),
        ExtraTool::Resume => (
            "Go on with the session of an ended task: the agent knows what was said and done in it, and gets `task` as the \
             next message. Use it to answer an agent's question, to ask for a correction, or to go on after a failure. The \
             sandbox is set anew each time. Otherwise like codex_agent.",
            json!({
                "taskId": task_id("The task to go on with."),
                "sessionId": task_id("Instead of `taskId`: the agent's own id for the session."),
                "task": task_id("What the agent is to do next."),
                "workingDirectory": task_id("Absolute path of the directory to work in. Leave it out to work where the task did."),
                "sandbox": {
                    "type": "string",
                    "enum": Sandbox::ALL.map(Sandbox::as_str),
                    "default": defaults.sandbox().as_str(),
                    "description": "What the agent may touch, as in codex_agent. It does not carry over."
                },
                "model": task_id("The agent's model. Leave it out to use the agent's own default."),
                "async": {
                    "type": "boolean",
                    "default": false,
                    "description": "true: return at once with a task id. false: wait for the result."
                },
                "timeoutMs": {
                    "type": "number",
                    "minimum": 0,
                    "default": defaults.timeout_ms(),
                    "description": "Stop the task after this many milliseconds. 0 = no timeout."
                }
            }),
            json!(["task"]),
            ToolAnnotations::with_title("Resume a session")
                .read_only(false)
                .destructive(true)
                .idempotent(false)
                .open_world(true),
            json!({}),
        ),
    };
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false
    });
    tool_with(name(tool), description, schema, hints, meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mcp/extra/extra.golden.json");

    #[test]
    fn the_tools_are_what_clients_were_promised() {
        let all = [ExtraTool::Wait, ExtraTool::Result, ExtraTool::Sessions, ExtraTool::Resume];
        let tools = all.map(|extra| tool(extra, Defaults::DOCUMENTED));
        assert!(tools.iter().all(|tool| tool.description.as_ref().is_some_and(|text| text.len() < 1_000)));
        let mut now = serde_json::to_string_pretty(&tools).expect("tools are JSON");
        now.push('\n');
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(GOLDEN, &now).expect("the source directory can be written to");
        }
        assert!(
            now == std::fs::read_to_string(GOLDEN).unwrap_or_default(),
            "tools have changed: UPDATE_GOLDEN=1\n{now}"
        );
    }
}
