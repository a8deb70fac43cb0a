//! Our own sentences, which may contain untrusted text.

use std::{
    borrow::Cow,
    iter,
    path::{Path, PathBuf},
};

use connector_api::{BackendName, Sandbox};

use super::{TaskId, TaskStatus, Untrusted};

/// One of our own sentences, which may contain untrusted text. The macro `message!` builds it, and `present` prints
/// it.
///
/// Trusted and untrusted text stay separate until then, so that secrets are redacted only in the untrusted parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message(Vec<MessagePart>);

/// A part of a [`Message`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessagePart {
    /// Our own text.
    Trusted(Cow<'static, str>),
    /// Text from outside.
    Untrusted(Untrusted),
    /// A word from outside, printed between backticks and shortened if it is long.
    Quoted(Untrusted),
}

impl Message {
    /// A message that contains no text from outside.
    pub fn trusted(text: impl Into<Cow<'static, str>>) -> Self {
        Self(vec![MessagePart::trusted(text)])
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[MessagePart] {
        &self.0
    }

    /// The texts from outside, so that secrets can be redacted in them.
    pub fn untrusted_texts(&mut self) -> impl Iterator<Item = &mut String> {
        self.0.iter_mut().filter_map(|part| match part {
            MessagePart::Trusted(_) => None,
            MessagePart::Untrusted(text) | MessagePart::Quoted(text) => Some(text.raw_mut()),
        })
    }

    /// The same sentence with its first letter in upper case.
    #[must_use]
    pub fn capitalized(mut self) -> Self {
        let text = match self.0.first_mut() {
            Some(MessagePart::Trusted(text)) => text.to_mut(),
            Some(MessagePart::Untrusted(text)) => text.raw_mut(),
            // The sentence begins with a backtick.
            Some(MessagePart::Quoted(_)) | None => return self,
        };
        let mut letters = text.chars();
        if let Some(letter) = letters.next() {
            *text = letter.to_uppercase().chain(letters).collect();
        }
        self
    }
}

impl MessagePart {
    /// Our own text.
    pub fn trusted(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Trusted(text.into())
    }

    /// A word from outside that is printed between backticks.
    pub fn quoted(word: impl Into<Untrusted>) -> Self {
        Self::Quoted(word.into())
    }
}

impl FromIterator<Message> for Message {
    fn from_iter<I: IntoIterator<Item = Message>>(messages: I) -> Self {
        Self(messages.into_iter().flat_map(|message| message.0).collect())
    }
}

/// Anything that can be a part of a message can become a message. A `String` may contain anything, so it is untrusted.
impl<T: Into<MessagePart>> From<T> for Message {
    fn from(part: T) -> Self {
        Self(iter::once(part.into()).collect())
    }
}

macro_rules! trusted {
    ($($type:ty),+) => {$(
        impl From<$type> for MessagePart {
            fn from(value: $type) -> Self {
                Self::trusted(value.to_string())
            }
        }
    )+};
}

trusted!(&TaskId, TaskStatus, &BackendName, Sandbox, u64, u32, usize);

impl From<&'static str> for MessagePart {
    fn from(text: &'static str) -> Self {
        Self::trusted(text)
    }
}

impl From<Untrusted> for MessagePart {
    fn from(text: Untrusted) -> Self {
        Self::Untrusted(text)
    }
}

impl From<&Untrusted> for MessagePart {
    fn from(text: &Untrusted) -> Self {
        Self::Untrusted(text.clone())
    }
}

impl From<String> for MessagePart {
    fn from(text: String) -> Self {
        Self::Untrusted(text.into())
    }
}

impl From<&Path> for MessagePart {
    fn from(path: &Path) -> Self {
        Self::Untrusted(path.into())
    }
}

impl From<&PathBuf> for MessagePart {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

/// Builds a [`Message`] from its parts. Literals, numbers and our own types are trusted; everything else is untrusted.
macro_rules! message {
    ($($part:expr),* $(,)?) => {
        [$($crate::task::Message::from($part)),*].into_iter().collect::<$crate::task::Message>()
    };
}
pub(crate) use message;

/// For tests that compare the whole text.
#[cfg(test)]
impl Message {
    pub(crate) fn words(&self) -> String {
        let words = self.0.iter().map(|part| match part {
            MessagePart::Trusted(text) => &**text,
            MessagePart::Untrusted(text) | MessagePart::Quoted(text) => text.raw(),
        });
        words.collect()
    }

    pub(crate) fn contains(&self, words: &str) -> bool {
        self.words().contains(words)
    }
}

#[cfg(test)]
impl PartialEq<&str> for Message {
    fn eq(&self, words: &&str) -> bool {
        self.words() == *words
    }
}

#[cfg(test)]
impl PartialEq<String> for Message {
    fn eq(&self, words: &String) -> bool {
        self.words() == *words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_untrusted_text_is_redacted() {
        let mut message = message!["our word ", "word".to_owned(), " ", Path::new("/word"), 7_usize];
        message.untrusted_texts().for_each(|text| *text = text.replace("word", "x"));
        assert_eq!(message, message!["our word ", "x".to_owned(), " ", Path::new("/x"), 7_usize]);
    }

    #[test]
    fn a_message_can_begin_with_trusted_or_untrusted_text() {
        assert_eq!(message!["ärger", "x".to_owned()].capitalized(), message!["Ärger", "x".to_owned()]);
        assert_eq!(message!["it is".to_owned()].capitalized(), message!["It is".to_owned()]);
        assert_eq!(message![].capitalized(), Message::default());
    }
}
