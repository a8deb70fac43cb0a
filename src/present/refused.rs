//! The type of every error that a user sees: a problem, and the next step.

use super::message::{markdown_line, plain};
use crate::{redact::Redactor, task::Message};

/// A request that was refused or failed: what happened and why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The problem and its reason.
    pub problem: Message,
    /// The next step, if one is known.
    pub next: Option<Message>,
}

impl Refused {
    /// A problem with advice.
    pub(crate) fn new(problem: impl Into<Message>, next: impl Into<Message>) -> Self {
        Self { problem: problem.into(), next: Some(next.into()) }
    }

    /// A problem that has no useful advice.
    pub(crate) fn without_advice(problem: impl Into<Message>) -> Self {
        Self { problem: problem.into(), next: None }
    }

    /// Redacts secrets in the parts that come from outside.
    #[must_use]
    pub(crate) fn redacted(mut self, redactor: &Redactor) -> Self {
        let texts = self.problem.untrusted_texts().chain(self.next.iter_mut().flat_map(Message::untrusted_texts));
        texts.for_each(|text| redactor.redact(text));
        self
    }

    /// The same, beginning with a capital letter: for an answer that contains nothing else.
    #[must_use]
    pub(crate) fn capitalized(self) -> Self {
        Self { problem: self.problem.capitalized(), ..self }
    }

    /// Two lines of Markdown.
    pub(crate) fn markdown(&self) -> String {
        self.joined("\n", markdown_line)
    }

    /// Two lines for a terminal.
    pub(crate) fn plain(&self) -> String {
        self.joined("\n", plain)
    }

    /// One line, for the message of a protocol error.
    pub(crate) fn in_one_line(&self) -> String {
        self.joined("; ", plain)
    }

    fn joined(&self, separator: &str, line: impl Fn(&Message) -> String) -> String {
        let next = self.next.as_ref().map(|next| format!("{separator}next: {}", line(next)));
        line(&self.problem) + &next.unwrap_or_default()
    }
}
