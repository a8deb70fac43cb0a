//! The terminal as ratatui's backend, without questions to it.

use std::io::{self, Write};

use ratatui::{
    backend::{Backend, ClearType, CrosstermBackend, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
};

/// Writes to a terminal like [`CrosstermBackend`], but never waits for an answer.
///
/// ratatui asks for the position of the cursor before it clears the screen, to restore it afterwards. An answer can take
/// seconds on a slow connection, and a stopped terminal gives none. The position does not matter here, because the
/// next frame sets it.
pub(super) struct SilentBackend<W: Write>(CrosstermBackend<W>);

impl<W: Write> SilentBackend<W> {
    pub(super) fn new(writer: W) -> Self {
        Self(CrosstermBackend::new(writer))
    }
}

impl<W: Write> Write for SilentBackend<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.0)
    }
}

impl<W: Write> Backend for SilentBackend<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        self.0.draw(content)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.0.hide_cursor()
    }

    /// Never fails. ratatui shows the cursor when it is dropped and prints an error to stderr, which panics if that is the
    /// same terminal and is gone.
    fn show_cursor(&mut self) -> io::Result<()> {
        let _ = self.0.show_cursor();
        Ok(())
    }

    /// The first position, without asking.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.0.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.0.clear()
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.0.clear_region(region)
    }

    fn size(&self) -> io::Result<Size> {
        self.0.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.0.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, TerminalOptions, Viewport, layout::Rect};

    use super::*;

    #[test]
    fn clearing_the_screen_asks_the_terminal_nothing() {
        let mut written = Vec::new();
        let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, 20, 2)) };
        let mut terminal =
            Terminal::with_options(SilentBackend::new(&mut written), options).expect("memory can be written");
        terminal.clear().expect("memory can be written");
        drop(terminal);
        let written = String::from_utf8(written).expect("only text is written");
        // `CSI 6 n` asks for the position of the cursor.
        assert!(!written.is_empty() && !written.contains("\u{1b}[6n"), "{written:?}");
    }
}
