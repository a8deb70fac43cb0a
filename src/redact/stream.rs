//! Secrets in a line that comes in parts, which may be cut within one.

use std::borrow::Cow;

use super::Redactor;

/// Redacts one line after another, each in any number of parts.
#[derive(Debug)]
pub(crate) struct StreamRedactor {
    redactor: Redactor,
    /// The end of the last part, in which a secret may have begun: less than the longest one.
    held: Vec<u8>,
}

impl StreamRedactor {
    /// A stream without any part yet.
    pub(crate) fn new(redactor: Redactor) -> Self {
        Self { redactor, held: Vec::new() }
    }

    /// As much as is certain after this part.
    pub(crate) fn part<'a>(&mut self, part: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(needles) = &self.redactor.needles else { return Cow::Borrowed(part) };
        self.held.extend_from_slice(part);
        let (certain, end) = needles.replaced(&self.held, needles.settled(self.held.len()));
        let certain = certain.into_owned();
        self.held.drain(..end);
        Cow::Owned(certain)
    }

    /// The rest of the line.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.redactor.bytes(&held).into_owned()
    }
}
