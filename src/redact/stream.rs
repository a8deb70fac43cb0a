//! Redacts a line that arrives in parts, which may split a secret.

use std::borrow::Cow;

use super::Redactor;

/// Redacts one line after another, each in any number of parts.
#[derive(Debug)]
pub(crate) struct StreamRedactor {
    redactor: Redactor,
    /// The end of the previous part, in which a secret may have begun. Shorter than the longest secret.
    held: Vec<u8>,
}

impl StreamRedactor {
    /// A stream before its first part.
    pub(crate) fn new(redactor: Redactor) -> Self {
        Self { redactor, held: Vec::new() }
    }

    /// Adds a part, and returns the redacted text so far, without a possible beginning of a secret.
    pub(crate) fn part<'a>(&mut self, part: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(needles) = &self.redactor.needles else { return Cow::Borrowed(part) };
        self.held.extend_from_slice(part);
        let (certain, end) = needles.replaced(&self.held, needles.settled(self.held.len()));
        let certain = certain.into_owned();
        self.held.drain(..end);
        Cow::Owned(certain)
    }

    /// Returns the rest of the line.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.redactor.bytes(&held).into_owned()
    }
}
