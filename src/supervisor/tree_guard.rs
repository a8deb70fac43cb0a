//! The agent's processes, and what becomes of them when their supervisor fails.

use crate::process::ProcessTree;

/// A tree that is killed when its supervisor fails: nobody else knows it as well.
pub(super) struct ProcessTreeGuard {
    tree: ProcessTree,
    is_watched: bool,
}

impl ProcessTreeGuard {
    /// Watches over `tree`.
    pub(super) fn new(tree: ProcessTree) -> Self {
        Self { tree, is_watched: true }
    }

    /// Everything that could be stopped has been; the rest is left running on purpose.
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
