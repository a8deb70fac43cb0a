//! Why a word that a person typed does not name one task.

use crate::{
    present::{Refused, terminal_refusals},
    task::TaskRecord,
};

/// Minimum length of a prefix of an ID. A single digit matches one task in sixteen.
pub(super) const MIN_PREFIX: usize = 2;

/// A word that does not name one task.
#[derive(Debug)]
pub enum NotOneTask {
    /// It is neither a prefix of an ID nor `@N`.
    Malformed(String),
    /// Its prefix is too short.
    TooShort(String),
    /// Several tasks have this prefix.
    Ambiguous {
        /// The prefix.
        prefix: String,
        /// The newest of these tasks.
        newest: Vec<TaskRecord>,
        /// The number of all of them.
        total: usize,
    },
    /// No task has this prefix, which may be a whole ID.
    Unknown(String),
    /// There are fewer than `N` tasks in the scope of `@N`.
    BeyondList {
        /// The word.
        word: String,
        /// The number of tasks in the scope.
        total: usize,
        /// Whether the scope is all repositories.
        is_everywhere: bool,
    },
}

impl NotOneTask {
    /// The problem and the next step.
    pub(crate) fn explain(&self) -> Refused {
        match self {
            Self::Malformed(word) => terminal_refusals::not_a_task_word(word),
            Self::TooShort(word) => terminal_refusals::short_prefix(word, MIN_PREFIX),
            Self::Ambiguous { prefix, newest, total } => terminal_refusals::ambiguous_prefix(prefix, newest, *total),
            Self::Unknown(prefix) => terminal_refusals::unknown_prefix(prefix),
            Self::BeyondList { word, total, is_everywhere } => {
                terminal_refusals::beyond_list(word, *total, *is_everywhere)
            }
        }
    }
}
