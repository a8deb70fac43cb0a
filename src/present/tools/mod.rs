//! The tools as a model sees them: names, descriptions, schemas. The parameters are a documented contract, so the
//! schemas are written by hand. Titles are nouns, because Claude Code makes "Coding agent commands" of them.

mod extra;
mod instructions;

use connector_api::{BackendName, Sandbox};
use serde_json::{Map, Value, json};

pub(crate) use extra::{apply, diff, result, resume, sessions, undo, wait};
pub(crate) use instructions::instructions;

/// The texts of one tool.
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

/// The defaults and the limits that the schemas contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) sandbox: Sandbox,
    /// The time limit in milliseconds; 0 means no limit.
    pub(crate) timeout_ms: u64,
    pub(crate) limits: Limits,
}

/// The upper limits that ceilings set for a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) sandbox: Sandbox,
    /// The longest time limit in milliseconds.
    pub(crate) timeout_ms: Option<u64>,
    /// Whether a call without `sandbox` is refused, because the default is above the ceiling.
    pub(crate) needs_sandbox: bool,
    /// Whether a call without `timeoutMs` is refused, because the default is above the ceiling.
    pub(crate) needs_timeout: bool,
}

impl Limits {
    /// No ceiling.
    pub(crate) const NONE: Self =
        Self { sandbox: Sandbox::DangerFullAccess, timeout_ms: None, needs_sandbox: false, needs_timeout: false };
}

impl Defaults {
    /// The documented defaults.
    pub(crate) const DOCUMENTED: Self =
        Self { sandbox: Sandbox::DangerFullAccess, timeout_ms: 0, limits: Limits::NONE };

    /// The schema of the parameter `sandbox`, without the sandboxes above the ceiling.
    fn sandbox(&self, description: &str) -> Value {
        let default = Some(self.sandbox).filter(|_| !self.limits.needs_sandbox);
        self.sandbox_with(default, description)
    }

    /// The same with another default, or without one.
    fn sandbox_with(&self, default: Option<Sandbox>, description: &str) -> Value {
        let allowed = Sandbox::ALL.into_iter().filter(|sandbox| *sandbox <= self.limits.sandbox);
        let mut schema = json!({"type": "string", "enum": allowed.map(Sandbox::as_str).collect::<Vec<_>>()});
        if let Some(default) = default {
            schema["default"] = json!(default.as_str());
        }
        schema["description"] = json!(description);
        schema
    }

    /// The meaning of each sandbox that the ceiling allows.
    fn sandboxes(&self) -> String {
        let meaning = |sandbox| match sandbox {
            Sandbox::ReadOnly => "nothing, it can only read files",
            Sandbox::WorkspaceWrite => "files in the working directory",
            Sandbox::DangerFullAccess => "no sandbox at all",
        };
        let allowed = Sandbox::ALL.into_iter().filter(|sandbox| *sandbox <= self.limits.sandbox);
        allowed.map(|sandbox| format!(" {sandbox}: {}.", meaning(sandbox))).collect()
    }

    /// The schema of the parameter `timeoutMs`.
    fn timeout(&self) -> Value {
        let mut schema = json!({"type": "number", "minimum": 0});
        if !self.limits.needs_timeout {
            schema["default"] = json!(self.timeout_ms);
        }
        let limit = match self.limits.timeout_ms {
            Some(max) => {
                schema["minimum"] = json!(1);
                schema["maximum"] = json!(max);
                format!("At most {max}.")
            }
            None => "0 = no timeout.".to_owned(),
        };
        schema["description"] = json!(format!("Stop the task after this many milliseconds. {limit}"));
        schema
    }

    /// `parameters`, and those that every call must pass because their defaults are above the ceiling.
    fn required<'a>(&self, parameters: &[&'a str]) -> Vec<&'a str> {
        let sandbox = self.limits.needs_sandbox.then_some("sandbox");
        let timeout = self.limits.needs_timeout.then_some("timeoutMs");
        parameters.iter().copied().chain(sandbox).chain(timeout).collect()
    }
}

/// The four tools, always in this order.
#[cfg(test)]
pub(crate) fn four(defaults: Defaults) -> [ToolText; 4] {
    [agent(defaults), status(), tasks(), cancel()]
}

/// The tool of one backend: `codex_agent` with another name and title.
pub(crate) fn of_backend(name: String, backend: &BackendName, defaults: Defaults) -> ToolText {
    let agent = agent(defaults);
    let description = agent_description(&format!("the agent of the backend `{backend}`"));
    ToolText { name, title: format!("Coding agent {backend}"), description, schema: agent.schema }
}

/// `codex_agent`.
pub(crate) fn agent(defaults: Defaults) -> ToolText {
    let description = agent_description("another coding agent (by default the OpenAI Codex CLI)");
    let schema = json!({
        "type": "object",
        "properties": {
            "task": {
                "type": "string",
                "description": "A self-contained description of the work: goal, context, constraints, how to check it."
            },
            "workingDirectory": {
                "type": "string",
                "description": "The directory to work in, as an absolute path. Must be inside a git repository."
            },
            "sandbox": defaults.sandbox(&format!("The sandbox: what the agent may change.{}", defaults.sandboxes())),
            "model": {
                "type": "string",
                "description": "The agent's model. Omit it to use the agent's own default."
            },
            "async": {
                "type": "boolean",
                "default": false,
                "description": "true: return at once, and continue in the background. false: wait for the result."
            },
            "timeoutMs": defaults.timeout()
        },
        "required": defaults.required(&["task", "workingDirectory"]),
        "additionalProperties": false
    });
    ToolText::new("codex_agent", "Coding agent", &description, schema)
}

/// The description of a tool that runs `which` agent.
fn agent_description(which: &str) -> String {
    format!(
        "Delegate a coding task to {which}, which works independently in `workingDirectory`: it reads and edits files and \
         runs commands there, within the limits of `sandbox`. Returns the agent's final message when it is done, which may \
         take minutes; progress is reported meanwhile. With `async: true`, returns at once, and the task \
         continues in the background. The agent cannot see this conversation: put the goal, the relevant files, constraints, and how to \
         check the work into `task`. A failed task is a normal result, not a tool error; the result says why it failed."
    )
}

/// `codex_status`.
pub(crate) fn status() -> ToolText {
    let description = "\
Show one task: its status, duration, last activity, exit code and signal, bytes of output, failure reason and the agent's \
explanation, the last lines of its log, and the result if there is one. Works for running and finished tasks, including \
those of earlier conversations.";
    let schema = json!({
        "type": "object",
        "properties": {
            "taskId": {"type": "string", "description": "The task ID: eight hex digits, such as 1a2b3c4d."},
            "tailLines": {
                "type": "number",
                "minimum": 1,
                "default": 50,
                "description": "Number of lines to show from the end of the log."
            }
        },
        "required": ["taskId"],
        "additionalProperties": false
    });
    ToolText::new("codex_status", "Task status", description, schema)
}

/// `codex_tasks`.
pub(crate) fn tasks() -> ToolText {
    let description = "\
List tasks, newest first: ID, status, duration, exit code and the beginning of the task's text. Includes tasks of earlier \
conversations and other clients. Use it to find a task ID.";
    let schema = json!({
        "type": "object",
        "properties": {
            "status": {
                "type": "string",
                "enum": ["all", "running", "completed", "failed", "interrupted"],
                "default": "all",
                "description": "List only tasks with this status. Cancelled and timed-out tasks count as failed."
            },
            "limit": {
                "type": "number",
                "minimum": 1,
                "default": 20,
                "description": "Maximum number of tasks to list."
            }
        },
        "additionalProperties": false
    });
    ToolText::new("codex_tasks", "Task list", description, schema)
}

/// `codex_cancel`.
pub(crate) fn cancel() -> ToolText {
    let description = "\
Stop a running task: the agent and every process it started. Changes the agent has already made are kept. The task \
ends as failed, with the reason `Cancelled by user`. Does nothing if the task has already finished.";
    let schema = json!({
        "type": "object",
        "properties": {
            "taskId": {"type": "string", "description": "The task ID: eight hex digits, such as 1a2b3c4d."}
        },
        "required": ["taskId"],
        "additionalProperties": false
    });
    ToolText::new("codex_cancel", "Cancel task", description, schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_texts_stay_below_the_limits_of_clients() {
        let extra = [wait(), result(), sessions(), resume(Defaults::DOCUMENTED), diff(), undo(), apply()];
        for tool in four(Defaults::DOCUMENTED).into_iter().chain(extra) {
            assert!(tool.description.len() < 1_000, "{}", tool.name);
        }
        // Claude Code 2.1.197 shows 2,048 characters of the instructions, and 2.1.332 shows 4,096.
        assert!(instructions(&[]).len() < 2_048, "{}", instructions(&[]).len());
        let all =
            ["codex_wait", "codex_result", "codex_sessions", "codex_resume", "codex_diff", "codex_undo", "codex_apply"];
        assert!(instructions(&all).len() < 4_096, "{}", instructions(&all).len());
        assert!(all.iter().all(|tool| instructions(&all).contains(&format!("\n- `{tool}` "))));
    }

    #[test]
    fn the_tool_of_a_backend_names_that_backend_instead_of_codex() {
        let backend = BackendName::new("claude").expect("a valid name");
        let tool = of_backend("claude_agent".to_owned(), &backend, Defaults::DOCUMENTED);
        assert!(tool.description.contains("the backend `claude`") && !tool.description.contains("Codex"), "{tool:?}");
        assert!(tool.description.len() < 1_000, "{tool:?}");
    }

    #[test]
    fn configured_values_are_the_defaults_of_the_schema() {
        let agent = agent(Defaults { sandbox: Sandbox::ReadOnly, timeout_ms: 60_000, limits: Limits::NONE });
        let properties = &agent.schema["properties"];
        assert_eq!(
            (&properties["sandbox"]["default"], &properties["timeoutMs"]["default"]),
            (&json!("read-only"), &json!(60_000))
        );
    }

    #[test]
    fn a_schema_offers_only_the_values_that_the_ceiling_allows() {
        let limits = Limits {
            sandbox: Sandbox::WorkspaceWrite,
            timeout_ms: Some(7_200_000),
            needs_sandbox: true,
            needs_timeout: true,
        };
        for tool in
            [agent(Defaults { limits, ..Defaults::DOCUMENTED }), resume(Defaults { limits, ..Defaults::DOCUMENTED })]
        {
            let (sandbox, timeout) = (&tool.schema["properties"]["sandbox"], &tool.schema["properties"]["timeoutMs"]);
            assert_eq!(sandbox["enum"], json!(["read-only", "workspace-write"]));
            let description = "Stop the task after this many milliseconds. At most 7200000.";
            assert_eq!(
                *timeout,
                json!({"type": "number", "minimum": 1, "maximum": 7_200_000, "description": description})
            );
            assert!(sandbox.get("default").is_none() && !sandbox.to_string().contains("full-access"), "{sandbox}");
            let required = tool.schema["required"].as_array().expect("a list");
            // A resumed session has the sandbox of its task.
            assert_eq!(required.contains(&json!("sandbox")), tool.name != "codex_resume", "{required:?}");
            assert!(required.contains(&json!("timeoutMs")), "{required:?}");
        }
    }
}
