//! Text of the prompts that clients offer to people as commands: delegate, review, rescue, status.
//!
//! Each prompt is a message to the model that says which tool to call, with which arguments. It contains the person's
//! own words unchanged, because it is that person's message. Text of tasks is escaped, as in every answer.

use super::{Refused, outcome::ended, text::one_line};
use crate::task::{MessagePart, ResultText, TaskId, TaskRecord, TaskStatus, Untrusted, message};

/// The prompts: name, title, description and arguments.
pub(crate) const PROMPTS: [(&str, &str, &str, &[Argument]); 4] = [
    (
        "delegate",
        "Delegate a task",
        "Delegate a task to another coding agent",
        &[
            ("task", "The task to delegate", true),
            ("model", "The agent's model", false),
            ("sandbox", "The sandbox: what the agent may change", false),
            ("background", "yes: continue while it works; no: wait for the result", false),
        ],
    ),
    (
        "review",
        "Review changes",
        "Have another agent review your changes (read-only)",
        &[
            ("base", "The branch to compare with (default: review uncommitted changes)", false),
            ("focus", "Areas that need special attention", false),
            ("model", "The agent's model", false),
        ],
    ),
    (
        "rescue",
        "Rescue a failed task",
        "Retry a failed task using what is known about the failure",
        &[("taskId", "The task that failed", true), ("hint", "A different approach to try", false)],
    ),
    (
        "status",
        "Show task status",
        "Show one task, or all running tasks",
        &[("taskId", "The task (default: all running tasks)", false)],
    ),
];

/// Name, description, and whether it is required.
pub(crate) type Argument = (&'static str, &'static str, bool);

/// The prompt `delegate`.
pub(crate) fn delegate(task: &str, model: Option<&str>, sandbox: Option<&str>, background: bool) -> String {
    let mut text = format!(
        "Delegate this to the coding agent, using the tool codex_agent:\n\n{task}\n\n\
         Use the current project's directory as `workingDirectory`. Put everything the agent needs to know into `task`: it \
         cannot see this conversation."
    );
    if let Some(model) = model {
        text.push_str(&format!(" Pass `model`: {model}."));
    }
    if let Some(sandbox) = sandbox {
        text.push_str(&format!(" Pass `sandbox`: {sandbox}."));
    }
    text.push_str(if background {
        " Pass `async`: true, tell me the task ID, and continue; check the result when the task has finished."
    } else {
        " Wait for the result, review the changes, and tell me the outcome."
    });
    text
}

/// The prompt `review`.
pub(crate) fn review(base: Option<&str>, focus: Option<&str>, model: Option<&str>) -> String {
    let changes = match base {
        Some(base) => format!("the changes on this branch compared with `{base}` (git diff {base}...HEAD)"),
        None => "the uncommitted changes (git status, git diff HEAD, and new files)".to_owned(),
    };
    let focus = focus.map(|focus| format!(" Pay special attention to this: {focus}.")).unwrap_or_default();
    let model = model.map(|model| format!(" and `model`: {model}")).unwrap_or_default();
    format!(
        "Have the coding agent review {changes}, using the tool codex_agent with `sandbox`: read-only{model}. Use the current \
         project's directory as `workingDirectory`. In `task`, ask for bugs only, most serious first, each with file, line, \
         problem and fix.{focus} When it has answered, check each finding against the code yourself, and tell me which ones \
         are real."
    )
}

/// The prompt `rescue` for the task that has this record and result. Fails if the task has not failed.
pub(crate) fn rescue(record: &TaskRecord, result: Option<ResultText>, hint: Option<&str>) -> Result<String, Refused> {
    match record.status() {
        TaskStatus::Failed | TaskStatus::Interrupted => {}
        TaskStatus::Running | TaskStatus::Completed => return Err(not_failed(record)),
    }
    let known = ended(record, result);
    let directory = one_line(&Untrusted::from(record.progress.working_directory.as_path()), 500);
    let hint = hint.map(|hint| format!(" Try a different approach: {hint}.")).unwrap_or_default();
    Ok(format!(
        "A delegated task failed. What we know:\n\n{known}\n\n\
         Find out why: call codex_status with `taskId` {}, and look at the project's files. Then start the task again with \
         codex_agent in `workingDirectory` {directory}. In `task`, describe the original request, what is already done, what \
         went wrong, and how to avoid it.{hint} If it cannot succeed as things are, for example because a login is missing, \
         tell me what I need to do.",
        record.id
    ))
}

fn not_failed(record: &TaskRecord) -> Refused {
    Refused::new(
        message![
            "task ",
            &record.id,
            " has not failed; its status is ",
            MessagePart::trusted(record.status().to_string())
        ],
        "choose a task whose status is failed or interrupted",
    )
}

/// The prompt `status`, for one task or for all running tasks.
pub(crate) fn status(id: Option<&TaskId>) -> String {
    match id {
        Some(id) => format!("Call the tool codex_status with `taskId` {id}, and briefly tell me the task's status."),
        None => "Call the tool codex_tasks with `status`: running, then codex_status for each task, and briefly tell me their \
                 status. If none is running, tell me how the newest task ended."
            .to_owned(),
    }
}
