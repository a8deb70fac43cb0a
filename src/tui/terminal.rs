//! The terminal while the whole screen is used, and how it is restored.

use std::{
    io::{self, BufWriter, Stdout, Write},
    panic,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use ratatui::{
    Terminal,
    crossterm::{
        queue,
        style::force_color_output,
        terminal::{disable_raw_mode, enable_raw_mode},
    },
    layout::Size,
};

use super::backend::SilentBackend;

/// Uses the alternate screen, clears it, hides the cursor, and marks pasted text.
const ENTER: &str = "\x1b[?1049h\x1b[H\x1b[2J\x1b[?25l\x1b[?2004h";

/// Undoes that, in the opposite order.
const LEAVE: &str = "\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";

/// Whether the terminal has to be restored.
static IS_ENTERED: AtomicBool = AtomicBool::new(false);

/// Size of the buffer of what is drawn, in bytes.
const BUFFER_BYTES: usize = 64 << 10;

/// The whole screen of the terminal. Dropping it restores the terminal.
pub(super) struct Screen {
    pub(super) terminal: Terminal<SilentBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// Uses the whole screen from now on. Fails if stdout or stdin is not a terminal.
    pub(super) fn enter(has_color: bool) -> io::Result<Self> {
        force_color_output(has_color);
        let writer = BufWriter::with_capacity(BUFFER_BYTES, io::stdout());
        let screen = Self { terminal: Terminal::new(SilentBackend::new(writer))? };
        restore_on_panic();
        begin()?;
        Ok(screen)
    }

    /// The size of the terminal.
    pub(super) fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }

    /// Gives the terminal back for a moment.
    pub(super) fn leave(&mut self) {
        let _ = Write::flush(self.terminal.backend_mut());
        restore();
    }

    /// Uses the whole screen again.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        // Another program may have changed the terminal's modes.
        restore();
        begin()?;
        self.redraw()
    }

    /// Draws every character the next time.
    pub(super) fn redraw(&mut self) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), ratatui::crossterm::cursor::Hide)?;
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}

fn begin() -> io::Result<()> {
    enable_raw_mode()?;
    IS_ENTERED.store(true, Ordering::SeqCst);
    write(ENTER)
}

/// Restores the terminal if that is necessary. A terminal that is gone cannot be, so errors are ignored.
fn restore() {
    if IS_ENTERED.swap(false, Ordering::SeqCst) {
        let _ = write(LEAVE);
        let _ = disable_raw_mode();
    }
}

fn write(sequence: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(sequence.as_bytes())?;
    stdout.flush()
}

/// Restores the terminal before the message of a panic of this thread is printed.
fn restore_on_panic() {
    let (this, print) = (thread::current().id(), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == this {
            restore();
        }
        print(info);
    }));
}
