//! Breaks lines at the width of a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The line in parts of at most `width` columns, broken after spaces where possible.
pub(super) fn wrapped(line: &str, width: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = line;
    while rest.width() > width {
        let (mut columns, mut end, mut after_space) = (0, 0, None);
        for (at, letter) in rest.char_indices() {
            columns += letter.width().unwrap_or(0);
            if columns > width && at > 0 {
                break;
            }
            end = at + letter.len_utf8();
            if letter == ' ' {
                after_space = Some(end);
            }
        }
        let (part, remaining) = rest.split_at(after_space.unwrap_or(end));
        parts.push(part.trim_end_matches(' '));
        rest = remaining;
    }
    if parts.is_empty() || !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// The columns of text that contains styles.
pub(crate) fn styled_width(text: &str) -> usize {
    let mut columns = 0;
    let mut rest = text;
    while let Some((before, style)) = rest.split_once('\u{1b}') {
        columns += before.width();
        // Our own styles are the only escape sequences, and each ends with an `m`.
        rest = style.split_once('m').map_or("", |(_, after)| after);
    }
    columns + rest.width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_after_spaces_where_possible() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("漢字漢字", 3), ["漢", "字", "漢", "字"]);
        assert_eq!(wrapped("漢", 1), ["漢"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(wrapped("short", usize::MAX), ["short"]);
    }

    #[test]
    fn styles_have_no_width() {
        assert_eq!(styled_width("\u{1b}[1m1a2b\u{1b}[0m ok \u{1b}[38;5;1m漢\u{1b}[0m"), 10);
    }
}
