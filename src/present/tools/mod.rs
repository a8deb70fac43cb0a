//! The tools as a model sees them: names, words, schemas. Their parameters are a documented contract, so the schemas are
//! written by hand.

mod extra;

use connector_api::{BackendName, Sandbox};
use serde_json::{Map, Value, json};

pub(crate) use extra::{result, resume, sessions, wait};

/// The server's instructions: shown to the model from the start, even where tools are loaded on demand.
pub(crate) const INSTRUCTIONS: &str = "\
Delegates coding tasks to another coding agent (the OpenAI Codex CLI unless configured otherwise), which works in a git \
repository on its own: it reads and edits files and runs commands there.

Delegate when the user asks for Codex or another agent, for a second opinion or a review by another model, or for a \
self-contained piece of work that can go on beside yours. The agent knows nothing of this conversation: `task` has to \
say everything.

- `codex_agent` starts a task. Without `async` it answers when the agent is done, in minutes or hours: choose that when \
you need the result next. With `async: true` it answers at once with a task id: choose that for long work, or to run \
several tasks side by side; do not let two agents change the same files.
- `codex_status` with a `taskId` shows what a task is doing, the end of its log, and its result. Do not call it in a \
loop: the answer of an async start names a command that waits for the end.
- `codex_tasks` lists tasks, also those of earlier sessions and of other windows.
- `codex_cancel` stops a running task.

Keep the task id of every answer and progress message: if a call is cut off or moved to the background, the task and \
its result are still found by `codex_status`.

How to read a result: **Status** says what became of the task. `completed successfully` has the agent's final message \
under Result; `failed` has a reason, the agent's own words, and often what to do about it; `interrupted` means that the \
session that started it ended. A long result is shown without its middle, and the file that has it whole is named. The \
agent may have changed files, also when it failed: look at them before you build on them.";

/// One tool in words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ToolText {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    /// The JSON schema of the arguments.
    pub(crate) schema: Map<String, Value>,
}

impl ToolText {
    fn new(name: &str, title: &str, description: &str, schema: Value) -> Self {
        let schema = match schema {
            Value::Object(schema) => schema,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                unreachable!("each schema is written as an object")
            }
        };
        Self { name: name.to_owned(), title: title.to_owned(), description: description.to_owned(), schema }
    }
}

/// The values that stand in the schemas as defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) sandbox: Sandbox,
    /// The time limit in milliseconds; 0 is none.
    pub(crate) timeout_ms: u64,
}

impl Defaults {
    /// The documented ones.
    pub(crate) const DOCUMENTED: Self = Self { sandbox: Sandbox::DangerFullAccess, timeout_ms: 0 };
}

/// The four tools, always in this order.
#[cfg(test)]
pub(crate) fn four(defaults: Defaults) -> [ToolText; 4] {
    [agent(defaults), status(), tasks(), cancel()]
}

/// The tool of one backend: like `codex_agent`, but for its name and title.
pub(crate) fn of_backend(name: String, backend: &BackendName, defaults: Defaults) -> ToolText {
    let agent = agent(defaults);
    let description = format!("Like codex_agent, but for the backend `{backend}`. {}", agent.description);
    ToolText { name, title: format!("Run {backend}"), description, schema: agent.schema }
}

/// `codex_agent`.
pub(crate) fn agent(defaults: Defaults) -> ToolText {
    let description = "\
Hand a coding task to another coding agent (by default the OpenAI Codex CLI), which works on its own in \
`workingDirectory`: it reads and edits files and runs commands there, as far as `sandbox` lets it. Returns the agent's \
final message when it is done; that may take minutes, and progress is reported meanwhile. With `async: true` returns at \
once with a task id for codex_status and codex_cancel. The agent sees nothing of this conversation: put the goal, the \
relevant files, constraints, and how to check the work into `task`. A failed task is a normal answer that says why.";
    let schema = json!({
        "type": "object",
        "properties": {
            "task": {
                "type": "string",
                "description": "What the agent is to do, complete in itself: goal, context, constraints, how to check it."
            },
            "workingDirectory": {
                "type": "string",
                "description": "Absolute path of the directory to work in. Must be a git repository."
            },
            "sandbox": {
                "type": "string",
                "enum": Sandbox::ALL.map(Sandbox::as_str),
                "default": defaults.sandbox.as_str(),
                "description": "What the agent may touch. read-only: read files, change nothing. workspace-write: change files in the working directory. danger-full-access: no sandbox at all."
            },
            "model": {
                "type": "string",
                "description": "The agent's model. Leave it out to use the agent's own default."
            },
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
        },
        "required": ["task", "workingDirectory"],
        "additionalProperties": false
    });
    ToolText::new("codex_agent", "Run a coding agent", description, schema)
}

/// `codex_status`.
pub(crate) fn status() -> ToolText {
    let description = "\
Show one task: its status, how long it has run, when the agent last did anything and what, exit code and signal, bytes \
of output, why it failed and what the agent said about it, the last lines of its log, and the result if there is one. \
Works for running and for ended tasks, also those of earlier sessions.";
    let schema = json!({
        "type": "object",
        "properties": {
            "taskId": {"type": "string", "description": "The task's id: eight characters of 0-9 and a-f."},
            "tailLines": {
                "type": "number",
                "minimum": 1,
                "default": 50,
                "description": "How many of the last lines of the log to show."
            }
        },
        "required": ["taskId"],
        "additionalProperties": false
    });
    ToolText::new("codex_status", "Show a task", description, schema)
}

/// `codex_tasks`.
pub(crate) fn tasks() -> ToolText {
    let description = "\
List tasks, newest first: id, status, duration, exit code and the beginning of the task's text. Tasks of earlier \
sessions and of other windows are listed too. Use it to find the id of a task.";
    let schema = json!({
        "type": "object",
        "properties": {
            "status": {
                "type": "string",
                "enum": ["all", "running", "completed", "failed", "interrupted"],
                "default": "all",
                "description": "List only tasks with this status. A cancelled or timed-out task is failed."
            },
            "limit": {
                "type": "number",
                "minimum": 1,
                "default": 20,
                "description": "How many tasks to list at most."
            }
        },
        "additionalProperties": false
    });
    ToolText::new("codex_tasks", "List tasks", description, schema)
}

/// `codex_cancel`.
pub(crate) fn cancel() -> ToolText {
    let description = "\
Stop a running task: the agent and everything it started. What it has changed in files stays. The task ends as failed \
with the reason `Cancelled by user`. For a task that has ended already, nothing is done.";
    let schema = json!({
        "type": "object",
        "properties": {
            "taskId": {"type": "string", "description": "The task's id: eight characters of 0-9 and a-f."}
        },
        "required": ["taskId"],
        "additionalProperties": false
    });
    ToolText::new("codex_cancel", "Stop a task", description, schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_texts_stay_below_the_limits_of_clients() {
        let extra = [wait(), result(), sessions(), resume(Defaults::DOCUMENTED)];
        for tool in four(Defaults::DOCUMENTED).into_iter().chain(extra) {
            assert!(tool.description.len() < 1_000, "{}", tool.name);
        }
        assert!(INSTRUCTIONS.len() < 2_000, "{}", INSTRUCTIONS.len());
    }

    #[test]
    fn configured_values_are_the_defaults_of_the_schema() {
        let agent = agent(Defaults { sandbox: Sandbox::ReadOnly, timeout_ms: 60_000 });
        let properties = &agent.schema["properties"];
        assert_eq!(
            (&properties["sandbox"]["default"], &properties["timeoutMs"]["default"]),
            (&json!("read-only"), &json!(60_000))
        );
    }
}
