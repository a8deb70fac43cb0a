//! Text of the prompts that clients offer to people as commands: delegate, review, rescue, status.
//!
//! Each prompt is a message to the model that says which tool to call, with which arguments. It contains the person's
//! own words unchanged, because it is that person's message. Text of tasks is escaped, as in every answer.

use connector_api::Sandbox;

use super::{Refused, outcome::ended, text::one_line};
use crate::task::{MessagePart, ResultText, TaskId, TaskRecord, TaskStatus, Untrusted, message};

/// The prompts: name, title, description and argument.
///
/// Each has exactly one argument, which holds a whole sentence with options. Clients that split what a person types
/// into arguments, one word each, would spread a sentence over several.
pub(crate) const PROMPTS: [(&str, &str, &str, Argument); 4] = [
    (
        "delegate",
        "Delegate a task",
        "Delegate a task to another coding agent",
        (
            "task",
            "The task. Options: --model MODEL, --sandbox SANDBOX, --background (do not wait for the result)",
            true,
        ),
    ),
    (
        "review",
        "Review changes",
        "Have another agent review your changes (read-only)",
        (
            "focus",
            "Areas that need special attention. Options: --base BRANCH (default: review uncommitted changes), --model MODEL, \
             --background",
            false,
        ),
    ),
    (
        "rescue",
        "Rescue a failed task",
        "Retry a failed task using what is known about the failure",
        (
            "taskId",
            "The task that failed, and optionally a different approach to try. Options: --model MODEL, --sandbox SANDBOX, \
             --background",
            true,
        ),
    ),
    (
        "status",
        "Show task status",
        "Show one task, or all running tasks",
        ("taskId", "The task (default: all running tasks)", false),
    ),
];

/// Name, description, and whether it is required.
pub(crate) type Argument = (&'static str, &'static str, bool);

/// The words after a prompt's name, without their options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sentence {
    /// The text without the options.
    pub(crate) text: String,
    /// The model.
    pub(crate) model: Option<String>,
    /// The sandbox.
    pub(crate) sandbox: Option<Sandbox>,
    /// Whether to continue while the agent works.
    pub(crate) background: bool,
    /// The branch or commit to compare with.
    pub(crate) base: Option<String>,
    /// Whether the client passed a single word, which may be the first of several.
    pub(crate) is_one_word: bool,
}

impl Sentence {
    /// The parameters of `codex_agent` that the options stand for.
    fn parameters(&self) -> String {
        let model = self.model.iter().map(|model| format!(" Pass `model`: {model}."));
        let sandbox = self.sandbox.iter().map(|sandbox| format!(" Pass `sandbox`: {sandbox}."));
        model.chain(sandbox).collect()
    }

    /// The last sentences of a prompt. `then` says what to do with a result that was waited for.
    fn ending(&self, then: &str) -> String {
        let wait = if self.background {
            " Pass `async`: true, tell me the task ID, and continue; check the result when the task has finished."
                .to_owned()
        } else {
            format!(" Wait for the result, {then}")
        };
        wait + if self.is_one_word { FIRST_WORD_ONLY } else { "" }
    }
}

/// Claude Code (2.1.332) passes only the first word of a sentence to a prompt, but shows all of it to the model.
const FIRST_WORD_ONLY: &str = "\n\nIf this message contains <command-args> with more words than the first, they are the complete \
                               request, and replace it above. In them, `--model X`, `--sandbox X`, `--base REF` and `--background` are options: pass the \
                               first two as `model` and `sandbox`, compare with REF, and pass `async`: true for the last. All other words \
                               are the text, unchanged.";

/// The prompt `delegate`.
pub(crate) fn delegate(sentence: &Sentence) -> String {
    format!(
        "Delegate this to the coding agent, using the tool codex_agent:\n\n{}\n\n\
         Use the current project's directory as `workingDirectory`. Put everything the agent needs to know into `task`: it \
         cannot see this conversation.{}{}",
        sentence.text,
        sentence.parameters(),
        sentence.ending("review the changes, and tell me the outcome.")
    )
}

/// The prompt `review`.
pub(crate) fn review(sentence: &Sentence) -> String {
    let changes = match &sentence.base {
        Some(base) => format!("the changes on this branch compared with `{base}` (git diff {base}...HEAD)"),
        None => "the uncommitted changes (git status, git diff HEAD, and new files)".to_owned(),
    };
    let focus = match sentence.text.as_str() {
        "" => String::new(),
        focus => format!(" Pay special attention to this: {focus}."),
    };
    format!(
        "Have the coding agent review {changes}, using the tool codex_agent with `sandbox`: read-only. Use the current \
         project's directory as `workingDirectory`.{} In `task`, ask for bugs only, most serious first, each with file, line, \
         problem and fix.{focus}{}",
        sentence.parameters(),
        sentence.ending("check each finding against the code yourself, and tell me which ones are real.")
    )
}

/// The prompt `rescue` for the task that has this record and result. Fails if the task has not failed.
/// The text of `sentence` is a different approach to try.
pub(crate) fn rescue(record: &TaskRecord, result: Option<ResultText>, sentence: &Sentence) -> Result<String, Refused> {
    match record.status() {
        TaskStatus::Failed | TaskStatus::Interrupted => {}
        TaskStatus::Running | TaskStatus::Completed => return Err(not_failed(record)),
    }
    let known = ended(record, result);
    let directory = one_line(&Untrusted::from(record.progress.working_directory.as_path()), 500);
    let hint = match sentence.text.as_str() {
        "" => String::new(),
        hint => format!(" Try a different approach: {hint}."),
    };
    Ok(format!(
        "A delegated task failed. What we know:\n\n{known}\n\n\
         Find out why: call codex_status with `taskId` {}, and look at the project's files. Then start the task again with \
         codex_agent in `workingDirectory` {directory}. In `task`, describe the original request, what is already done, what \
         went wrong, and how to avoid it.{hint} If it cannot succeed as things are, for example because a login is missing, \
         tell me what I need to do.{}{}",
        record.id,
        sentence.parameters(),
        sentence.ending("review the changes, and tell me the outcome.")
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
