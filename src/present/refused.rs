//! A call that was refused, in words.

use super::{markdown::sentence, text::one_line};
use crate::redact::Redactor;

/// A call that came to nothing: what happened and why, and what to do next. Both may hold foreign words, and each is
/// shown as one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}\nnext: {}", line(problem), line(next))]
pub(crate) struct Refused {
    pub(crate) problem: String,
    pub(crate) next: String,
}

/// The most characters of a problem, and of what to do about it.
const REFUSAL_LINE: usize = 4_000;

impl Refused {
    /// Takes out the secrets that a caller or an agent may have put in, before anything is escaped.
    #[must_use]
    pub(crate) fn redacted(mut self, redactor: &Redactor) -> Self {
        [&mut self.problem, &mut self.next].into_iter().for_each(|text| redactor.redact(text));
        self
    }
}

fn line(text: &str) -> String {
    sentence(&one_line(text, REFUSAL_LINE))
}
