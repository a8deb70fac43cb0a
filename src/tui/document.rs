//! A long text that is scrolled.
//!
//! Only the lines on the screen are broken to its width, so the length of the text does not matter.

use std::collections::VecDeque;

use crate::present::terminal::Line;

/// Lines, and the part of them that is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Document {
    lines: VecDeque<Line>,
    top: Position,
    /// Whether the end is shown, even while more lines arrive.
    follows: bool,
}

/// The row of a line that is at the top.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    line: usize,
    row: usize,
}

/// The size of the part of the screen that shows a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// A movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scroll {
    Up,
    Down,
    PageUp,
    PageDown,
    Start,
    End,
}

impl Document {
    /// A document that shows its beginning.
    pub(super) fn new(lines: Vec<Line>) -> Self {
        Self { lines: lines.into(), ..Self::default() }
    }

    /// A document that shows its end.
    pub(super) fn at_end(lines: Vec<Line>) -> Self {
        Self { follows: true, ..Self::new(lines) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The number of the first line that is shown, starting at 1.
    pub(super) fn first_shown(&self) -> usize {
        self.top.line + 1
    }

    /// Whether the end is shown.
    pub(super) fn is_at_end(&self) -> bool {
        self.follows
    }

    /// Whether the beginning is shown.
    pub(super) fn is_at_start(&self) -> bool {
        !self.follows && self.top == Position::default()
    }

    /// Replaces the lines. The same part is shown, as far as it still exists.
    pub(super) fn replace(&mut self, lines: Vec<Line>) {
        self.lines = lines.into();
        if self.top.line >= self.lines.len() {
            self.top = Position { line: self.lines.len().saturating_sub(1), row: 0 };
        }
    }

    /// Replaces the lines by the same with earlier ones before them. The same part is shown.
    pub(super) fn replace_with_earlier(&mut self, lines: Vec<Line>) {
        let earlier = lines.len().saturating_sub(self.lines.len());
        self.lines = lines.into();
        self.top.line += earlier;
    }

    /// Adds lines at the end. Removes lines at the beginning if there are more than `max`.
    pub(super) fn extend(&mut self, lines: Vec<Line>, max: usize) {
        self.lines.extend(lines);
        let removed = self.lines.len().saturating_sub(max);
        self.lines.drain(..removed);
        match self.top.line.checked_sub(removed) {
            Some(line) => self.top.line = line,
            None => self.top = Position::default(),
        }
    }

    /// Moves the shown part.
    pub(super) fn scroll(&mut self, scroll: Scroll, view: View) {
        let page = view.height.saturating_sub(1).max(1);
        let last = self.last_top(view);
        let top = if self.follows { last } else { self.top.min(last) };
        let moved = match scroll {
            Scroll::Up => self.above(top, 1, view.width),
            Scroll::PageUp => self.above(top, page, view.width),
            Scroll::Down => self.below(top, 1, view.width),
            Scroll::PageDown => self.below(top, page, view.width),
            Scroll::Start => Position::default(),
            Scroll::End => last,
        };
        let moves_down = matches!(scroll, Scroll::Down | Scroll::PageDown | Scroll::End);
        self.top = moved.min(last);
        self.follows = moves_down && moved >= last;
    }

    /// The lines on the screen, each at most as wide as the view.
    pub(super) fn visible(&self, view: View) -> Vec<Line> {
        let last = self.last_top(view);
        let top = if self.follows { last } else { self.top.min(last) };
        let mut shown = Vec::new();
        for (at, line) in self.lines.range(top.line.min(self.lines.len())..).enumerate() {
            let skipped = if at == 0 { top.row } else { 0 };
            shown.extend(rows(line, view.width).into_iter().skip(skipped));
            if shown.len() >= view.height {
                break;
            }
        }
        shown.truncate(view.height);
        shown
    }

    /// The top at which the last line is at the bottom.
    fn last_top(&self, view: View) -> Position {
        let mut missing = view.height.max(1);
        for (line, text) in self.lines.iter().enumerate().rev() {
            let rows = rows(text, view.width).len();
            if rows >= missing {
                return Position { line, row: rows - missing };
            }
            missing -= rows;
        }
        Position::default()
    }

    fn above(&self, from: Position, count: usize, width: usize) -> Position {
        let Position { mut line, mut row } = from;
        for _ in 0..count {
            if row > 0 {
                row -= 1;
            } else if line > 0 {
                line -= 1;
                row = self.lines.get(line).map_or(0, |text| rows(text, width).len() - 1);
            }
        }
        Position { line, row }
    }

    fn below(&self, from: Position, count: usize, width: usize) -> Position {
        let Position { mut line, mut row } = from;
        for _ in 0..count {
            let rows = self.lines.get(line).map_or(1, |text| rows(text, width).len());
            if row + 1 < rows {
                row += 1;
            } else {
                (line, row) = (line + 1, 0);
            }
        }
        Position { line, row }
    }
}

/// A line broken to this width; at least one row.
fn rows(line: &Line, width: usize) -> Vec<Line> {
    if line.width() <= width { vec![line.clone()] } else { line.clone().wrapped(width.max(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::terminal::Tone;

    const VIEW: View = View { width: 4, height: 3 };

    fn lines(texts: &[&str]) -> Vec<Line> {
        texts.iter().map(|text| Line::default().with_exact(Tone::Plain, *text)).collect()
    }

    fn shown(document: &Document) -> Vec<String> {
        document.visible(VIEW).into_iter().map(Line::text).collect()
    }

    fn scrolled(document: &mut Document, scroll: Scroll) -> Vec<String> {
        document.scroll(scroll, VIEW);
        shown(document)
    }

    #[test]
    fn long_lines_are_broken_and_scrolled_row_by_row() {
        let mut document = Document::new(lines(&["1", "22223333", "4", "5"]));
        assert_eq!(shown(&document), ["1", "2222", "3333"]);
        assert_eq!(scrolled(&mut document, Scroll::Down), ["2222", "3333", "4"]);
        assert_eq!(scrolled(&mut document, Scroll::Down), ["3333", "4", "5"]);
        assert!(document.is_at_end());
        assert_eq!(scrolled(&mut document, Scroll::Down), ["3333", "4", "5"], "the last line stays at the bottom");
        assert_eq!(scrolled(&mut document, Scroll::Up), ["2222", "3333", "4"]);
        assert_eq!(scrolled(&mut document, Scroll::PageUp), ["1", "2222", "3333"]);
        assert!(document.is_at_start());
        assert_eq!(scrolled(&mut document, Scroll::End), ["3333", "4", "5"]);
        assert_eq!(scrolled(&mut document, Scroll::Start), ["1", "2222", "3333"]);
    }

    #[test]
    fn the_end_stays_visible_while_lines_arrive_and_any_other_part_too() {
        let mut document = Document::at_end(lines(&["1", "2", "3", "4"]));
        assert_eq!(shown(&document), ["2", "3", "4"]);
        document.extend(lines(&["5"]), 100);
        assert_eq!(shown(&document), ["3", "4", "5"]);
        assert_eq!(scrolled(&mut document, Scroll::Up), ["2", "3", "4"]);
        document.extend(lines(&["6", "7"]), 100);
        assert_eq!(shown(&document), ["2", "3", "4"]);
        document.extend(lines(&["8"]), 7);
        assert_eq!(shown(&document), ["2", "3", "4"], "a line before them was removed");
        document.extend(lines(&["9", "10"]), 4);
        assert_eq!(shown(&document), ["7", "8", "9"], "these lines were removed");
        document.replace_with_earlier(lines(&["5", "6", "7", "8", "9", "10"]));
        assert_eq!(shown(&document), ["7", "8", "9"]);
    }

    #[test]
    fn any_size_works() {
        for (width, height) in [(0, 0), (1, 1), (0, 5), (5, 0)] {
            let view = View { width, height };
            for mut document in [Document::default(), Document::at_end(lines(&["日本", "", "abc"]))] {
                for scroll in [Scroll::Up, Scroll::PageDown, Scroll::Start, Scroll::Down, Scroll::End, Scroll::PageUp] {
                    document.scroll(scroll, view);
                    assert!(document.visible(view).len() <= height);
                }
            }
        }
    }
}
