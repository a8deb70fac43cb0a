//! Outside text within our Markdown: complete inside a fence, or escaped on one line.

use super::markdown::{self, longest_run};
use crate::{
    task::{GitPath, Untrusted},
    visible::{Escape, is_invisible, is_terminal_control, visible},
};

/// Text that may come from outside and contain anything.
pub(crate) trait OutsideText {
    /// The text, not escaped.
    fn text(&self) -> &str;
}

impl OutsideText for str {
    fn text(&self) -> &str {
        self
    }
}

impl OutsideText for String {
    fn text(&self) -> &str {
        self
    }
}

impl OutsideText for Untrusted {
    fn text(&self) -> &str {
        self.raw()
    }
}

/// `text` on one line of at most `max` characters. Control and invisible characters are shown as escapes, but nothing
/// is escaped for Markdown yet.
pub(crate) fn one_line(text: &(impl OutsideText + ?Sized), max: usize) -> String {
    let text = text.text();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let space = (length > 0).then_some(' ');
        for letter in space.into_iter().chain(word.chars()) {
            let is_shown = !is_terminal_control(letter) && !is_invisible(letter);
            let shown = if is_shown { letter.to_string() } else { Escape(letter).to_string() };
            for letter in shown.chars() {
                if length == max {
                    line.pop();
                    line.push('…');
                    return line;
                }
                line.push(letter);
                length += 1;
            }
        }
    }
    line
}

/// A path of a repository on one line. Everything that is not a visible character is shown as an escape, and spaces are
/// kept, so that different paths look different.
pub(crate) fn path_line(path: &GitPath) -> String {
    let mut line = String::new();
    for chunk in path.as_bytes().utf8_chunks() {
        for letter in chunk.valid().chars() {
            let is_shown = !letter.is_control() && !is_terminal_control(letter) && !is_invisible(letter);
            line.push_str(&if is_shown { letter.to_string() } else { Escape(letter).to_string() });
        }
        line.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    line
}

/// `text` as a table cell, with at most `max` characters before escaping.
pub(super) fn cell(text: &(impl OutsideText + ?Sized), max: usize) -> String {
    markdown::cell(&one_line(text, max))
}

/// `text` inside a fence that no run of backticks in it can close. Only control characters are changed, to escapes.
pub(crate) fn fenced(text: &(impl OutsideText + ?Sized)) -> String {
    let text = &*visible(text.text());
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let line_end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}\n{text}{line_end}{fence}")
}

/// Upper bound on the length of [`fenced`] `text`, in characters.
pub(super) fn fenced_length(text: &str) -> usize {
    visible(text).chars().count() + fence_length(text)
}

/// Length of the fence around `text`, in characters.
pub(super) fn fence_length(text: &str) -> usize {
    2 * (longest_run(text).max(2) + 1) + 2
}

/// The first `max` characters of `text`.
pub(super) fn head(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

/// The last `max` characters of `text`.
pub(super) fn tail(text: &str, max: usize) -> &str {
    let Some(last) = max.checked_sub(1) else { return "" };
    text.char_indices().rev().nth(last).map_or(text, |(start, _)| &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_longer_than_any_run_of_backticks_in_it() {
        assert_eq!(fenced("plain\n"), "```\nplain\n```");
        assert_eq!(fenced("a `b` c"), "```\na `b` c\n```");
        assert_eq!(fenced("````rust\nx\n````"), "`````\n````rust\nx\n````\n`````");
        assert_eq!(fenced(""), "```\n```");
        assert_eq!(fenced("a\u{1b}[1m\r\u{202e}👩\u{200d}🔧\r\n"), "```\na\\x1b[1m\\r\\u{202e}👩\u{200d}🔧\r\n```");
    }

    #[test]
    fn one_line_collapses_whitespace_and_marks_truncation() {
        assert_eq!(one_line(" a\r\n\tb\u{1b}[0m  c ", 20), "a b\\x1b[0m c");
        assert_eq!(one_line("a\u{200b}b\u{2028}c\u{85}d\u{202e}", 40), "a\\u{200b}b c d\\u{202e}");
        assert_eq!(one_line("a\u{200b}b", 4), "a\\u…");
        assert_eq!(one_line("abc def", 7), "abc def");
        assert_eq!(one_line("abc defg", 7), "abc de…");
        assert_eq!(one_line("äöüß", 3), "äö…");
        assert_eq!(one_line("abc", 0), "…");
    }

    #[test]
    fn a_path_shows_every_byte_that_is_not_a_visible_character() {
        let shown = |bytes: &[u8]| path_line(&GitPath::from_bytes(bytes));
        assert_eq!(shown(b"src/a  b.rs"), "src/a  b.rs");
        assert_eq!(shown(b"a\n\t\x1b[2J\xff\xe2\x80\xae\xe2\x80\x8b"), "a\\x0a\\x09\\x1b[2J\\xff\\u{202e}\\u{200b}");
        assert_ne!(shown(b"a "), shown(b"a"));
    }

    #[test]
    fn a_cell_cannot_leave_its_table() {
        assert_eq!(cell("a|b\nc `d` \\|", 80), "a\\|b c \\`d\\` \\\\\\|");
        assert_eq!(cell(&"|".repeat(200), 80).chars().count(), 159);
    }

    #[test]
    fn heads_and_tails_are_cut_between_characters() {
        assert_eq!((head("äöü", 2), head("äöü", 9), head("äöü", 0)), ("äö", "äöü", ""));
        assert_eq!((tail("äöü", 2), tail("äöü", 9), tail("äöü", 0)), ("öü", "äöü", ""));
    }
}
