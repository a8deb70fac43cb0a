//! The server's instructions. Models see them from the start, even if the client loads tools on demand.

const BEGINNING: &str = "\
Delegates coding tasks to another coding agent (the OpenAI Codex CLI unless configured otherwise), which works \
independently in a directory that you choose, normally a git repository: it reads and edits files and runs commands there.

Delegate when the user asks for Codex or another agent, for a second opinion or a review by another model, or for a \
self-contained piece of work that can be done in parallel with yours. The agent cannot see this conversation: put \
everything it needs to know into `task`.

- `codex_agent` starts a task. Without `async`, it waits for the result (minutes or hours); use this when you need the \
result next. With `async: true`, it returns at once; use this for long work, or to run several tasks in parallel. The \
answer says how the result reaches you: as a notification, or through a command that waits for it. Do not let two agents \
change the same files.
- `codex_status` with a `taskId` shows what a task is doing, the end of its log, and its result. Do not call it in a \
loop.
- `codex_tasks` lists tasks, including those of earlier conversations and other clients.
- `codex_cancel` stops a running task.";

const END: &str = "\
Keep the task ID from every answer and progress message: if a call is cut off or moved to the background, \
`codex_status` still finds the task and its result.

How to read a result: **Status** is the outcome. `completed successfully` has the agent's final message under Result; \
`failed` has a reason, the agent's own explanation, and often advice; `interrupted` means that the task's server, its \
supervisor or the machine stopped first. A long result is shortened in the middle; the answer names the file that \
contains all of it. The agent may have changed files even if it failed: review them before you build on them.";

/// The instructions of a server that offers these optional tools.
pub(crate) fn instructions(extra: &[&str]) -> String {
    let lines: String = extra.iter().filter_map(|tool| Some(format!("\n- `{tool}` {}", use_of(tool)?))).collect();
    format!("{BEGINNING}{lines}\n\n{END}")
}

/// When to use an optional tool.
fn use_of(tool: &str) -> Option<&'static str> {
    match tool {
        "codex_wait" => Some("waits for background tasks, when you have nothing else to do."),
        "codex_result" => Some("reads a result that was shortened, in pieces."),
        "codex_sessions" => Some("lists finished tasks whose sessions can be resumed."),
        "codex_resume" => Some(
            "continues the session of a finished task: to answer the agent's question, to ask for a correction, or to \
             continue after a failure. Prefer it to a new task that repeats the context.",
        ),
        "codex_diff" => Some("shows what a task changed in its repository."),
        "codex_undo" => Some("reverts what a task changed, and keeps later changes. Ask the user first."),
        "codex_apply" => Some("writes the changes of a task that worked in its own worktree to the user's files."),
        _ => None,
    }
}
