//! The agent's processes, and what becomes of them when their supervisor fails.

use crate::process::Tree;

/// A tree that is killed when its supervisor fails: nobody else knows it as well.
pub(super) struct Guarded {
    tree: Tree,
    is_watched: bool,
}

impl Guarded {
    /// Watches over `tree`.
    pub(super) fn new(tree: Tree) -> Self {
        Self { tree, is_watched: true }
    }

    /// Everything that could be stopped has been; the rest is left running on purpose.
    pub(super) fn let_go(&mut self) {
        self.is_watched = false;
    }
}

impl std::ops::Deref for Guarded {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        &self.tree
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.is_watched {
            self.tree.kill();
        }
    }
}
