//! The four tools as the client sees them: names, words, schemas. Their parameters are a documented contract, so their
//! schemas are written by hand, and `tools.golden.json` holds the whole list.

use std::sync::Arc;

use connector_api::{BackendName, Sandbox};
use rmcp::model::{MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::icon::icon;
use crate::{config::Config, task::millis_of};

/// What the server tells about itself: shown to the model from the start, even where tools are loaded on demand.
pub(super) const INSTRUCTIONS: &str = "\
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

/// The values that stand in the schemas as defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Defaults {
    sandbox: Sandbox,
    timeout_ms: u64,
}

impl Defaults {
    /// The documented ones.
    pub(super) const DOCUMENTED: Self = Self { sandbox: Sandbox::DangerFullAccess, timeout_ms: 0 };

    /// The sandbox.
    pub(super) fn sandbox(self) -> Sandbox {
        self.sandbox
    }

    /// The time limit in milliseconds.
    pub(super) fn timeout_ms(self) -> u64 {
        self.timeout_ms
    }

    /// The configured ones.
    pub(super) fn of(config: &Config) -> Self {
        Self { sandbox: config.default_sandbox, timeout_ms: config.policy.timeout.map_or(0, millis_of) }
    }
}

/// All tools, always in this order.
pub(super) fn tools(defaults: Defaults) -> Vec<Tool> {
    vec![agent(defaults), status(), tasks(), cancel()]
}

/// The tool of one backend: like `codex_agent`, but for its name and title.
pub(super) fn of_backend(name: String, backend: &BackendName, defaults: Defaults) -> Tool {
    let mut tool = agent(defaults);
    let title = format!("Run {backend}");
    let about = format!("Like codex_agent, but for the backend `{backend}`. {}", tool.description.unwrap_or_default());
    tool.name = name.into();
    tool.description = Some(about.into());
    if let Some(hints) = &mut tool.annotations {
        hints.title = Some(title.clone());
    }
    tool.with_title(title)
}

fn agent(defaults: Defaults) -> Tool {
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
    let hints = ToolAnnotations::with_title("Run a coding agent")
        .read_only(false)
        .destructive(true)
        .idempotent(false)
        .open_world(true);
    tool("codex_agent", description, schema, hints)
}

fn status() -> Tool {
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
    let hints = ToolAnnotations::with_title("Show a task").read_only(true).idempotent(true).open_world(false);
    tool("codex_status", description, schema, hints)
}

fn tasks() -> Tool {
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
    let hints = ToolAnnotations::with_title("List tasks").read_only(true).idempotent(true).open_world(false);
    tool("codex_tasks", description, schema, hints)
}

fn cancel() -> Tool {
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
    let hints = ToolAnnotations::with_title("Stop a task")
        .read_only(false)
        .destructive(true)
        .idempotent(true)
        .open_world(false);
    tool("codex_cancel", description, schema, hints)
}

fn tool(name: &'static str, description: &'static str, schema: Value, hints: ToolAnnotations) -> Tool {
    tool_with(name, description, schema, hints, json!({}))
}

/// A tool, with more for Claude Code than every tool has.
pub(super) fn tool_with(
    name: &'static str,
    description: &'static str,
    schema: Value,
    hints: ToolAnnotations,
    more: Value,
) -> Tool {
    let title = hints.title.clone().expect("every tool has a title");
    // Claude Code 2.1.330 loads other tools only when its model searches for them.
    let mut meta = object(json!({"anthropic/alwaysLoad": true}));
    meta.extend(object(more));
    Tool::new_with_raw(name, Some(description.into()), Arc::new(object(schema)))
        .with_title(title)
        .with_annotations(hints)
        .with_icons(vec![icon()])
        .with_meta(MetaObject::from(meta))
}

fn object(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(object) => object,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            unreachable!("it is written as an object above")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mcp/tools.golden.json");

    #[test]
    fn the_tools_are_what_clients_were_promised() {
        let mut now = serde_json::to_string_pretty(&tools(Defaults::DOCUMENTED)).expect("tools are JSON");
        now.push('\n');
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(GOLDEN, &now).expect("the source directory can be written to");
        }
        let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
        assert!(
            now == golden,
            "tools/list has changed. If that is meant, renew {GOLDEN} with\n  \
             UPDATE_GOLDEN=1 cargo test --lib the_tools_are_what_clients_were_promised\nIt is now:\n{now}"
        );
    }

    #[test]
    fn texts_are_shorter_than_clients_cut_them() {
        for tool in tools(Defaults::DOCUMENTED) {
            assert!(tool.description.is_some_and(|text| text.len() < 1_000), "{}", tool.name);
        }
        assert!(INSTRUCTIONS.len() < 2_000, "{}", INSTRUCTIONS.len());
    }

    #[test]
    fn configured_values_are_the_defaults_of_the_schema() {
        let defaults = Defaults { sandbox: Sandbox::ReadOnly, timeout_ms: 60_000 };
        let agent = &tools(defaults)[0].input_schema["properties"];
        assert_eq!(
            (&agent["sandbox"]["default"], &agent["timeoutMs"]["default"]),
            (&json!("read-only"), &json!(60_000))
        );
    }
}
