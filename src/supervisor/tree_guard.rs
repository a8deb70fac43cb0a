//! Kills the agent's processes if their supervisor panics.

use crate::process::ProcessTree;

/// Kills the process tree when dropped, unless it is disarmed.
pub(super) struct ProcessTreeGuard {
    tree: ProcessTree,
    is_watched: bool,
}

impl ProcessTreeGuard {
    /// Guards `tree`.
    pub(super) fn new(tree: ProcessTree) -> Self {
        Self { tree, is_watched: true }
    }

    /// Disarms the guard: everything was stopped, or is left running on purpose.
    pub(super) fn disarm(&mut self) {
        self.is_watched = false;
    }
}

impl std::ops::Deref for ProcessTreeGuard {
    type Target = ProcessTree;

    fn deref(&self) -> &ProcessTree {
        &self.tree
    }
}

impl Drop for ProcessTreeGuard {
    fn drop(&mut self) {
        if self.is_watched {
            self.tree.kill();
        }
    }
}
