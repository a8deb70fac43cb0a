//! Foreign text inside our Markdown: in a fence whole, elsewhere as one harmless line.

/// `text` on one line, without control characters, with at most `most` characters.
pub(in crate::mcp) fn one_line(text: &str, most: usize) -> String {
    let is_gap = |letter: char| letter.is_whitespace() || letter.is_control();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(is_gap).filter(|word| !word.is_empty()) {
        let letters = (length > 0).then_some(' ').into_iter().chain(word.chars());
        for letter in letters {
            if length == most {
                line.pop();
                line.push('…');
                return line;
            }
            line.push(letter);
            length += 1;
        }
    }
    line
}

/// `text` as a cell of a table, with at most `most` characters before they are escaped.
pub(super) fn cell(text: &str, most: usize) -> String {
    let mut cell = String::new();
    for letter in one_line(text, most).chars() {
        if matches!(letter, '\\' | '|' | '`') {
            cell.push('\\');
        }
        cell.push(letter);
    }
    cell
}

/// `text`, unchanged, inside a fence that no run of backticks in it can close.
pub(super) fn fenced(text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let line_end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}\n{text}{line_end}{fence}")
}

/// How many characters [`fenced`] adds to `text`, at most.
pub(super) fn fence_length(text: &str) -> usize {
    2 * (longest_run(text).max(2) + 1) + 2
}

/// The first `most` characters of `text`.
pub(super) fn head(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

/// The last `most` characters of `text`.
pub(super) fn tail(text: &str, most: usize) -> &str {
    let Some(last) = most.checked_sub(1) else { return "" };
    text.char_indices().rev().nth(last).map_or(text, |(start, _)| &text[start..])
}

fn longest_run(text: &str) -> usize {
    text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0)
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
    }

    #[test]
    fn one_line_has_no_gaps_but_blanks_and_shows_where_it_was_cut() {
        assert_eq!(one_line(" a\r\n\tb\u{1b}[0m  c ", 20), "a b [0m c");
        assert_eq!(one_line("abc def", 7), "abc def");
        assert_eq!(one_line("abc defg", 7), "abc de…");
        assert_eq!(one_line("äöüß", 3), "äö…");
        assert_eq!(one_line("abc", 0), "…");
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
