//! Prompts, which clients offer to people as commands: delegate, review, rescue, status.
//!
//! Each is a message to the model that says which tool to call and with what. Words of the person who uses it stand in it as
//! they are: it is that person's message. Words of tasks are quoted, as in every answer.

use super::{outcome::ended, text::one_line};
use crate::task::{ResultText, TaskId, TaskRecord, Untrusted};

/// The names of the prompts and of their arguments, with `true` for those that have to be given.
pub(crate) const PROMPTS: [(&str, &str, &str, &[Argument]); 4] = [
    (
        "delegate",
        "Delegate a task",
        "Hand a piece of work to another coding agent",
        &[
            ("task", "What is to be done", true),
            ("model", "The agent's model", false),
            ("sandbox", "What the agent may touch", false),
            ("background", "yes: go on meanwhile; no: wait for the result", false),
        ],
    ),
    (
        "review",
        "Review changes",
        "Let another agent review changes, read-only",
        &[
            ("base", "The branch to compare with; without one, what is not committed", false),
            ("focus", "What to look at in particular", false),
            ("model", "The agent's model", false),
        ],
    ),
    (
        "rescue",
        "Rescue a failed task",
        "Go on where a task failed, with what is known of it",
        &[("taskId", "The task that failed", true), ("hint", "What to do differently", false)],
    ),
    (
        "status",
        "Look at tasks",
        "Show a task, or what runs",
        &[("taskId", "The task; without one, all that run", false)],
    ),
];

/// Name, description, and whether it has to be given.
pub(crate) type Argument = (&'static str, &'static str, bool);

/// The prompt `delegate`.
pub(crate) fn delegate(task: &str, model: Option<&str>, sandbox: Option<&str>, background: bool) -> String {
    let mut text = format!(
        "Delegate this to the coding agent, with the tool codex_agent:\n\n{task}\n\n\
         Use the current project's directory as `workingDirectory`. Write into `task` all that the agent has to know: it \
         sees nothing of this conversation."
    );
    if let Some(model) = model {
        text.push_str(&format!(" Pass `model`: {model}."));
    }
    if let Some(sandbox) = sandbox {
        text.push_str(&format!(" Pass `sandbox`: {sandbox}."));
    }
    text.push_str(if background {
        " Pass `async`: true, tell me the task id, and go on; look at the result when the task has ended."
    } else {
        " Wait for the result, look at what was changed, and tell me what came of it."
    });
    text
}

/// The prompt `review`.
pub(crate) fn review(base: Option<&str>, focus: Option<&str>, model: Option<&str>) -> String {
    let what = match base {
        Some(base) => format!("the changes of this branch against `{base}` (git diff {base}...HEAD)"),
        None => "the changes that are not committed (git status, git diff HEAD, and new files)".to_owned(),
    };
    let focus = focus.map(|focus| format!(" Look in particular at this: {focus}.")).unwrap_or_default();
    let model = model.map(|model| format!(" and `model`: {model}")).unwrap_or_default();
    format!(
        "Let the coding agent review {what}, with the tool codex_agent and `sandbox`: read-only{model}. Use the current \
         project's directory as `workingDirectory`. Ask it in `task` for mistakes, each with file, line, what is wrong and \
         what would mend it, the worst first, and for nothing else.{focus} When it has answered, check each finding \
         against the code yourself, and tell me which hold."
    )
}

/// The prompt `rescue`, for a task with this record and result.
pub(crate) fn rescue(record: &TaskRecord, result: Option<ResultText>, hint: Option<&str>) -> String {
    let known = ended(record, result);
    let directory = one_line(&Untrusted::from(record.progress.working_directory.as_path()), 500);
    let hint = hint.map(|hint| format!(" Do this differently: {hint}.")).unwrap_or_default();
    format!(
        "A task of the coding agent did not come to a good end. This is known of it:\n\n{known}\n\n\
         Find out why, with the tool codex_status and `taskId` {}, and with what stands in the files. Then start it anew \
         with codex_agent in `workingDirectory` {directory}: write into `task` what was asked, what is done already, what \
         went wrong, and how to get around it.{hint} If it cannot work as things are, such as without a login, tell me what \
         I have to do instead.",
        record.id
    )
}

/// The prompt `status`, of one task or of all that run.
pub(crate) fn status(id: Option<&TaskId>) -> String {
    match id {
        Some(id) => format!("Call the tool codex_status with `taskId` {id}, and tell me in a few words how the task stands."),
        None => "Call the tool codex_tasks with `status`: running, and codex_status for each of them; tell me in a few words \
                 how they stand. If none runs, tell me how the newest ended."
            .to_owned(),
    }
}
