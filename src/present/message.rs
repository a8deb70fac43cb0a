//! Messages as single lines of text, in which outside text can neither control a terminal nor pass for our own
//! Markdown.

use super::{markdown, text::one_line};
use crate::task::{Message, MessagePart};

/// Maximum length of a message in an answer, in characters.
const MAX_MESSAGE_CHARACTERS: usize = 4_000;

/// Maximum length of each outside text in a message that is not part of an answer, in characters.
const MAX_OUTSIDE_CHARACTERS: usize = 16_000;

/// Maximum length of a quoted word, in characters.
const MAX_QUOTED_CHARACTERS: usize = 60;

/// The message as a line for a terminal, a log or a protocol: our words unchanged, outside text escaped.
pub(crate) fn plain(message: &Message) -> String {
    let parts = message.parts().iter().map(|part| match part {
        MessagePart::Trusted(text) => text.to_string(),
        MessagePart::Untrusted(text) => outside_text(text.raw()),
        MessagePart::Quoted(word) => quoted(word.raw()),
    });
    parts.collect()
}

/// The message as one line of at most `max` characters, not yet escaped for Markdown.
pub(super) fn line(message: &Message, max: usize) -> String {
    let parts = message.parts().iter().map(|part| match part {
        MessagePart::Trusted(text) => text.to_string(),
        MessagePart::Untrusted(text) => text.raw().to_owned(),
        MessagePart::Quoted(word) => quoted(word.raw()),
    });
    one_line(&parts.collect::<String>(), max)
}

/// The message as a line of Markdown. Code spans in it stay code spans.
pub(super) fn markdown_line(message: &Message) -> String {
    // Escaped as a whole, because the meaning of a character in Markdown depends on its neighbors.
    markdown::sentence(&line(message, MAX_MESSAGE_CHARACTERS))
}

/// An outside text on one line. Whitespace at either end becomes one space.
fn outside_text(text: &str) -> String {
    let space = |is_space: bool| if is_space { " " } else { "" };
    let (before, after) = (text.starts_with(char::is_whitespace), text.trim_start().ends_with(char::is_whitespace));
    format!("{}{}{}", space(before), one_line(text, MAX_OUTSIDE_CHARACTERS), space(after))
}

/// A word from outside as a code span, which nothing in the word can close.
fn quoted(word: &str) -> String {
    format!("`{}`", one_line(word, MAX_QUOTED_CHARACTERS).replace('`', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::message;

    #[test]
    fn outside_text_is_on_one_line_and_our_words_are_unchanged() {
        let message = message!["no task ", MessagePart::quoted("a`b\n\u{1b}c"), ": see ", "x\u{202e}\ny".to_owned()];
        assert_eq!(plain(&message), "no task `a'b \\x1bc`: see x\\u{202e} y");
        assert_eq!(markdown_line(&message), "no task `a'b \\x1bc`: see x\\u{202e} y");
    }

    #[test]
    fn outside_text_is_escaped_where_markdown_would_act_on_it() {
        assert_eq!(markdown_line(&message!["see ", "**x** [y](z)".to_owned()]), "see \\*\\*x\\*\\* [y\\](z)");
        assert_eq!(markdown_line(&message!["# x".to_owned()]), "\\# x");
    }
}
