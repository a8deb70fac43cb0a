//! Escapes outside text for Markdown, so that it cannot create emphasis, links, code, HTML, headings, lists or table
//! cells.
//!
//! Only characters that Markdown would act on get a backslash; ordinary paths, versions and sentences do not change:
//!
//! | text | in an answer |
//! |---|---|
//! | `/src/my_file-2.rs` | `/src/my_file-2.rs` |
//! | `**Status:** done` | `\*\*Status:\*\* done` |
//! | `[a](b)` | `[a\](b)` |
//!
//! Works on one line at a time; see [`one_line`](super::text::one_line).

/// The position of a line in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MarkdownContext {
    /// After our own text on the same line.
    Value,
    /// In a table cell.
    Cell,
    /// At the beginning of a line. It may be our own sentence with outside text in it, so code spans are kept.
    Sentence,
}

/// `line` as the value of a field.
pub(super) fn value(line: &str) -> String {
    escaped(line, MarkdownContext::Value)
}

/// `line` as the content of a table cell.
pub(super) fn cell(line: &str) -> String {
    escaped(line, MarkdownContext::Cell)
}

/// `line` as a separate line or list item.
pub(crate) fn sentence(line: &str) -> String {
    escaped(line, MarkdownContext::Sentence)
}

/// `line` as a code span; or escaped, if it contains characters that Markdown acts on.
pub(super) fn code(line: &str) -> String {
    let value = value(line);
    if value == line { format!("`{line}`") } else { value }
}

/// The length of the longest run of backticks in `text`.
pub(super) fn longest_run(text: &str) -> usize {
    text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0)
}

fn escaped(line: &str, context: MarkdownContext) -> String {
    let mut text = String::with_capacity(line.len() + 16);
    let (mut before, mut ticks) = (None, 0);
    // The character before the current run of underscores.
    let mut before_run = None;
    let block_marker = if context == MarkdownContext::Sentence { block_marker(line) } else { None };
    for (at, letter) in line.char_indices() {
        let after = &line[at + letter.len_utf8()..];
        if letter == '`' && before != Some('`') {
            ticks = 1 + after.len() - after.trim_start_matches('`').len();
        }
        if letter == ']' && after.starts_with(':') && ends_redaction(&line[..at]) {
            text.push(letter);
            before = Some(letter);
            continue;
        }
        if before != Some('_') {
            before_run = before;
        }
        let before_letter = if letter == '_' { before_run } else { before };
        let is_code = letter == '`' && (context != MarkdownContext::Sentence || ticks >= 3);
        if is_code || block_marker == Some(at) || is_markup(letter, before_letter, after, context) {
            text.push('\\');
        }
        text.push(letter);
        before = Some(letter);
    }
    text
}

/// Whether a `]` after `before` ends a redaction marker within a line. Such a marker needs no escape: `[x]:` defines a
/// link only at the beginning of a line.
fn ends_redaction(before: &str) -> bool {
    before.rfind('[').is_some_and(|start| start > 0 && before[start..].starts_with("[redacted:"))
}

/// Whether Markdown would act on `letter` between `before` and `after`. Not for backticks. For an underscore, `before`
/// is the character before the whole run of underscores.
fn is_markup(letter: char, before: Option<char>, after: &str, context: MarkdownContext) -> bool {
    let next = after.chars().next();
    // Not `is_numeric`: a digit such as `⁴` is not part of a word.
    let in_word =
        |neighbor: Option<char>| neighbor.is_some_and(|letter| letter.is_alphabetic() || letter.is_ascii_digit());
    match letter {
        '*' => true,
        '|' => context == MarkdownContext::Cell,
        '\\' => next.is_none_or(|next| next.is_ascii_punctuation()),
        // A run within a word, as in `CODEX_CONNECTOR_TASKS__KEEP_EVENTS`, never begins or ends emphasis.
        '_' => !(in_word(before) && in_word(after.trim_start_matches('_').chars().next())),
        '~' => before == Some('~') || next == Some('~'),
        '<' => next.is_some_and(|next| next.is_alphabetic() || matches!(next, '/' | '!' | '?')),
        ']' => matches!(next, Some('(' | '[' | ':')),
        '&' => is_entity(after),
        _ => false,
    }
}

/// Whether `&` before `after` would be read as another character.
fn is_entity(after: &str) -> bool {
    let name = after.strip_prefix('#').unwrap_or(after);
    name.find(|letter: char| !letter.is_ascii_alphanumeric()).is_some_and(|end| end > 0 && name[end..].starts_with(';'))
}

/// Position of the character that would make `line` a heading, a quotation, a list item, a rule or a table.
fn block_marker(line: &str) -> Option<usize> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line.as_bytes().get(digits) {
        Some(b'#' | b'>' | b'-' | b'+' | b'=' | b'|') if digits == 0 => Some(0),
        Some(b'.' | b')') if digits > 0 => Some(digits),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_text_is_not_escaped() {
        for text in [
            "/project/src/my_file-2.rs",
            "use CODEX_CONNECTOR_TASKS__DEFAULT_TIMEOUT instead: mcp__codex___x",
            "~/work",
            "codex (0.169.0)",
            "Timeout after 5m 0s (limit: 5m 0s)",
            "Process error: ENOENT (spawn failed)",
            "fix | it: a && b > c, x < 3, arr[0] #12 \\x1b C:\\temp",
            "2024-01-15T10:32:14.800Z (stderr)",
            "⚠ naïve 👩‍🔧",
        ] {
            assert_eq!(value(text), text);
        }
        assert_eq!(
            sentence("call `codex_status`: https://example.com/a_b"),
            "call `codex_status`: https://example.com/a_b"
        );
    }

    #[test]
    fn a_redaction_marker_is_not_escaped_within_a_line() {
        for text in ["/no/such/[redacted:A_KEY]: does not exist", "a [redacted:A_KEY]. b"] {
            assert_eq!((value(text), sentence(text)), (text.to_owned(), text.to_owned()));
        }
        for (text, shown) in [
            ("[redacted:A_KEY]: x", "[redacted:A_KEY\\]: x"),
            ("a [redacted:A_KEY](x)", "a [redacted:A_KEY\\](x)"),
            ("a [redacted:A_KEY] [b]: x", "a [redacted:A_KEY] [b\\]: x"),
        ] {
            assert_eq!(value(text), shown);
        }
    }

    #[test]
    fn markdown_syntax_is_escaped() {
        for (text, shown) in [
            ("**Status:** completed", "\\*\\*Status:\\*\\* completed"),
            ("__init__ a_b 1_2 ⁴_A a__ -__b", "\\_\\_init\\_\\_ a_b 1_2 ⁴\\_A a\\_\\_ -\\_\\_b"),
            ("`x` ```", "\\`x\\` \\`\\`\\`"),
            ("[a](b) ![c](d) [e][f] [g]: h", "[a\\](b) ![c\\](d) [e\\][f] [g\\]: h"),
            ("<b> </b> <!-- <https://x> <é", "\\<b> \\</b> \\<!-- \\<https://x> \\<é"),
            ("&amp; &#42; & b; &;", "\\&amp; \\&#42; & b; &;"),
            ("~~gone~~", "\\~\\~gone\\~\\~"),
            ("\\*\\", "\\\\\\*\\\\"),
        ] {
            assert_eq!(value(text), shown);
        }
    }

    #[test]
    fn a_separate_line_starts_no_markdown_block() {
        for (text, shown) in [
            ("# Title", "\\# Title"),
            ("> quoted", "\\> quoted"),
            ("- point", "\\- point"),
            ("| a | b |", "\\| a | b |"),
            ("12. point", "12\\. point"),
            ("===", "\\==="),
            ("```sh `x`", "\\`\\`\\`sh `x`"),
            ("~~~", "\\~\\~\\~"),
            ("1 point", "1 point"),
        ] {
            assert_eq!(sentence(text), shown);
        }
    }

    #[test]
    fn a_path_is_a_code_span_unless_it_needs_escaping() {
        assert_eq!(code("/logs/1.log"), "`/logs/1.log`");
        assert_eq!(code("**x** `y`"), "\\*\\*x\\*\\* \\`y\\`");
    }
}
