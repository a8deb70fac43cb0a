//! Finishes or reverts an operation that was interrupted while it wrote files.
//!
//! Each file of the operation is compared with both sides:
//!
//! | the file is | then |
//! |---|---|
//! | as wanted | nothing is left to do |
//! | as on the other side | it is written |
//! | missing or incomplete, [as git leaves it](super::interrupted) when it is killed or fails | it is written |
//! | anything else, or not readable for git | it is left alone and reported |
//!
//! Before that, processes that still write files of the operation are killed.
//!
//! Nothing is lost in any case: the snapshot before the operation and its target are kept under refs.

use std::collections::BTreeSet;

use super::{
    beneath::Below,
    checkout::{Checkout, CheckoutError},
    interrupted::{Found, Toward, inspect},
    operation_error::OperationError,
    permissions::restrict_to,
    restrict::restrict,
    shadow::Shadow,
};
use crate::task::{GitPath, NarrowMode, Operation};

/// The result of [`write_side`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SideWritten {
    /// The files that were written or removed.
    pub(super) written: Vec<GitPath>,
    /// The files that somebody changed meanwhile, or that git cannot read.
    pub(super) left: Vec<GitPath>,
}

/// Brings the files of an interrupted operation to one of its sides. `shadow` is new, and its base is the target.
pub(super) fn write_side(
    shadow: &mut Shadow,
    operation: &Operation,
    toward: Toward,
) -> Result<SideWritten, OperationError> {
    let message = "codex-connector: before the recovery of an operation";
    let parents = std::slice::from_ref(&operation.ours);
    let mut now = shadow.snapshot(message, Some(parents))?;
    let mut found = inspect(shadow, operation, toward, &now)?;
    if !found.unreadable.is_empty() {
        // git would not replace a file that it cannot read. Nothing is lost: it has the beginning of what is written.
        let top = Below::open(&shadow.place().top).map_err(OperationError::Inspect)?;
        for path in &found.unreadable {
            top.remove(path.as_path()).map_err(OperationError::Inspect)?;
        }
        now = shadow.snapshot(message, Some(parents))?;
        found = inspect(shadow, operation, toward, &now)?;
    }
    let wanted = match toward {
        Toward::Target => &operation.target,
        Toward::Ours => &operation.ours,
    };
    let (mut pending, mut left) = (BTreeSet::new(), Vec::new());
    for (path, found) in found.files {
        match found {
            Found::Wanted => {}
            Found::Other | Found::Missing | Found::Incomplete => drop(pending.insert(path)),
            Found::Changed => left.push(path),
        }
    }
    loop {
        let target = restrict(shadow, &now.tree, wanted, |path| pending.contains(path))?;
        match Checkout::prepare(shadow, &now.tree, &target) {
            Ok(checkout) => {
                let written = checkout.paths();
                checkout.write(&[])?;
                restrict_modes(shadow, operation, toward, &left);
                left.sort();
                return Ok(SideWritten { written, left });
            }
            Err(CheckoutError::Conflicts(conflicts)) if conflicts.iter().any(|file| pending.contains(&file.path)) => {
                for conflict in conflicts {
                    if pending.remove(&conflict.path) {
                        left.push(conflict.path);
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes permissions from the files that they do not have on this side: also from those that git wrote before it was
/// killed.
fn restrict_modes(shadow: &Shadow, operation: &Operation, toward: Toward, left: &[GitPath]) {
    for NarrowMode { path, before, after } in operation.modes.iter().filter(|mode| !left.contains(&mode.path)) {
        let mode = match toward {
            Toward::Target => after,
            Toward::Ours => before,
        };
        if let Some(mode) = mode {
            restrict_to(&shadow.place().top.join(path.as_path()), *mode);
        }
    }
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
