//! What a tool call is answered with.

use rmcp::model::{CallToolResult, ContentBlock};

use crate::{
    present::{Refused, one_line, sentence},
    redact::Redactor,
    task::TaskId,
    visible::visible,
};

/// Markdown for a model, and whether the call was refused.
///
/// Text only: Claude Code shows its model nothing else when there is structured content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) verdict: Verdict,
    /// What the caller should know besides.
    pub(super) notices: Vec<String>,
    /// The task whose handle is the answer, in the place of the text.
    pub(super) handed: Option<TaskId>,
}

/// What became of a call. A task that failed was a call that was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Served,
    Refused,
}

/// As much of the notices as is shown, in characters.
const NOTICES_SHOWN: usize = 2_000;

impl Answer {
    /// What was asked for.
    pub(super) fn served(text: String) -> Self {
        Self { text, verdict: Verdict::Served, notices: Vec::new(), handed: None }
    }

    /// The handle of a task.
    pub(super) fn handed(id: TaskId) -> Self {
        Self { handed: Some(id), ..Self::served(String::new()) }
    }

    /// Why it was not done: the whole message, of any number of lines.
    pub(super) fn refused(text: String) -> Self {
        Self { text: visible(&text).into_owned(), verdict: Verdict::Refused, notices: Vec::new(), handed: None }
    }

    /// Adds what the caller should know besides.
    #[must_use]
    pub(super) fn with_notices(mut self, notices: Vec<String>) -> Self {
        self.notices.extend(notices);
        self
    }

    /// Takes the secrets out of the notices. The text was made of values that were redacted before: here it would be too
    /// late.
    #[must_use]
    pub(super) fn with_redacted_notices(mut self, redactor: &Redactor) -> Self {
        self.notices.iter_mut().for_each(|notice| redactor.redact(notice));
        self
    }

    pub(super) fn whole_text(mut self) -> String {
        if self.notices.is_empty() {
            return self.text;
        }
        self.text.push_str("\n\n### Notices\n");
        let mut room = NOTICES_SHOWN;
        for (at, notice) in self.notices.iter().enumerate() {
            let line = one_line(notice, room);
            room = room.saturating_sub(line.chars().count());
            if room == 0 {
                self.text.push_str(&format!("\n- {} more", self.notices.len() - at));
                break;
            }
            self.text.push_str(&format!("\n- {}", sentence(&line)));
        }
        self.text
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
        Self::refused(refused.to_string())
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
        let notices = vec!["one\nline".to_owned(), "x".repeat(3_000), "last".to_owned()];
        assert_eq!(answer.with_notices(notices).whole_text(), "text\n\n### Notices\n\n- one line\n- 2 more");
    }
}
