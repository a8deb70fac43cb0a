//! Asks a person for confirmation.

use std::io::{self, BufRead, IsTerminal};

use super::output::prompt;

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Yes.
    Yes,
    /// No, or anything else.
    No,
    /// There is no terminal, so nobody was asked.
    Unasked,
}

/// Whether a person can answer a question.
pub(super) fn can_confirm() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a yes-or-no question on the terminal. The default is no.
pub(super) fn confirm(question: &str) -> Answer {
    if !can_confirm() {
        return Answer::Unasked;
    }
    let stdin = io::stdin();
    prompt(question);
    let mut line = String::new();
    match stdin.lock().read_line(&mut line) {
        Ok(_) if ["y", "yes"].contains(&line.trim().to_lowercase().as_str()) => Answer::Yes,
        Ok(_) | Err(_) => Answer::No,
    }
}
