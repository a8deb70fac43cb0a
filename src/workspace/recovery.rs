//! Finishes or reverts an operation that was interrupted while it wrote files.
//!
//! Each file of the operation is compared with both sides:
//!
//! | the file is | then |
//! |---|---|
//! | as wanted | nothing is left to do |
//! | as on the other side | it is written |
//! | missing or incomplete, as git leaves it when it is killed | it is written |
//! | anything else | somebody changed it: it is left alone and reported |
//!
//! Before that, processes that still write files of the operation are killed.
//!
//! Nothing is lost in any case: the snapshot before the operation and its target are kept under refs.

use std::collections::BTreeSet;

use super::{
    checkout::{Checkout, CheckoutError},
    git_error::GitError,
    operation_error::OperationError,
    raw_diff::{Content, differences},
    restrict::restrict,
    shadow::Shadow,
};
use crate::task::{GitPath, Operation};

/// The side to which the files are brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Toward {
    /// The content after the operation.
    Target,
    /// The content before it.
    Ours,
}

/// The result of [`settle`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// The files that were written or removed.
    pub(super) written: Vec<GitPath>,
    /// The files that somebody changed meanwhile.
    pub(super) left: Vec<GitPath>,
}

/// Brings the files of an interrupted operation to one of its sides. `shadow` is new, and its base is the target.
pub(super) fn settle(shadow: &mut Shadow, operation: &Operation, toward: Toward) -> Result<Settled, OperationError> {
    let message = "codex-connector: before the recovery of an operation";
    let now = shadow.snapshot(message, Some(std::slice::from_ref(&operation.ours)))?;
    let (wanted, other) = match toward {
        Toward::Target => (&operation.target, &operation.ours),
        Toward::Ours => (&operation.ours, &operation.target),
    };
    let to_wanted = differences(shadow, &now.tree, wanted)?;
    let to_other = differences(shadow, &now.tree, other)?;
    let (mut pending, mut left) = (BTreeSet::new(), Vec::new());
    for path in &operation.paths {
        let Some(difference) = to_wanted.get(path) else { continue };
        let other = to_other.get(path);
        let target = match (toward, other) {
            (Toward::Target, _) => difference.new.as_ref(),
            (Toward::Ours, Some(other)) => other.new.as_ref(),
            (Toward::Ours, None) => difference.old.as_ref(),
        };
        if other.is_none() || is_incomplete(shadow, difference.old.as_ref(), target)? {
            pending.insert(path.clone());
        } else {
            left.push(path.clone());
        }
    }
    loop {
        let target = restrict(shadow, &now.tree, wanted, |path| pending.contains(path))?;
        match Checkout::prepare(shadow, &now.tree, &target) {
            Ok(checkout) => {
                let written = checkout.paths();
                checkout.write()?;
                left.sort();
                return Ok(Settled { written, left });
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

/// Whether a file may be what git left when it was killed: it removes a file before it writes the new one.
fn is_incomplete(shadow: &Shadow, now: Option<&Content>, target: Option<&Content>) -> Result<bool, GitError> {
    let Some(target) = target else { return Ok(false) };
    let Some(now) = now else { return Ok(true) };
    if !now.mode.is_file() || !target.mode.is_file() {
        return Ok(false);
    }
    let read = |content: &Content| shadow.object_command(["cat-file", "blob", content.object.as_str()]).run();
    let (now, target) = (read(now)?, read(target)?);
    // The end may be half of a line break.
    Ok(target.starts_with(now.strip_suffix(b"\r").unwrap_or(&now)))
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
