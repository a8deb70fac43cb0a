//! Actions: each is the broker's verb of the same name.

use std::path::PathBuf;

use crate::{
    broker::{ApplyRequest, Broker, Cancelled, NewTask, Refusal, TimeLimit, UndoRequest},
    present::{
        Refused,
        web::{Action, answers},
    },
    task::{Message, SubmittedBy, Submitter, TaskId},
};

/// The result of an action.
#[derive(Debug)]
pub(super) struct Done {
    /// The task to show then.
    pub(super) task: TaskId,
    /// Sentences about it, for the next page.
    pub(super) notices: Vec<Message>,
}

/// Why an action was refused.
#[derive(Debug)]
pub(super) enum Undone {
    /// The broker refused it.
    Refused(Refusal),
    /// The form is incomplete.
    Invalid(Refused),
}

impl From<Refusal> for Undone {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Does it. `prompt` is what the agent should do next, for a resumed session.
pub(super) async fn act(broker: &Broker, id: &TaskId, action: Action, prompt: Option<String>) -> Result<Done, Undone> {
    let notices = match action {
        Action::Cancel => match broker.cancel(id).await? {
            Cancelled::Ended(_) => answers::cancelled(id, true),
            Cancelled::Stopping => answers::cancelled(id, false),
            Cancelled::HadEnded(_) => answers::had_ended(id),
        },
        Action::Undo => answers::operated(id, &broker.undo(id, UndoRequest::default()).await?),
        Action::Redo => answers::operated(id, &broker.redo(id, false).await?),
        Action::Apply => answers::operated(id, &broker.apply(id, ApplyRequest::default()).await?),
        Action::Resume => return resume(broker, id, prompt).await,
    };
    Ok(Done { task: id.clone(), notices })
}

/// Continues the session of a task in a new task, in the same directory and sandbox.
async fn resume(broker: &Broker, id: &TaskId, prompt: Option<String>) -> Result<Done, Undone> {
    let Some(prompt) = prompt.filter(|text| !text.trim().is_empty()) else {
        return Err(Undone::Invalid(answers::no_text()));
    };
    let earlier = broker.summary(id).await?.record;
    let resumable = broker.session_of(id).await?;
    let unknown = || Undone::Invalid(crate::present::terminal_refusals::unknown_directory(id));
    let known = resumable.working_directory.filter(|path: &PathBuf| !path.as_os_str().is_empty());
    let task = NewTask {
        // Browsers send forms with CRLF.
        prompt: prompt.replace("\r\n", "\n"),
        working_directory: known.ok_or_else(unknown)?,
        sandbox: earlier.start.sandbox,
        model: None,
        time_limit: TimeLimit::Default,
        backend: resumable.backend,
        resume: Some(resumable.resume),
        worktree: None,
        // It outlives this server, which a person may stop at any time.
        submitter: Submitter { by: Some(SubmittedBy::Detached), session: None },
    };
    let task = broker.submit(task).await?;
    Ok(Done { task, notices: answers::resumed(id) })
}
