//! Named fields, each with one or more lines.

use super::{Line, Screen, Tone};

/// Space before a name.
const INDENT: usize = 2;

/// Width of the column of names.
const NAME_WIDTH: usize = 10;

/// Minimum width of the values. On a narrower terminal, their lines are cut.
const MIN_VALUE_WIDTH: usize = 8;

/// Named fields. In a pipe, each line of a value follows its name and a tab.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(&'static str, Vec<FieldLine>)>);

/// A line of a value.
#[derive(Debug)]
pub(super) enum FieldLine {
    /// Continued on the next line if it is too long for the terminal.
    Wrapped(Line),
    /// Cut if it is too long for the terminal.
    Cut(Line),
    /// Never broken by us: a command to copy. The terminal itself may wrap it.
    Whole(Line),
}

impl Fields {
    /// Adds a field, unless the value is empty.
    pub(super) fn add(&mut self, name: &'static str, value: Line) {
        self.add_all(name, vec![value]);
    }

    /// Adds a field with several lines, unless all are empty.
    pub(super) fn add_all(&mut self, name: &'static str, lines: Vec<Line>) {
        self.push(name, lines.into_iter().map(FieldLine::Wrapped).collect());
    }

    /// The same, with lines that are cut on a terminal.
    pub(super) fn add_cut(&mut self, name: &'static str, lines: Vec<Line>) {
        self.push(name, lines.into_iter().map(FieldLine::Cut).collect());
    }

    /// The same, with different lines.
    pub(super) fn push(&mut self, name: &'static str, lines: Vec<FieldLine>) {
        let is_empty = |line: &FieldLine| match line {
            FieldLine::Wrapped(line) | FieldLine::Cut(line) | FieldLine::Whole(line) => line.width() == 0,
        };
        if !lines.iter().all(is_empty) {
            self.0.push((name, lines));
        }
    }

    /// The fields as names and lines.
    pub(super) fn into_lines(self) -> Vec<(&'static str, Vec<Line>)> {
        let line = |line| match line {
            FieldLine::Wrapped(line) | FieldLine::Cut(line) | FieldLine::Whole(line) => line,
        };
        self.0.into_iter().map(|(name, lines)| (name, lines.into_iter().map(line).collect())).collect()
    }

    /// The fields as lines, ending with newlines.
    pub(super) fn render(self, screen: Screen) -> String {
        let mut text = String::new();
        for (name, lines) in self.0 {
            let Some(width) = screen.width else {
                let name = Line::of(Tone::Faint, name).render(screen);
                for FieldLine::Wrapped(line) | FieldLine::Cut(line) | FieldLine::Whole(line) in lines {
                    text.push_str(&format!("{name}\t{}\n", line.render(screen)));
                }
                continue;
            };
            let room = width.saturating_sub(INDENT + NAME_WIDTH).max(MIN_VALUE_WIDTH);
            let fitting = lines.into_iter().flat_map(|line| match line {
                FieldLine::Wrapped(line) => line.wrapped(room).into_iter().map(|line| (line, screen)).collect(),
                FieldLine::Cut(line) => vec![(line.cut(room, screen.symbols), screen)],
                FieldLine::Whole(line) => vec![(line, Screen { width: None, ..screen })],
            });
            for (position, (value, screen)) in fitting.enumerate() {
                let name = if position == 0 { name } else { "" };
                let start = Line::default().padded(INDENT).with(Tone::Faint, name).padded(INDENT + NAME_WIDTH);
                text.push_str(&start.then(value).render(screen));
                text.push('\n');
            }
        }
        text
    }
}
