//! Prints texts of `present` on stdout and stderr. Secrets in the untrusted parts of a problem are redacted here.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::time::sleep;

use super::{
    exit::Exit,
    locale::{displayable, symbols},
};
use crate::{
    present::{Refused, terminal_refusals},
    redact::Redactor,
    task::Message,
    visible::visible,
};

/// How often to check whether anyone still reads the output.
const READER_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Whether a write to stdout has found it closed.
static STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// The first other error of a write to stdout, such as a full disk.
static STDOUT_ERROR: OnceLock<io::Error> = OnceLock::new();

/// Prints a text of `present` on stdout. If it still contains terminal control characters, they are escaped. A closed
/// pipe is not an error.
pub(super) fn print(text: &str) -> ExitCode {
    print_styled(&visible(text)).into()
}

/// The same. Returns whether the text was printed, which it is not if the pipe is closed.
pub(super) fn is_printed(text: &str) -> bool {
    print(text) == ExitCode::SUCCESS && !is_stdout_closed()
}

/// The exit code of the program. A verb whose output could not be written has failed, unless the pipe was closed. Prints
/// the problem.
pub(super) fn exit_code(code: ExitCode) -> ExitCode {
    let _ = note_error(io::stdout().flush());
    let Some(error) = STDOUT_ERROR.get() else { return code };
    refuse(terminal_refusals::output_not_written(error));
    if code == ExitCode::SUCCESS { ExitCode::FAILURE } else { code }
}

/// Remembers an error of a write to stdout.
pub(super) fn note_error(written: io::Result<()>) -> io::Result<()> {
    written.inspect_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => STDOUT_CLOSED.store(true, Ordering::Relaxed),
        kind => {
            let copy = error.raw_os_error().map_or_else(|| kind.into(), io::Error::from_raw_os_error);
            let _ = STDOUT_ERROR.set(copy);
        }
    })
}

/// Prints JSON on stdout, in which control characters are already escaped.
pub(super) fn print_text(text: &str) -> Exit {
    print_styled(&visible(text))
}

/// Prints text with our own colors on stdout. A closed pipe is not an error: the reader has seen enough.
pub(super) fn print_styled(text: &str) -> Exit {
    print_bytes(text.as_bytes())
}

/// Prints bytes unchanged. A closed pipe is not an error.
pub(super) fn print_bytes(bytes: &[u8]) -> Exit {
    let mut stdout = io::stdout().lock();
    match note_error(stdout.write_all(bytes).and_then(|()| stdout.flush())) {
        Ok(()) => Exit::Completed,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Completed,
        Err(_) => Exit::Failed,
    }
}

/// Stdout, for text that is written in parts, unchanged.
pub(super) fn stdout_writer() -> impl Write {
    io::stdout().lock()
}

/// The exit code if stdout could not be written. A closed pipe is not an error.
pub(super) fn write_failed(error: &io::Error) -> Exit {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Exit::Completed;
    }
    refuse(Refused::without_advice(error.to_string()));
    Exit::Failed
}

/// Continues only if a text was printed and someone reads the output. A stream whose reader is gone ends quietly.
pub(super) fn end_quietly(printed: Result<(), io::Error>) -> Result<(), Exit> {
    note_error(printed).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Exit::Completed,
        _ => Exit::Failed,
    })
}

/// Prints one line of a stream on stdout.
pub(super) fn print_line(text: &str) -> Result<(), Exit> {
    let mut stdout = io::stdout().lock();
    end_quietly(stdout.write_all(visible(text).as_bytes()).and_then(|()| stdout.flush()))
}

/// Prints text with our own colors on stderr. Nothing is reported if stderr is closed.
pub(super) fn write_error(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Whether a write has found stdout closed, so that printing more is useless.
pub(super) fn is_stdout_closed() -> bool {
    STDOUT_CLOSED.load(Ordering::Relaxed)
}

/// Whether the other end of stdout is closed. Nothing needs to be printed to find out.
pub(super) fn is_reader_gone() -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let stdout = io::stdout();
    let mut end = [PollFd::new(&stdout, PollFlags::empty())];
    poll(&mut end, Some(&now)).is_ok() && end[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// Waits until the other end of stdout is closed.
pub(super) async fn reader_gone() {
    loop {
        sleep(READER_POLL_INTERVAL).await;
        if is_reader_gone() {
            return;
        }
    }
}

/// Prints a refusal on stderr.
pub(super) fn refuse(refused: Refused) -> ExitCode {
    refuse_all([refused])
}

/// Prints several refusals on stderr.
pub(super) fn refuse_all(refused: impl IntoIterator<Item = Refused>) -> ExitCode {
    let redactor = redactor();
    for refused in refused {
        error_text(&refused.redacted(&redactor).plain());
    }
    ExitCode::FAILURE
}

/// For untrusted text in arguments, files and program output. The usual path of the data directory is not redacted.
pub(super) fn redactor() -> Redactor {
    let home = std::env::home_dir().map(|home| home.join(".codex-connector"));
    let redactor = Redactor::of(std::env::vars_os());
    home.map_or(redactor.clone(), |home| redactor.sparing(&[&home]))
}

/// Prints a problem on stderr for which there is no advice.
pub(super) fn fail(problem: impl Into<Message>) -> ExitCode {
    refuse(Refused::without_advice(problem))
}

/// Prints a question on stderr, without a newline.
pub(super) fn prompt(question: &str) {
    let mut stderr = io::stderr();
    let _ = stderr.write_all(visible(question).as_bytes()).and_then(|()| stderr.flush());
}

/// Prints a text of `present` on stderr.
pub(super) fn error_text(text: &str) {
    let _ = writeln!(io::stderr(), "{}", displayable(&visible(text), symbols()));
}
