//! Notices: problems in the data directory that the next answer to a user mentions.
//!
//! A reader repairs nothing. It reports the damage that it finds, and shows what it can. An [`Upkeep`](super::Upkeep) that
//! shares its notices repairs the damage, and its notice says where the damaged file is kept.

use std::{
    collections::BTreeSet,
    fmt::{self, Display},
    io, mem,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::task::TaskId;

/// The notices of one data directory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Pending>>);

#[derive(Debug, Default)]
struct Pending {
    texts: Vec<String>,
    damage: BTreeSet<Damage>,
    /// How many sentences there was no room for.
    left_out: u64,
}

/// Maximum number of sentences, and of damaged files, that wait for the next answer.
const MOST: usize = 100;

/// A damaged file that a reader found, and that is still in its place as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Damage {
    /// `tasks.json`.
    Index,
    /// The record of this task.
    Record(TaskId),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index => f.write_str(
                "tasks.json is damaged, too large, or of a later version; the records of the tasks are shown instead",
            ),
            Self::Record(id) => write!(
                f,
                "the record of task {id} is damaged, too large, or of a later version; the task is shown as the index knows it"
            ),
        }
    }
}

impl Notices {
    /// All notices since the last call, in words for people.
    pub fn take(&self) -> Vec<String> {
        let mut pending = self.pending();
        let Pending { texts, damage, left_out } = mem::take(&mut *pending);
        let more = (left_out > 0).then(|| format!("{left_out} more problems are in the log of the server"));
        texts.into_iter().chain(damage.iter().map(Damage::to_string)).chain(more).collect()
    }

    /// Adds the notice that a task whose supervisor is gone cannot be finalized now.
    pub fn add_unfinalized(&self, id: &TaskId, error: &dyn Display) {
        self.add(format!(
            "task {id} has lost its supervisor and cannot be finalized now: {error}; until then it is shown as its record says"
        ));
    }

    /// Adds the notice that a small file is ignored, because it cannot be read.
    pub(super) fn add_ignored(&self, path: &Path, error: &io::Error) {
        self.add(format!("{} is ignored: {error}; remove it, or the problem stays", path.display()));
    }

    /// Adds a sentence, once, and logs it. Beyond [`MOST`] it is only logged.
    pub(super) fn add(&self, notice: String) {
        let mut pending = self.pending();
        if pending.texts.contains(&notice) {
            return;
        }
        tracing::warn!(notice, "data directory");
        match pending.texts.len() {
            0..MOST => pending.texts.push(notice),
            MOST.. => pending.left_out += 1,
        }
    }

    /// Adds the notice that damage was repaired, which takes the place of the damage.
    pub(super) fn add_repaired(&self, damage: &Damage, notice: String) {
        self.pending().damage.remove(damage);
        self.add(notice);
    }

    /// Reports damage, for whoever repairs it.
    pub(super) fn report(&self, damage: Damage) {
        tracing::debug!(%damage, "data directory");
        let mut pending = self.pending();
        // The next reader finds the rest again.
        if pending.damage.len() < MOST {
            pending.damage.insert(damage);
        }
    }

    /// The damage that was reported since the last call of this or of [`take`](Self::take).
    pub(super) fn take_damage(&self) -> BTreeSet<Damage> {
        mem::take(&mut self.pending().damage)
    }

    /// The list is whole between any two statements, so that a panic elsewhere changes nothing.
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_that_nobody_takes_are_bounded() {
        let notices = Notices::default();
        for number in 0..300 {
            notices.add(format!("problem {number}"));
            notices.report(Damage::Record(TaskId::random()));
        }
        let taken = notices.take();
        assert_eq!(taken.len(), 201);
        assert_eq!(taken.last().map(String::as_str), Some("200 more problems are in the log of the server"));
        assert!(notices.take().is_empty());
    }
}
