//! Outside text in pages: on one line or as a block, with control and invisible characters as escapes.
//!
//! Templates escape everything for HTML. This is about characters that HTML shows, but a person cannot see.

use maud::{Markup, html};

use crate::{
    present::text::{OutsideText, one_line, path_line},
    task::{GitPath, Message, MessagePart},
    visible::fully_visible,
};

/// Maximum length of an outside text in one of our sentences, in characters.
const MAX_OUTSIDE_CHARACTERS: usize = 4_000;

/// Maximum length of a text in a block, in characters.
pub(super) const MAX_BLOCK_CHARACTERS: usize = 100_000;

/// A text on one line of at most `max` characters.
pub(super) fn line(text: &(impl OutsideText + ?Sized), max: usize) -> Markup {
    // The direction of the text cannot affect its neighbors.
    html! { bdi { (one_line(text, max)) } }
}

/// A repository for people: the directory that contains it, if it is an ordinary one of git.
pub(super) fn repository(path: &str, max: usize) -> String {
    one_line(path.strip_suffix("/.git").filter(|top| !top.is_empty()).unwrap_or(path), max)
}

/// A path of a repository, with its spaces.
pub(super) fn path(path: &GitPath) -> Markup {
    html! { bdi { (path_line(path)) } }
}

/// A text with its lines. If it has more than [`MAX_BLOCK_CHARACTERS`], the rest is counted.
pub(super) fn block(text: &(impl OutsideText + ?Sized)) -> Markup {
    let text = text.text();
    let end = text.char_indices().nth(MAX_BLOCK_CHARACTERS).map_or(text.len(), |(end, _)| end);
    let more = text[end..].chars().count();
    html! {
        // HTML ignores a line break at the beginning.
        pre dir="auto" tabindex="0" { "\n" (fully_visible(&text[..end]).replace("\r\n", "\n")) }
        @if more > 0 { p.faint { (more) " more characters" } }
    }
}

/// One of our sentences. Text between backticks becomes code.
pub(crate) fn message(message: &Message) -> Markup {
    let mut pieces: Vec<(bool, String)> = vec![(false, String::new())];
    let mut push = |is_code: Option<bool>, text: &str| {
        let (current, last) = pieces.last_mut().expect("there is always one");
        match is_code {
            Some(is_code) if is_code != *current => pieces.push((is_code, text.to_owned())),
            Some(_) | None => last.push_str(text),
        }
    };
    let mut is_code = false;
    for part in message.parts() {
        match part {
            MessagePart::Trusted(text) => {
                for (position, piece) in text.split('`').enumerate() {
                    is_code = is_code != (position > 0);
                    push(Some(is_code), piece);
                }
            }
            MessagePart::Untrusted(text) => push(None, &spaced(text.raw())),
            MessagePart::Quoted(word) => {
                push(Some(true), &one_line(word, MAX_OUTSIDE_CHARACTERS));
                push(Some(is_code), "");
            }
        }
    }
    html! {
        @for (is_code, text) in &pieces {
            @if *is_code { code { bdi { (text) } } } @else if !text.is_empty() { bdi { (text) } }
        }
    }
}

/// An outside text on one line. Whitespace at either end becomes one space.
fn spaced(text: &str) -> String {
    let space = |is_space: bool| if is_space { " " } else { "" };
    let (before, after) = (text.starts_with(char::is_whitespace), text.trim_start().ends_with(char::is_whitespace));
    format!("{}{}{}", space(before), one_line(text, MAX_OUTSIDE_CHARACTERS), space(after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::message;

    #[test]
    fn code_spans_of_our_sentences_become_code_and_outside_text_stays_text() {
        let id = crate::task::TaskId::parse("1a2b3c4d").expect("a valid ID");
        let sentence = message!["run `codex-connector logs ", &id, "`: ", "`<b>x\n\u{202e}".to_owned()];
        assert_eq!(
            super::message(&sentence).into_string(),
            "<bdi>run </bdi><code><bdi>codex-connector logs 1a2b3c4d</bdi></code><bdi>: `&lt;b&gt;x \\u{202e}</bdi>"
        );
        let sentence = message!["no task ", MessagePart::quoted("a`<i>"), " here"];
        let html = super::message(&sentence).into_string();
        assert_eq!(html, "<bdi>no task </bdi><code><bdi>a`&lt;i&gt;</bdi></code><bdi> here</bdi>");
    }

    #[test]
    fn a_long_block_is_cut_and_says_by_how_much() {
        let html = block(&"ä".repeat(MAX_BLOCK_CHARACTERS + 7)).into_string();
        assert!(html.contains("7 more characters") && html.len() < 3 * MAX_BLOCK_CHARACTERS, "{} bytes", html.len());
    }
}
