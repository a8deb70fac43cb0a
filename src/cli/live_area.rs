//! Lines at the bottom of a terminal that are redrawn in place.
//!
//! The cursor stays at the end of the last line, so that nothing scrolls, and whatever ends the program leaves a usable
//! terminal. Terminals that wrap lines again when they become narrower need no special treatment: the rows that the old
//! lines take now follow from their widths.

use std::io::Write;

use rustix::{fd::AsFd, termios::tcgetwinsize};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Duration, Instant, sleep_until},
};

use crate::present::terminal::rendered_width;

/// How often lines are redrawn while nothing happens, because they contain times.
const REDRAW_INTERVAL: Duration = Duration::from_secs(1);

/// Minimum time between two redraws while a lot happens.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Size {
    /// The size of this terminal, or that of a usual one if it is unknown.
    pub(super) fn of(terminal: impl AsFd) -> Self {
        let size = tcgetwinsize(terminal).ok();
        let known = |count: Option<u16>, default| count.map(usize::from).filter(|count| *count > 0).unwrap_or(default);
        Self { columns: known(size.map(|size| size.ws_col), 80), rows: known(size.map(|size| size.ws_row), 24) }
    }
}

/// The redrawn lines.
#[derive(Debug)]
pub(super) struct LiveArea<W> {
    out: W,
    shown: Vec<String>,
    size: Option<Size>,
}

impl<W: Write> LiveArea<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, shown: Vec::new(), size: None }
    }

    /// Shows these lines, which fit into the width. Those that do not fit into the height are counted instead.
    pub(super) fn draw(&mut self, lines: Vec<String>, size: Size) -> std::io::Result<()> {
        let lines = fitting(lines, size.rows);
        if lines == self.shown && self.size == Some(size) {
            return Ok(());
        }
        let text = self.erasing(size) + &lines.join("\n");
        (self.shown, self.size) = (lines, Some(size));
        self.write(&text)
    }

    /// Prints lines above the redrawn ones, where they stay. `text` ends with a newline.
    pub(super) fn print_above(&mut self, text: &str, size: Size) -> std::io::Result<()> {
        let text = self.erasing(size) + text + &self.shown.join("\n");
        self.size = Some(size);
        self.write(&text)
    }

    /// Removes the redrawn lines.
    pub(super) fn clear(&mut self, size: Size) -> std::io::Result<()> {
        let text = self.erasing(size);
        self.shown.clear();
        self.write(&text)
    }

    /// The sequence that moves the cursor to the first of the shown lines, and removes everything from there on.
    fn erasing(&self, size: Size) -> String {
        if self.shown.is_empty() {
            return String::new();
        }
        let rows: usize = self.shown.iter().map(|line| rendered_width(line).div_ceil(size.columns).max(1)).sum();
        // Rows that have left the screen cannot be changed any more.
        match rows.min(size.rows) - 1 {
            0 => "\r\u{1b}[J".to_owned(),
            up => format!("\r\u{1b}[{up}A\u{1b}[J"),
        }
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

/// The lines that fit into this many rows. The last one says how many are missing.
fn fitting(mut lines: Vec<String>, rows: usize) -> Vec<String> {
    let room = rows.max(1);
    if lines.len() > room {
        let missing = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(format!("+{missing}"));
    }
    lines
}

/// Decides when to redraw: soon after a change, after the terminal was resized, and once a second.
#[derive(Debug)]
pub(super) struct Redraw {
    resized: Signal,
    last: Instant,
    due: Option<Instant>,
}

impl Redraw {
    /// Must be called inside a runtime.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { resized: signal(SignalKind::window_change())?, last: Instant::now(), due: None })
    }

    /// Something has changed.
    pub(super) fn request(&mut self) {
        self.due = self.due.or(Some(self.last + MIN_INTERVAL));
    }

    /// Waits until it is time to redraw.
    pub(super) async fn next(&mut self) {
        let due = self.due.unwrap_or(self.last + REDRAW_INTERVAL);
        tokio::select! {
            () = sleep_until(due) => {}
            _ = self.resized.recv() => {}
        }
        (self.last, self.due) = (Instant::now(), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 20, rows: 4 };

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    /// The text that these calls write.
    fn written(calls: impl FnOnce(&mut LiveArea<Vec<u8>>)) -> String {
        let mut area = LiveArea::new(Vec::new());
        calls(&mut area);
        String::from_utf8(area.out).expect("only text is written")
    }

    #[test]
    fn lines_are_replaced_in_place_and_only_if_they_change() {
        let text = written(|area| {
            for shown in [&["a", "b"][..], &["a", "b"], &["c"]] {
                area.draw(lines(shown), SIZE).expect("memory can be written");
            }
            area.print_above("1\n", SIZE).expect("memory can be written");
            area.clear(SIZE).expect("memory can be written");
        });
        assert_eq!(text, "a\nb\r\u{1b}[1A\u{1b}[Jc\r\u{1b}[J1\nc\r\u{1b}[J");
    }

    #[test]
    fn a_narrower_terminal_has_wrapped_the_old_lines() {
        let text = written(|area| {
            area.draw(lines(&["0123456789", "\u{1b}[1mab\u{1b}[0m"]), SIZE).expect("memory can be written");
            area.draw(lines(&["x"]), Size { columns: 4, ..SIZE }).expect("memory can be written");
        });
        assert!(text.ends_with("\r\u{1b}[3A\u{1b}[Jx"), "{text:?}");
    }

    #[test]
    fn lines_below_the_screen_are_counted() {
        assert_eq!(fitting(lines(&["1", "2", "3", "4"]), 4), ["1", "2", "3", "4"]);
        assert_eq!(fitting(lines(&["1", "2", "3", "4", "5"]), 4), ["1", "2", "3", "+2"]);
        assert_eq!(fitting(lines(&["1", "2"]), 0), ["+2"]);
    }
}
