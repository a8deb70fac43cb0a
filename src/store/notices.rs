//! Notices: problems in the data directory that the next answer to a user mentions.
//!
//! A reader repairs nothing. It reports damage, and shows the data that it can read. An [`Upkeep`](super::Upkeep) that
//! shares its notices repairs the damage, and adds a notice with the name under which the damaged file was kept.

use std::{
    collections::BTreeSet,
    fmt::Display,
    io, mem,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    present::{notices, plain},
    task::{Message, TaskId},
};

/// The notices of one data directory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Pending>>);

#[derive(Debug, Default)]
struct Pending {
    notices: Vec<Message>,
    damage: BTreeSet<Damage>,
    /// Number of notices that were dropped because the list was full.
    left_out: u64,
}

/// Maximum number of notices, and of damaged files, that wait for the next answer.
const MAX_NOTICES: usize = 100;

/// A damaged file that a reader found, and that has not been set aside yet as far as we know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Damage {
    /// `tasks.json`.
    Index,
    /// The catalog, with a description of the problem.
    Catalog(String),
    /// The record of this task.
    Record(TaskId),
    /// The workspace file of this task.
    Workspace(TaskId),
}

impl Damage {
    pub(super) fn notice(&self) -> Message {
        match self {
            Self::Index => notices::damaged_index(),
            Self::Catalog(problem) => notices::damaged_catalog(problem),
            Self::Record(id) => notices::damaged_record(id),
            Self::Workspace(id) => notices::damaged_workspace(id),
        }
    }
}

impl Notices {
    /// All notices since the last call.
    pub fn take(&self) -> Vec<Message> {
        let mut pending = self.pending();
        let Pending { notices, damage, left_out } = mem::take(&mut *pending);
        let more = (left_out > 0).then(|| notices::omitted(left_out));
        notices.into_iter().chain(damage.iter().map(Damage::notice)).chain(more).collect()
    }

    /// Adds the notice that a task whose supervisor is gone cannot be finalized now.
    pub fn add_unfinalized(&self, id: &TaskId, error: &dyn Display) {
        self.add(notices::unfinalized(id, &error));
    }

    /// Adds the notice that a small file is ignored, because it cannot be read.
    pub(super) fn add_ignored(&self, path: &Path, error: &io::Error) {
        self.add(notices::ignored_file(path, error));
    }

    /// Adds the notice that the record of a task cannot be read.
    pub(super) fn add_unreadable(&self, id: &TaskId, error: &dyn Display) {
        self.add(format!("task {id} is listed from tasks.json, because its record cannot be read: {error}"));
    }

    /// Adds a notice, unless it is already waiting, and logs it. Beyond 100 waiting notices it is only logged. A `String`
    /// counts as untrusted text.
    pub fn add(&self, notice: impl Into<Message>) {
        let notice = notice.into();
        let mut pending = self.pending();
        if pending.notices.contains(&notice) {
            return;
        }
        tracing::warn!(notice = plain(&notice), "data directory");
        match pending.notices.len() {
            0..MAX_NOTICES => pending.notices.push(notice),
            MAX_NOTICES.. => pending.left_out += 1,
        }
    }

    /// Replaces reported damage by the notice that it was repaired.
    pub(super) fn add_repaired(&self, damage: &Damage, notice: impl Into<Message>) {
        self.pending().damage.remove(damage);
        self.add(notice);
    }

    /// Reports damage, to be repaired later.
    pub(super) fn report(&self, damage: Damage) {
        tracing::debug!(?damage, "data directory");
        let mut pending = self.pending();
        // Later readers will report the rest again.
        if pending.damage.len() < MAX_NOTICES {
            pending.damage.insert(damage);
        }
    }

    /// Damage reported since the last call of this or of [`take`](Self::take).
    pub(super) fn take_damage(&self) -> BTreeSet<Damage> {
        mem::take(&mut self.pending().damage)
    }

    /// A panic in another thread cannot leave the list inconsistent, so a poisoned lock is safe to use.
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_that_nobody_reads_are_bounded() {
        let notices = Notices::default();
        for number in 0..300 {
            notices.add(format!("problem {number}"));
            notices.report(Damage::Record(TaskId::random()));
        }
        let taken = notices.take();
        assert_eq!(taken.len(), 201);
        assert_eq!(taken.last().map(Message::words).as_deref(), Some("200 more problems; see the server's log"));
        assert!(notices.take().is_empty());
    }
}
