//! The tools beyond the four as a model sees them.

use connector_api::Sandbox;
use serde_json::{Value, json};

use super::{Defaults, ToolText};

/// `codex_wait`.
pub(crate) fn wait() -> ToolText {
    let description = "Wait until background tasks have ended, and return a short summary of each. Waits for all of them, or for the \
             first with `until: any`. The tasks go on when the waiting ends early.";
    let properties = json!({
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
    });
    ToolText::new("codex_wait", "Wait for tasks", description, schema(properties, json!(["taskIds"])))
}

/// `codex_result`.
pub(crate) fn result() -> ToolText {
    let description = "Read a long result whole, piece by piece. codex_agent and codex_status show long results without their middle. \
             Each answer says where the next piece begins.";
    let properties = json!({
        "taskId": string("The task's id: eight characters of 0-9 and a-f."),
        "offset": {"type": "number", "minimum": 0, "default": 0, "description": "The first byte to read."},
        "length": {
            "type": "number",
            "minimum": 1,
            "default": 40_000,
            "description": "How many bytes to read at most, up to 200000."
        }
    });
    ToolText::new("codex_result", "Read a result", description, schema(properties, json!(["taskId"])))
}

/// `codex_sessions`.
pub(crate) fn sessions() -> ToolText {
    let description = "List ended tasks whose session can be gone on with by codex_resume, newest first: id, session, backend, how it \
             ended, when, and the beginning of the task's text.";
    let properties = json!({
        "limit": {"type": "number", "minimum": 1, "default": 20, "description": "How many to list at most."}
    });
    ToolText::new("codex_sessions", "List sessions", description, schema(properties, json!([])))
}

/// `codex_resume`.
pub(crate) fn resume(defaults: Defaults) -> ToolText {
    let description = "Go on with the session of an ended task: the agent knows what was said and done in it, and gets `task` as the \
             next message. Use it to answer an agent's question, to ask for a correction, or to go on after a failure. The \
             sandbox is set anew each time. Otherwise like codex_agent.";
    let properties = json!({
        "taskId": string("The task to go on with."),
        "sessionId": string("Instead of `taskId`: the agent's own id for the session."),
        "task": string("What the agent is to do next."),
        "workingDirectory": string("Absolute path of the directory to work in. Leave it out to work where the task did."),
        "sandbox": {
            "type": "string",
            "enum": Sandbox::ALL.map(Sandbox::as_str),
            "default": defaults.sandbox.as_str(),
            "description": "What the agent may touch, as in codex_agent. It does not carry over."
        },
        "model": string("The agent's model. Leave it out to use the agent's own default."),
        "async": {
            "type": "boolean",
            "default": false,
            "description": "true: return at once with a task id. false: wait for the result."
        },
        "timeoutMs": {
            "type": "number",
            "minimum": 0,
            "default": defaults.timeout_ms,
            "description": "Stop the task after this many milliseconds. 0 = no timeout."
        }
    });
    ToolText::new("codex_resume", "Resume a session", description, schema(properties, json!(["task"])))
}

fn string(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn schema(properties: Value, required: Value) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
