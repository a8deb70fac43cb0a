//! The last lines of a program's output, in bounded memory.

use std::collections::VecDeque;

use crate::{Line, terminal::without_colours};

/// Keeps the last lines of an output, up to a number of lines and a number of bytes.
#[derive(Debug, Clone)]
pub struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
    max_lines: usize,
    max_bytes: usize,
    cut: bool,
}

impl Tail {
    /// A tail of at most `max_lines` lines and about `max_bytes` bytes, line ends included.
    pub fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self { lines: VecDeque::new(), bytes: 0, max_lines, max_bytes, cut: false }
    }

    /// A tail that is long enough to show why a program failed: 20 lines, 4 KiB.
    pub fn for_failures() -> Self {
        Self::new(20, 4096)
    }

    /// Adds a line, without colors and with bytes that are not UTF-8 replaced. If a line alone is too long for the
    /// tail, its end is kept; if it was too long for the supervisor, its beginning.
    pub fn push(&mut self, line: Line<'_>) {
        let line = match line {
            Line::Whole(_) => self.ending_that_fits(&without_colours(&line.text())),
            Line::TooLong { head, length } => {
                self.cut = true;
                let head = &head[..head.len().min(self.max_bytes / 2)];
                format!("{} ... (a line of {length} bytes, too long to keep)", String::from_utf8_lossy(head))
            }
        };
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.lines.len() > self.max_lines || (self.bytes > self.max_bytes && self.lines.len() > 1) {
            self.cut = true;
            self.bytes -= self.lines.pop_front().map_or(0, |dropped| dropped.len() + 1);
        }
    }

    /// The lines kept. `None` if they are blank.
    pub fn text(&self) -> Option<String> {
        let lines: Vec<_> = self.lines.iter().map(String::as_str).collect();
        let text = lines.join("\n");
        if text.trim().is_empty() { None } else { Some(text) }
    }

    /// Whether any part of the output was dropped.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    fn ending_that_fits(&mut self, line: &str) -> String {
        let least = line.len().saturating_sub(self.max_bytes);
        let start = (least..line.len()).find(|at| line.is_char_boundary(*at)).unwrap_or(line.len());
        self.cut |= start > 0;
        line[start..].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(max_lines: usize, max_bytes: usize, lines: &[&str]) -> Tail {
        let mut tail = Tail::new(max_lines, max_bytes);
        lines.iter().for_each(|line| tail.push(Line::Whole(line.as_bytes())));
        tail
    }

    #[test]
    fn only_colours_are_removed() {
        let tail = tail(9, 999, &["\u{1b}[93m\u{1b}[1m! \u{1b}[0mno [1m] here", "\u{1b}[", "\u{1b}[1;2é"]);
        assert_eq!(tail.text().as_deref(), Some("! no [1m] here\n\né"));
    }

    #[test]
    fn everything_is_kept_while_it_fits() {
        let tail = tail(3, 100, &["a", "", "b"]);
        assert_eq!(tail.text().as_deref(), Some("a\n\nb"));
        assert!(!tail.is_cut());
    }

    #[test]
    fn the_oldest_lines_are_dropped_first() {
        assert_eq!(tail(2, 100, &["a", "b", "c"]).text().as_deref(), Some("b\nc"));
        let by_bytes = tail(9, 4, &["aa", "bb", "c"]);
        assert_eq!(by_bytes.text().as_deref(), Some("c"));
        assert!(by_bytes.is_cut());
    }

    #[test]
    fn a_line_longer_than_the_tail_is_cut_at_its_start() {
        let tail = tail(2, 4, &["ä-äää"]);
        assert_eq!(tail.text().as_deref(), Some("ää"));
        assert!(tail.is_cut());
    }

    #[test]
    fn an_overlong_line_is_marked() {
        let mut tail = Tail::for_failures();
        tail.push(Line::TooLong { head: &[b'x'; 1 << 20], length: 9 << 20 });
        let text = tail.text().expect("the beginning is kept");
        assert!(text.len() < 4096 && text.starts_with("xxx") && text.contains("9437184 bytes"), "{}", text.len());
    }

    #[test]
    fn blank_lines_yield_no_text() {
        assert_eq!(tail(9, 100, &["", " "]).text(), None);
    }
}
