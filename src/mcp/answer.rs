//! The answer to a tool call.

use rmcp::model::{CallToolResult, ContentBlock};

use crate::{
    present::{Refused, notices::with_notices},
    redact::Redactor,
    task::{Message, TaskId},
};

/// Markdown for a model, and whether the call was refused.
///
/// Always plain text: if an answer has structured content, Claude Code shows its model only that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallAnswer {
    pub(super) text: String,
    pub(super) outcome: CallOutcome,
    /// Problems and limits that the caller should know about.
    pub(super) notices: Vec<Message>,
    /// The task whose handle is the answer, with its first status message, instead of the text.
    pub(super) task_handle: Option<(TaskId, String)>,
}

/// The outcome of a call. If a task fails, the call that started it was still served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallOutcome {
    Served,
    Refused,
}

impl CallAnswer {
    /// The answer of a successful call.
    pub(super) fn served(text: String) -> Self {
        Self { text, outcome: CallOutcome::Served, notices: Vec::new(), task_handle: None }
    }

    /// A task handle as the answer.
    pub(super) fn task_handle(id: TaskId, message: String) -> Self {
        Self { task_handle: Some((id, message)), ..Self::served(String::new()) }
    }

    /// One or more refusals.
    pub(super) fn refused(refused: &[Refused]) -> Self {
        let text = refused.iter().map(Refused::markdown).collect::<Vec<_>>().join("\n");
        Self { outcome: CallOutcome::Refused, ..Self::served(text) }
    }

    /// Adds notices.
    #[must_use]
    pub(super) fn with_notices(mut self, notices: Vec<Message>) -> Self {
        self.notices.extend(notices);
        self
    }

    /// Redacts secrets in the outside text of the notices. The values in the answer itself were redacted before.
    #[must_use]
    pub(super) fn with_redacted_notices(mut self, redactor: &Redactor) -> Self {
        let texts = self.notices.iter_mut().flat_map(Message::untrusted_texts);
        texts.for_each(|text| redactor.redact(text));
        self
    }

    pub(super) fn full_text(self) -> String {
        with_notices(self.text, &self.notices)
    }
}

impl From<CallAnswer> for CallToolResult {
    fn from(answer: CallAnswer) -> Self {
        let outcome = answer.outcome;
        let content = vec![ContentBlock::text(answer.full_text())];
        match outcome {
            CallOutcome::Served => Self::success(content),
            CallOutcome::Refused => Self::error(content),
        }
    }
}

impl From<Refused> for CallAnswer {
    fn from(refused: Refused) -> Self {
        Self::refused(&[refused])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Refusal;

    #[test]
    fn a_refusal_says_what_happened_and_what_to_do() {
        let answer = CallAnswer::from(Refused::from(Refusal::NoSuchTask("0123abcd".into())));
        assert_eq!(answer.outcome, CallOutcome::Refused);
        assert_eq!(answer.text, "No such task: `0123abcd`\nnext: call `codex_tasks` to list tasks");
    }

    #[test]
    fn notices_are_a_bounded_list() {
        let answer = CallAnswer::served("text".into());
        assert_eq!(answer.clone().full_text(), "text");
        let notices = vec!["one\nline".into(), "x".repeat(3_000).into(), "last".into()];
        assert_eq!(answer.with_notices(notices).full_text(), "text\n\n### Notices\n\n- one line\n- 2 more");
    }
}
