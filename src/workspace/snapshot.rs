//! Snapshots.
//!
//! ```text
//! copy of the index ─▶ list changed and untracked files ─▶ leave out what is not covered ─▶ update the index
//!                   ─▶ write the tree ─▶ commit it
//! ```
//!
//! After the index was updated, the snapshot is *captured*: the rest does not read the work tree, so an agent need not
//! wait for it.
//!
//! The first snapshot starts from the user's index, a later one of the same shadow from the index of the one before. So
//! it does not matter what the agent does to the user's index, HEAD or branches in between.

use std::{os::unix::ffi::OsStrExt, thread};

use super::{
    candidates::{Candidates, candidates},
    copies::omit_copies,
    git_error::GitError,
    git_paths::nul_separated,
    ignored::omit_formerly_ignored,
    place::{self, Head, is_unmoved, object_id},
    shadow::{Shadow, ShadowError},
    unfiltered::omit_unusable_filters,
};
use crate::task::{GitPath, ObjectId, Omission, OmissionReason};

/// The maximum number of files that git may fail to read before the snapshot fails.
const MAX_FAILURES: usize = 64;

/// A snapshot: a commit with what the user sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit. If nothing was changed, it is the parent.
    pub commit: ObjectId,
    /// Its tree.
    pub tree: ObjectId,
    /// The commit that the user had checked out; `None` if there was none yet, or it was not needed.
    pub head: Option<ObjectId>,
    /// The short name of the branch that was checked out; `None` if HEAD was detached or not needed.
    pub branch: Option<GitPath>,
    /// The number of files that differ from `head`; 0 if that was not needed.
    pub uncommitted: u64,
    /// Files that exist and are not in the snapshot, or only with the content of an earlier one.
    pub omitted: Vec<Omission>,
}

/// Knowledge about the user's HEAD.
#[derive(Debug)]
pub(super) enum UserHead {
    /// Nothing: it has to be asked for.
    Unknown,
    /// It was asked for just now.
    Known(Head),
    /// It does not matter.
    Unneeded,
}

/// The content of a snapshot that is not complete yet: it is in the shadow's index and its object directory.
#[derive(Debug)]
pub(super) struct Captured {
    head: Option<Head>,
    candidates: Candidates,
}

impl Shadow {
    /// Takes a snapshot with this commit message. Its parents are `parents`, or the user's HEAD if that is `None`.
    ///
    /// The objects are only in the shadow repository until they are [published](Shadow::publish).
    pub fn snapshot(&mut self, message: &str, parents: Option<&[ObjectId]>) -> Result<Snapshot, SnapshotError> {
        let captured = self.capture(UserHead::Unknown, parents)?;
        self.complete(captured, message, parents)
    }

    /// Reads all files that the snapshot needs. Afterwards, they may change.
    pub(super) fn capture(&self, head: UserHead, parents: Option<&[ObjectId]>) -> Result<Captured, SnapshotError> {
        if !is_unmoved(self.place()) {
            return Err(SnapshotError::Moved);
        }
        let (head, listed) = match head {
            UserHead::Known(head) => (Ok(Some(head)), candidates(self)),
            UserHead::Unneeded => (Ok(None), candidates(self)),
            // Several processes at a time, because somebody waits for this.
            UserHead::Unknown => thread::scope(|scope| {
                let head = scope.spawn(|| place::head(self.git(), self.place()));
                let listed = candidates(self);
                (head.join().unwrap_or_else(|_| Err(unexpected("rev-parse"))).map(Some), listed)
            }),
        };
        let head = match (head, parents) {
            (Ok(head), _) => head,
            // An agent may have broken HEAD, which is not needed then.
            (Err(GitError::Failed { .. }), Some(_)) => Some(Head::default()),
            (Err(error), _) => return Err(error.into()),
        };
        let mut candidates = match listed {
            Err(GitError::Failed { .. }) if !self.earlier.exists => {
                // The user's index is damaged, or its copy is.
                self.reset_index()?;
                candidates(self)?
            }
            listed => listed?,
        };
        omit_unusable_filters(self, &mut candidates)?;
        omit_formerly_ignored(self, &mut candidates)?;
        omit_copies(self, &mut candidates)?;
        self.update_index(&mut candidates)?;
        for fifo in self.git().fifos() {
            if let Ok(path) = fifo.strip_prefix(&self.place().top) {
                candidates.omit(path.as_os_str().as_bytes(), OmissionReason::Unreadable);
            }
        }
        Ok(Captured { head, candidates })
    }

    /// Makes a snapshot of what was captured. Does not read the work tree.
    pub(super) fn complete(
        &mut self,
        captured: Captured,
        message: &str,
        parents: Option<&[ObjectId]>,
    ) -> Result<Snapshot, SnapshotError> {
        let Captured { head, candidates } = captured;
        let is_same = candidates.changed.is_empty() && candidates.removed.is_empty();
        let tree = match &self.earlier.last {
            Some((_, tree)) if is_same => tree.clone(),
            Some(_) | None => self.write_tree()?,
        };
        let (head, uncommitted, commit) = match head {
            None => (Head::default(), 0, self.commit(message, &Head::default(), parents, &tree)?),
            Some(head) => thread::scope(|scope| {
                let uncommitted = scope.spawn(|| self.count_uncommitted(&head, &tree));
                let commit = self.commit(message, &head, parents, &tree);
                let uncommitted = uncommitted.join().unwrap_or_else(|_| Err(unexpected("diff-tree")));
                Ok::<_, GitError>((head.clone(), uncommitted?, commit?))
            })?,
        };
        let omitted = candidates.omissions();
        self.earlier.add_omitted(&omitted);
        self.earlier.untracked.extend(candidates.untracked);
        self.earlier.is_sparse |= candidates.is_sparse;
        if let Some(ignored) = candidates.ignored {
            self.earlier.ignored = ignored;
            self.earlier.modes = candidates.modes;
        }
        self.earlier.last = Some((commit.clone(), tree.clone()));
        Ok(Snapshot { commit, tree, head: head.commit, branch: head.branch, uncommitted, omitted })
    }

    /// Writes the tree of the index.
    fn write_tree(&self) -> Result<ObjectId, GitError> {
        // Without checking that each object exists: in a partial clone, some do not.
        let tree = self.command(["write-tree", "--missing-ok"]).run()?;
        object_id(&tree).ok_or_else(|| unexpected("write-tree"))
    }

    fn update_index(&self, candidates: &mut Candidates) -> Result<(), GitError> {
        if !candidates.changed.is_empty() {
            let paths: Vec<Vec<u8>> = candidates.changed.iter().cloned().collect();
            // First without those that are replaced by others: a directory by a file with the same name.
            self.remove(candidates)?;
            let mut failures = Vec::new();
            self.add(&paths, &mut failures)?;
            for path in failures {
                candidates.omit(&path, OmissionReason::Unreadable);
            }
        }
        self.remove(candidates)
    }

    fn remove(&self, candidates: &Candidates) -> Result<(), GitError> {
        if candidates.removed.is_empty() {
            return Ok(());
        }
        let command = self.command(["update-index", "--force-remove", "-z", "--stdin"]);
        command.stdin(nul_separated(&candidates.removed)).run().map(drop)
    }

    /// Adds the content of files to the index. A file that has disappeared is left out. One that git cannot read, for
    /// example because its filter fails, is found by halving the list, and added to `failures`.
    fn add(&self, paths: &[Vec<u8>], failures: &mut Vec<Vec<u8>>) -> Result<(), GitError> {
        let command = self.command(["update-index", "--add", "--remove", "--replace", "-z", "--stdin"]);
        match command.stdin(nul_separated(paths)).run() {
            Ok(_) => Ok(()),
            Err(error @ GitError::Failed { .. }) => {
                let is_full = error.stderr().is_some_and(|text| text.raw().contains("No space left"));
                if is_full || failures.len() >= MAX_FAILURES {
                    return Err(error);
                }
                if let [path] = paths {
                    failures.push(path.clone());
                    return Ok(());
                }
                let (first, second) = paths.split_at(paths.len() / 2);
                self.add(first, failures)?;
                self.add(second, failures)
            }
            Err(error) => Err(error),
        }
    }

    fn count_uncommitted(&self, head: &Head, tree: &ObjectId) -> Result<u64, GitError> {
        let files = match &head.tree {
            Some(committed) if committed == tree => return Ok(0),
            Some(committed) => {
                self.object_command(["diff-tree", "-r", "--name-only", "-z", committed.as_str(), tree.as_str()])
            }
            None => self.command(["ls-files", "-z"]),
        };
        let files = files.run()?;
        Ok(files.iter().filter(|byte| **byte == 0).count() as u64)
    }

    /// Commits a tree, unless its only parent has the same.
    fn commit(
        &self,
        message: &str,
        head: &Head,
        parents: Option<&[ObjectId]>,
        tree: &ObjectId,
    ) -> Result<ObjectId, GitError> {
        let parents = parents.unwrap_or(head.commit.as_slice());
        if let [parent] = parents {
            let is_head = head.commit.as_ref() == Some(parent) && head.tree.as_ref() == Some(tree);
            let is_last = self.earlier.last.as_ref().is_some_and(|last| (&last.0, &last.1) == (parent, tree));
            if is_head || is_last {
                return Ok(parent.clone());
            }
        }
        let parents = parents.iter().flat_map(|parent| ["-p", parent.as_str()]);
        let commit = self.object_command(["commit-tree", tree.as_str(), "-m", message]).args(parents).run()?;
        object_id(&commit).ok_or_else(|| unexpected("commit-tree"))
    }
}

fn unexpected(command: &str) -> GitError {
    GitError::Unexpected { command: command.into() }
}

/// A snapshot could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The work tree or its git directory is no longer where it was.
    #[error("the work tree or its git directory was removed, or replaced by a symbolic link")]
    Moved,
    /// The shadow repository failed.
    #[error(transparent)]
    Shadow(#[from] ShadowError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
