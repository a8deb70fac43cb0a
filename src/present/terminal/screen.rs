//! The properties of an output.

use crate::task::{Outcome, TaskState};

/// The properties of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// The width of the terminal, in columns; `None` if the output is not a terminal.
    pub(crate) width: Option<usize>,
    /// Whether to use colors.
    pub(crate) has_color: bool,
    /// The symbols for states.
    pub(crate) symbols: Symbols,
}

/// The symbols that an output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbols {
    /// Any character.
    Unicode,
    /// Only ASCII, for a locale that is not UTF-8.
    Ascii,
}

impl Screen {
    /// A pipe or a file.
    #[cfg(test)]
    pub(crate) const PIPE: Self = Self { width: None, has_color: false, symbols: Symbols::Unicode };

    /// Whether the output is a terminal.
    pub(crate) fn is_terminal(self) -> bool {
        self.width.is_some()
    }
}

impl Symbols {
    /// The symbol of a task.
    pub(crate) fn of(self, state: TaskState, outcome: Option<Outcome>) -> &'static str {
        let (unicode, ascii) = match (state, outcome) {
            (TaskState::Queued, _) => ("◌", "."),
            (TaskState::Running, _) | (TaskState::Ended, None) => ("●", "*"),
            (TaskState::Ended, Some(Outcome::Completed)) => ("✓", "+"),
            (TaskState::Ended, Some(Outcome::Failed | Outcome::TimedOut)) => ("✗", "x"),
            (TaskState::Ended, Some(Outcome::Cancelled | Outcome::Interrupted)) => ("■", "-"),
        };
        self.choose(unicode, ascii)
    }

    /// The separator between facts on a line, with spaces.
    pub(crate) fn dot(self) -> &'static str {
        self.choose(" · ", " | ")
    }

    /// The first string, or the second one if only ASCII can be shown.
    pub(crate) fn choose(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self {
            Self::Unicode => unicode,
            Self::Ascii => ascii,
        }
    }
}
