//! The optional tools as a model sees them.

use serde_json::{Value, json};

use super::{Defaults, ToolText};

/// `codex_wait`.
pub(crate) fn wait() -> ToolText {
    let description = "Wait until background tasks have finished, and return a short summary of each. Waits for all of them, or with \
             `until: any` for the first. If the wait ends early, the tasks keep running.";
    let properties = json!({
        "taskIds": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "maxItems": 50,
            "description": "The task IDs."
        },
        "until": {
            "type": "string",
            "enum": ["all", "any"],
            "default": "all",
            "description": "all: wait until every task has finished. any: wait until one has finished."
        },
        "timeoutMs": {
            "type": "number",
            "minimum": 0,
            "default": 0,
            "description": "Stop waiting after this many milliseconds. 0 = no limit."
        }
    });
    ToolText::new("codex_wait", "Wait for tasks", description, schema(properties, json!(["taskIds"])))
}

/// `codex_result`.
pub(crate) fn result() -> ToolText {
    let description = "Read a long result in full, piece by piece. codex_agent and codex_status shorten long results in the middle. \
             Each answer says where the next piece begins.";
    let properties = json!({
        "taskId": string("The task ID: eight hex digits, such as 1a2b3c4d."),
        "offset": {"type": "number", "minimum": 0, "default": 0, "description": "The first byte to read."},
        "length": {
            "type": "number",
            "minimum": 1,
            "default": 40_000,
            "description": "Maximum number of bytes to read, up to 200000."
        }
    });
    ToolText::new("codex_result", "Task result", description, schema(properties, json!(["taskId"])))
}

/// `codex_sessions`.
pub(crate) fn sessions() -> ToolText {
    let description = "List finished tasks that can be resumed with codex_resume, newest first: ID, agent session, backend, status, time \
             since it finished, directory, and the beginning of the task's text.";
    let properties = json!({
        "limit": {"type": "number", "minimum": 1, "default": 20, "description": "Maximum number of tasks to list."}
    });
    ToolText::new("codex_sessions", "Agent sessions", description, schema(properties, json!([])))
}

/// `codex_resume`.
pub(crate) fn resume(defaults: Defaults) -> ToolText {
    let description = "Continue the session of a finished task: the agent remembers what was said and done in it, and receives `task` \
             as the next message. Use it to answer an agent's question, to ask for a correction, or to continue after a \
             failure. It runs in the sandbox of that task unless you pass another. Otherwise like codex_agent.";
    let properties = json!({
        "taskId": string("The task to resume."),
        "sessionId": string("Instead of `taskId`: the agent's own ID for the session."),
        "task": string("The next message to the agent: what it should do now."),
        "workingDirectory": string("The directory to work in, as an absolute path. Omit it to use the directory of the task."),
        "sandbox": defaults.sandbox_with(
            None,
            "The sandbox: what the agent may change, as in codex_agent. Omit it to use the sandbox of the task."
        ),
        "model": string("The agent's model. Omit it to use the agent's own default."),
        "async": {
            "type": "boolean",
            "default": false,
            "description": "true: return at once, and continue in the background. false: wait for the result."
        },
        "timeoutMs": defaults.timeout()
    });
    let required: Vec<_> = defaults.required(&["task"]).into_iter().filter(|name| *name != "sandbox").collect();
    let required = json!(required);
    ToolText::new("codex_resume", "Resume session", description, schema(properties, required))
}

/// `codex_diff`.
pub(crate) fn diff() -> ToolText {
    let description = "Show what a task changed in its repository, as a list of files and a patch. Also works while the task runs. \
             Includes uncommitted and untracked files, but not those that git ignores. A long patch is returned in pieces; \
             each answer says where the next piece begins.";
    let properties = json!({
        "taskId": string("The task ID: eight hex digits, such as 1a2b3c4d."),
        "paths": paths("Show only these files and directories."),
        "filesOnly": {
            "type": "boolean",
            "default": false,
            "description": "true: list the changed files without the patch."
        },
        "offset": {"type": "number", "minimum": 0, "default": 0, "description": "The first byte of the patch to read."},
        "length": {
            "type": "number",
            "minimum": 1,
            "default": 20_000,
            "description": "Maximum number of bytes of the patch to read, up to 30000."
        }
    });
    ToolText::new("codex_diff", "Task changes", description, schema(properties, json!(["taskId"])))
}

/// `codex_undo`.
pub(crate) fn undo() -> ToolText {
    let description = "Revert what a finished task changed in the user's files, and keep what was changed since. Reverts only files that \
             the agent named among its changes; other files that changed while it ran may be the user's. If a file cannot be \
             reverted without losing later changes, nothing is written, and the answer names the file. Commits, the index and \
             branches are not touched. Ask the user before you call it.";
    let properties = json!({
        "taskId": string("The task ID: eight hex digits, such as 1a2b3c4d."),
        "paths": paths("Revert only these files and directories."),
        "all": {
            "type": "boolean",
            "default": false,
            "description": "true: also revert files that the agent did not name."
        },
        "check": check(),
        "redo": {
            "type": "boolean",
            "default": false,
            "description": "true: make the changes again that an earlier undo reverted."
        }
    });
    ToolText::new("codex_undo", "Undo task changes", description, schema(properties, json!(["taskId"])))
}

/// `codex_apply`.
pub(crate) fn apply() -> ToolText {
    let description = "Write the changes of a finished task from its own worktree to the user's files, merged with what was changed there \
             since. If they conflict, nothing is written, and the answer names the files. Commits, the index and existing \
             branches are not touched. Can be reverted with codex_undo.";
    let properties = json!({
        "taskId": string("The task ID: eight hex digits, such as 1a2b3c4d."),
        "paths": paths("Apply only the changes in these files and directories."),
        "check": check(),
        "commit": string("Instead of writing files, create this branch, with one commit that contains the changes.")
    });
    ToolText::new("codex_apply", "Apply task changes", description, schema(properties, json!(["taskId"])))
}

fn paths(description: &str) -> Value {
    let more = "Absolute, or relative to the top of the repository.";
    json!({"type": "array", "items": {"type": "string"}, "maxItems": 100, "description": format!("{description} {more}")})
}

fn check() -> Value {
    json!({
        "type": "boolean",
        "default": false,
        "description": "true: only say which files would be changed, and whether there are conflicts."
    })
}

fn string(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn schema(properties: Value, required: Value) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
