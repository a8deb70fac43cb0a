//! Notices: problems in the data directory that the next answer to a user mentions.
//!
//! A reader repairs nothing. It reports the damage that it finds, and shows what it can. An [`Upkeep`](super::Upkeep) that
//! shares its notices repairs the damage, and its notice says where the damaged file is kept.

use std::{
    collections::BTreeSet,
    fmt::Display,
    mem,
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
}

/// A damaged file that a reader found, and that is still in its place as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Damage {
    /// `tasks.json`.
    Index,
    /// The record of this task.
    Record(TaskId),
}

impl Damage {
    fn notice(&self) -> Message {
        match self {
            Self::Index => notices::damaged_index(),
            Self::Record(id) => notices::damaged_record(id),
        }
    }
}

impl Notices {
    /// All notices since the last call.
    pub fn take(&self) -> Vec<Message> {
        let mut pending = self.pending();
        let damage = mem::take(&mut pending.damage);
        mem::take(&mut pending.notices).into_iter().chain(damage.iter().map(Damage::notice)).collect()
    }

    /// Adds the notice that a task whose supervisor is gone cannot be finalized now.
    pub fn add_unfinalized(&self, id: &TaskId, error: &dyn Display) {
        self.add(notices::unfinalized(id, &error));
    }

    /// Adds a notice, once, and logs it. A `String` counts as text from outside.
    pub(super) fn add(&self, notice: impl Into<Message>) {
        let notice = notice.into();
        tracing::warn!(notice = plain(&notice), "data directory");
        let mut pending = self.pending();
        if !pending.notices.contains(&notice) {
            pending.notices.push(notice);
        }
    }

    /// Adds the notice that damage was repaired, which takes the place of the damage.
    pub(super) fn add_repaired(&self, damage: &Damage, notice: impl Into<Message>) {
        self.pending().damage.remove(damage);
        self.add(notice);
    }

    /// Reports damage, for whoever repairs it.
    pub(super) fn report(&self, damage: Damage) {
        tracing::debug!(?damage, "data directory");
        self.pending().damage.insert(damage);
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
