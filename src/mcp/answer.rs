//! What a tool call is answered with.

use rmcp::model::{CallToolResult, ContentBlock};

use crate::{
    present::{Refused, notices::with_notices},
    redact::Redactor,
    task::{Message, TaskId},
};

/// Markdown for a model, and whether the call was refused.
///
/// Text only: Claude Code shows its model nothing else when there is structured content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) verdict: Verdict,
    /// What the caller should know besides.
    pub(super) notices: Vec<Message>,
    /// The task whose handle is the answer, in the place of the text.
    pub(super) handed: Option<TaskId>,
}

/// What became of a call. A task that failed was a call that was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Served,
    Refused,
}

impl Answer {
    /// What was asked for.
    pub(super) fn served(text: String) -> Self {
        Self { text, verdict: Verdict::Served, notices: Vec::new(), handed: None }
    }

    /// The handle of a task.
    pub(super) fn handed(id: TaskId) -> Self {
        Self { handed: Some(id), ..Self::served(String::new()) }
    }

    /// A refusal, or several.
    pub(super) fn refused(refused: &[Refused]) -> Self {
        let text = refused.iter().map(Refused::markdown).collect::<Vec<_>>().join("\n");
        Self { verdict: Verdict::Refused, ..Self::served(text) }
    }

    /// Adds what the caller should know besides.
    #[must_use]
    pub(super) fn with_notices(mut self, notices: Vec<Message>) -> Self {
        self.notices.extend(notices);
        self
    }

    /// Takes the secrets out of the foreign words in the notices. The text was made of values that were redacted before.
    #[must_use]
    pub(super) fn with_redacted_notices(mut self, redactor: &Redactor) -> Self {
        let texts = self.notices.iter_mut().flat_map(Message::untrusted_texts);
        texts.for_each(|text| redactor.redact(text));
        self
    }

    pub(super) fn whole_text(self) -> String {
        with_notices(self.text, &self.notices)
    }
}

impl From<Answer> for CallToolResult {
    fn from(answer: Answer) -> Self {
        let verdict = answer.verdict;
        let content = vec![ContentBlock::text(answer.whole_text())];
        match verdict {
            Verdict::Served => Self::success(content),
            Verdict::Refused => Self::error(content),
        }
    }
}

impl From<Refused> for Answer {
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
        let answer = Answer::from(Refused::from(Refusal::NoSuchTask("0123abcd".into())));
        assert_eq!(answer.verdict, Verdict::Refused);
        assert_eq!(answer.text, "No such task: `0123abcd`\nnext: call `codex_tasks` to list the tasks there are");
    }

    #[test]
    fn notices_are_lines_of_a_list_and_bounded() {
        let answer = Answer::served("text".into());
        assert_eq!(answer.clone().whole_text(), "text");
        let notices = vec!["one\nline".into(), "x".repeat(3_000).into(), "last".into()];
        assert_eq!(answer.with_notices(notices).whole_text(), "text\n\n### Notices\n\n- one line\n- 2 more");
    }
}
