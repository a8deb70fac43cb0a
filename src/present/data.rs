//! Exact text, for a JSON string in an answer to a client that asked for this text.
//!
//! Not for text that appears next to our own words. A client that shows it to a person must escape it.

use crate::task::{LogTail, Untrusted};

/// The text, unchanged.
pub(crate) fn verbatim(text: Untrusted) -> String {
    text.into_raw()
}

/// The newest lines of a log, in at most `max` bytes. If the last line alone is longer, returns the end of it.
pub(crate) fn last_lines(tail: &LogTail, max: usize) -> String {
    let mut text: String = tail.lines.iter().flat_map(|line| [line.raw(), "\n"]).collect();
    if let Some(excess @ 1..) = text.len().checked_sub(max) {
        let cut = (excess..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        let line_end = text.as_bytes()[cut - 1..text.len() - 1].iter().position(|byte| *byte == b'\n');
        text.drain(..line_end.map_or(cut, |end| cut + end));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_a_log_fit_into_one_answer() {
        let max = 256 << 10;
        let tail =
            |lines: &[String]| LogTail { lines: lines.iter().cloned().map(Untrusted::from).collect(), has_more: true };
        let shown = |lines: &[String]| last_lines(&tail(lines), max);
        assert_eq!(shown(&[]), "");
        assert_eq!(shown(&["one".into(), "two".into()]), "one\ntwo\n");
        let lines: Vec<_> = (0..10_000).map(|number| format!("{number} ä line of forty characters and more")).collect();
        let text = shown(&lines);
        assert!(text.len() <= max && text.len() > max - 100, "{}", text.len());
        assert!(
            text.ends_with(&format!("{}\n", lines[9_999]))
                && lines.contains(&text.lines().next().map_or(String::new(), str::to_owned))
        );
        let long = shown(&["first".into(), "ä".repeat(max)]);
        assert!(long.len() <= max && long.len() > max - 4 && long.ends_with("ä\n"), "{}", long.len());
    }
}
