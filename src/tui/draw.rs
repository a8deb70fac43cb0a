//! Draws the state of the screen. Changes nothing.

use chrono::{DateTime, Utc};
use ratatui::{
    Frame,
    buffer::Buffer,
    layout::{Position, Rect},
    style::{Color, Modifier, Style},
};

use super::{
    dialog::{Dialog, Phase},
    input::Input,
    layout::{Focus, Layout},
    query::Tab,
    state::{Mode, State},
};
use crate::{
    present::terminal::{
        Line, Tone,
        top::{self, TopView},
        top_heading, top_row, top_step,
    },
    visible::fully_visible,
};

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, now: DateTime<Utc>) {
    let layout = state.layout();
    let mut painter = Painter { buffer: frame.buffer_mut(), state };
    let surroundings = &state.surroundings;
    let here = (!state.is_everywhere).then_some(surroundings.here.as_str());
    let counts = state.list.counts.as_ref();
    painter.line(layout.top, top::top_line(here, counts, layout.top.width.into(), surroundings.symbols));
    if let Mode::Dialog(dialog) = &state.mode {
        painter.dialog(layout.dialog, dialog);
    } else {
        painter.list(layout, now);
        painter.task(layout, now);
    }
    let cursor = painter.bottom(layout.bottom);
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

struct Painter<'a> {
    buffer: &'a mut Buffer,
    state: &'a State,
}

impl Painter<'_> {
    /// Draws a line into the first row of an area, and returns the column behind it.
    fn line(&mut self, area: Rect, line: Line) -> u16 {
        let area = area.intersection(self.buffer.area);
        let mut x = area.x;
        if area.is_empty() {
            return x;
        }
        let shown = line.cut(area.width.into(), self.state.surroundings.symbols);
        for (tone, text) in shown.pieces() {
            let room = usize::from(area.right().saturating_sub(x));
            (x, _) = self.buffer.set_stringn(x, area.y, text, room, style(tone, self.state.surroundings.has_color));
        }
        x
    }

    /// Draws lines below each other.
    fn lines(&mut self, area: Rect, lines: Vec<Line>) {
        for (row, line) in area.rows().zip(lines) {
            self.line(row, line);
        }
    }

    fn reverse(&mut self, area: Rect) {
        self.buffer.set_style(area, Style::new().add_modifier(Modifier::REVERSED));
    }

    fn list(&mut self, layout: Layout, now: DateTime<Utc>) {
        let (state, symbols) = (self.state, self.state.surroundings.symbols);
        if let Some(line) = state.filter_line() {
            self.line(layout.filter, line);
        }
        let area = layout.list;
        if state.list.len() == 0 {
            let is_filtered = state.filter_line().is_some();
            let rows = match state.list.is_read {
                true => top::empty_rows(is_filtered, state.is_everywhere),
                false => vec![top::reading(symbols)],
            };
            self.lines(area, rows);
            return;
        }
        let selected = state.list.selected_task().map(|task| &task.summary.record.id);
        let mut rows = area.rows();
        for task in state.list.visible(area.height.into()) {
            let Some(row) = rows.next() else { break };
            self.line(row, top_row(&task.summary, area.width.into(), symbols, now));
            if Some(&task.summary.record.id) == selected {
                self.reverse(row);
            }
            if let Some(step) = top_step(&task.summary, symbols, now)
                && let Some(row) = rows.next()
            {
                self.line(row, step);
            }
        }
        if let (Some(row), Some(line)) = (rows.next(), top::older_row(state.list.unread(), state.list.is_partial)) {
            self.line(row, line);
        }
    }

    fn task(&mut self, layout: Layout, now: DateTime<Utc>) {
        let (state, symbols) = (self.state, self.state.surroundings.symbols);
        for row in layout.divider.rows() {
            self.line(row, top::divider(symbols));
        }
        let Some(task) = state.list.selected_task() else {
            if layout.is_split() {
                self.line(layout.body, top::no_selection());
            }
            return;
        };
        self.line(layout.heading, top_heading(task, symbols, now));
        self.tabs(layout.tabs);
        let document = &state.pane.document;
        let lines = match (state.pane.is_read, document.is_empty()) {
            (true, false) => document.visible(state.body_view()),
            (true, true) => vec![top::nothing_yet()],
            (false, _) if state.tab == Tab::Diff => vec![top::computing(symbols)],
            (false, _) => vec![top::reading(symbols)],
        };
        self.lines(layout.body, lines);
    }

    fn tabs(&mut self, area: Rect) {
        let state = self.state;
        let mut x = area.x;
        for tab in Tab::ALL {
            let is_open = tab == state.tab;
            let tone = if is_open { Tone::Strong } else { Tone::Faint };
            let name = Line::of(tone, &format!("{} {}", tab.place() + 1, top::TABS[tab.place()]));
            let start = x;
            x = self.line(Rect { x, width: area.right().saturating_sub(x), ..area }, name);
            if is_open && state.focus == Focus::Task {
                self.reverse(Rect { x: start, width: x - start, ..area });
            }
            x += 2;
        }
        let document = &state.pane.document;
        if document.len() > usize::from(state.layout().body.height) {
            let position = top::position(document.first_shown(), document.len(), document.is_at_end());
            let width = u16::try_from(position.width()).unwrap_or(0);
            if x + width <= area.right() {
                self.line(Rect { x: area.right() - width, width, ..area }, position);
            }
        }
    }

    fn dialog(&mut self, area: Rect, dialog: &Dialog) {
        let title = Line::of(Tone::Strong, &dialog.title);
        let mut area = area;
        if area.height >= 3 {
            self.line(area, title);
            area = Rect { y: area.y + 2, height: area.height - 2, ..area };
        }
        self.lines(area, dialog.document.visible(self.state.dialog_view()));
    }

    /// The last line. Returns the place of the cursor if something is typed.
    fn bottom(&mut self, area: Rect) -> Option<Position> {
        let (prompt, input) = match &self.state.mode {
            Mode::Filter(input) => ("/".to_owned(), input),
            Mode::Command(input) => (":".to_owned(), input),
            Mode::Text { command, input } => (top::text_prompt(command), input),
            Mode::Browse | Mode::Dialog(_) => {
                let hints = || top::hint_line(self.view(), area.width.into());
                self.line(area, self.state.message.clone().unwrap_or_else(hints));
                return None;
            }
        };
        if area.is_empty() {
            return None;
        }
        if let Some(message) = &self.state.message {
            self.line(area, message.clone());
            return None;
        }
        let x = self.line(area, typed(&prompt, input, area.width.into()));
        let hints = top::hint_line(self.view(), area.width.into());
        let width = u16::try_from(hints.width()).unwrap_or(u16::MAX);
        // The hints are on the right, if there is room for more text too.
        if x.saturating_add(width).saturating_add(8) <= area.right() {
            self.line(Rect { x: area.right() - width, width, ..area }, hints);
        }
        let before = Line::of(Tone::Plain, &prompt).with_exact(Tone::Plain, input.before_cursor());
        let column = u16::try_from(before.width()).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
        Some(Position { x: area.x + column, y: area.y })
    }

    fn view(&self) -> TopView {
        match &self.state.mode {
            Mode::Browse if self.state.focus == Focus::List => TopView::List,
            Mode::Browse => TopView::Task,
            Mode::Filter(_) => TopView::Filter,
            Mode::Command(_) | Mode::Text { .. } => TopView::Command,
            Mode::Dialog(dialog) => match dialog.action() {
                Some((_, Phase::Ready)) => TopView::Confirm,
                Some((_, Phase::Checking | Phase::Acting | Phase::Over)) | None => TopView::Dialog,
            },
        }
    }
}

/// A line that is typed. If it is too long, the part around the cursor.
fn typed(prompt: &str, input: &Input, width: usize) -> Line {
    let before = fully_visible(input.before_cursor());
    let line = |text: &str| Line::of(Tone::Strong, prompt).with_exact(Tone::Plain, text);
    let too_much = line(&before).width().saturating_sub(width.saturating_sub(1));
    if too_much == 0 {
        return line(input.text());
    }
    // The end of the text before the cursor, with a mark for the rest.
    let mut skipped = 0;
    let kept = before.char_indices().find(|(_, letter)| {
        let is_enough = skipped > too_much;
        skipped += Line::default().with_exact(Tone::Plain, letter.encode_utf8(&mut [0; 4])).width();
        is_enough
    });
    line(&format!("<{}", kept.map_or("", |(at, _)| &before[at..])))
}

/// The style of a piece of text: the terminal's own colors, so that it can be read on a light and on a dark background.
fn style(tone: Tone, has_color: bool) -> Style {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    match (tone, has_color) {
        (Tone::Plain, _) | (Tone::Faint | Tone::Good | Tone::Active, false) => Style::new(),
        (Tone::Strong, _) | (Tone::Bad | Tone::Attention, false) => bold,
        (Tone::Faint, true) => Style::new().add_modifier(Modifier::DIM),
        (Tone::Good, true) => Style::new().fg(Color::Green),
        (Tone::Bad, true) => Style::new().fg(Color::Red),
        (Tone::Active, true) => Style::new().fg(Color::Cyan),
        (Tone::Attention, true) => Style::new().fg(Color::Yellow),
    }
}
