//! Queries: the data that the screen needs at the moment.

use crate::{
    present::terminal::top::TABS,
    task::{StateFilter, TaskId},
};

/// A list of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListQuery {
    /// Whether to list the tasks of all repositories.
    pub(super) is_everywhere: bool,
    pub(super) state: Option<StateFilter>,
    /// Maximum number of tasks.
    pub(super) limit: usize,
    /// The number of times that a person asked to read everything again.
    pub(super) refresh: u32,
}

/// The content of a tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PaneQuery {
    pub(super) id: TaskId,
    pub(super) tab: Tab,
    /// Whether the task has ended, so that nothing more will come.
    pub(super) has_ended: bool,
    /// How much of a long text was asked for: 0 for its end, and one more for each time that a person wanted to see what
    /// is before it.
    pub(super) depth: u32,
    pub(super) refresh: u32,
}

/// A tab of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Activity,
    Diff,
    Log,
    Result,
    Details,
}

impl Tab {
    /// All tabs, in their order.
    pub(super) const ALL: [Self; TABS.len()] = [Self::Activity, Self::Diff, Self::Log, Self::Result, Self::Details];

    /// The tab's place.
    pub(super) fn place(self) -> usize {
        self as usize
    }

    /// The tab this many places further; behind the last one comes the first one.
    pub(super) fn moved(self, by: usize) -> Self {
        Self::ALL[(self.place() + by) % Self::ALL.len()]
    }
}
