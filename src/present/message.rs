//! Messages as text: each is one line, in which nothing foreign drives a terminal or passes for Markdown of ours.

use super::{markdown, text::one_line};
use crate::task::{Message, MessagePart};

/// Maximum number of characters of a message in an answer.
const MAX_MESSAGE_CHARACTERS: usize = 4_000;

/// Maximum number of characters of each text from outside, where a message is not part of an answer.
const MAX_FOREIGN_CHARACTERS: usize = 16_000;

/// Maximum number of characters of a quoted word.
const MAX_QUOTED_CHARACTERS: usize = 60;

/// The message as a line for a terminal, a log or a protocol: our words as they are, foreign ones escaped.
pub(crate) fn plain(message: &Message) -> String {
    let parts = message.parts().iter().map(|part| match part {
        MessagePart::Trusted(text) => text.to_string(),
        MessagePart::Untrusted(text) => within(text.raw()),
        MessagePart::Quoted(word) => quoted(word.raw()),
    });
    parts.collect()
}

/// The message as one line of at most `max` characters, not Markdown yet.
pub(super) fn line(message: &Message, max: usize) -> String {
    let parts = message.parts().iter().map(|part| match part {
        MessagePart::Trusted(text) => text.to_string(),
        MessagePart::Untrusted(text) => text.raw().to_owned(),
        MessagePart::Quoted(word) => quoted(word.raw()),
    });
    one_line(&parts.collect::<String>(), max)
}

/// The message as a line of Markdown. Code in it stays code.
pub(super) fn markdown_line(message: &Message) -> String {
    // Escaped as a whole: what Markdown makes of a character depends on its neighbours.
    markdown::sentence(&line(message, MAX_MESSAGE_CHARACTERS))
}

/// A foreign text on one line, with the gaps that set it off from its neighbours.
fn within(text: &str) -> String {
    let gap = |is_gap: bool| if is_gap { " " } else { "" };
    let (before, after) = (text.starts_with(char::is_whitespace), text.trim_start().ends_with(char::is_whitespace));
    format!("{}{}{}", gap(before), one_line(text, MAX_FOREIGN_CHARACTERS), gap(after))
}

/// A foreign word between backticks, none of which it can close.
fn quoted(word: &str) -> String {
    format!("`{}`", one_line(word, MAX_QUOTED_CHARACTERS).replace('`', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::message;

    #[test]
    fn foreign_words_are_on_one_line_and_ours_are_unchanged() {
        let message = message!["no task ", MessagePart::quoted("a`b\n\u{1b}c"), ": see ", "x\u{202e}\ny".to_owned()];
        assert_eq!(plain(&message), "no task `a'b \\x1bc`: see x\\u{202e} y");
        assert_eq!(markdown_line(&message), "no task `a'b \\x1bc`: see x\\u{202e} y");
    }

    #[test]
    fn foreign_words_are_escaped_where_markdown_acts_on_them() {
        assert_eq!(markdown_line(&message!["see ", "**x** [y](z)".to_owned()]), "see \\*\\*x\\*\\* [y\\](z)");
        assert_eq!(markdown_line(&message!["# x".to_owned()]), "\\# x");
    }
}
