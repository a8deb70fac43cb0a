//! Checks that files can be written to a work tree without losing anything. Changes nothing.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    io::{self, ErrorKind},
    path::{Component, Path},
};

use rustix::fs::{Access, access};

use super::raw_diff::{Difference, Mode};
use crate::task::{ConflictReason, FileConflict, GitPath};

/// The files of a work tree that an operation is about to write.
pub(super) struct Preflight<'a> {
    /// The top of the work tree.
    pub(super) top: &'a Path,
    /// The changes of the operation.
    pub(super) changes: &'a BTreeMap<GitPath, Difference>,
}

/// The state of a path's directory.
enum Parent {
    /// A directory that is reached without a symbolic link.
    Directory,
    /// Nothing, now or as soon as the operation has removed a file or link in its place.
    Nothing,
    /// Something that the operation leaves there.
    Blocked(ConflictReason),
}

impl Preflight<'_> {
    /// The files that cannot be written, in the order of their paths. The content of files is not compared.
    ///
    /// Fails if a file cannot be inspected.
    pub(super) fn conflicts(&self) -> io::Result<Vec<FileConflict>> {
        let mut conflicts = Vec::new();
        for (path, change) in self.changes {
            if let Some(reason) = self.conflict(path, change)? {
                conflicts.push(FileConflict { path: path.clone(), reason });
            }
        }
        Ok(conflicts)
    }

    fn conflict(&self, path: &GitPath, change: &Difference) -> io::Result<Option<ConflictReason>> {
        let path = path.as_path();
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(Some(ConflictReason::InTheWay));
        }
        let full = self.top.join(path);
        let found = match self.parent(path)? {
            Parent::Directory => inspect(&full)?,
            Parent::Nothing => None,
            Parent::Blocked(reason) => return Ok(Some(reason)),
        };
        let conflict = match (&change.old, found) {
            (Some(old), Some(found)) if has_mode(&found, old.mode) => None,
            (Some(_), _) => Some(ConflictReason::ChangedMeanwhile),
            (None, None) => None,
            (None, Some(found)) if found.is_dir() && self.removes_all_in(path)? => None,
            (None, Some(_)) => Some(ConflictReason::InTheWay),
        };
        Ok(conflict.or((!is_writable(&full)).then_some(ConflictReason::NotWritable)))
    }

    /// Looks at each directory of a path, from the top down.
    fn parent(&self, path: &Path) -> io::Result<Parent> {
        let mut above: Vec<_> = path.ancestors().skip(1).filter(|dir| !dir.as_os_str().is_empty()).collect();
        above.reverse();
        for dir in above {
            match inspect(&self.top.join(dir))? {
                None => return Ok(Parent::Nothing),
                Some(found) if found.is_dir() => {}
                Some(_) if self.removes(dir) => return Ok(Parent::Nothing),
                Some(found) if found.is_symlink() => return Ok(Parent::Blocked(ConflictReason::BehindLink)),
                Some(_) => return Ok(Parent::Blocked(ConflictReason::InTheWay)),
            }
        }
        Ok(Parent::Directory)
    }

    /// Whether the operation removes the file or link with this path.
    fn removes(&self, path: &Path) -> bool {
        self.changes.get(&GitPath::from(path)).is_some_and(|change| change.old.is_some() && change.new.is_none())
    }

    /// Whether the operation removes everything in the directory `dir`, so that a file can take its place.
    fn removes_all_in(&self, dir: &Path) -> io::Result<bool> {
        for entry in fs::read_dir(self.top.join(dir))? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            let is_removed =
                if entry.file_type()?.is_dir() { self.removes_all_in(&path)? } else { self.removes(&path) };
            if !is_removed {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The metadata of this path, without following a symbolic link. `None` if nothing is there.
fn inspect(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Whether the type of a file is the one of this mode. The permission to execute it is not compared.
fn has_mode(found: &Metadata, mode: Mode) -> bool {
    match mode {
        Mode::File | Mode::Executable => found.is_file(),
        Mode::Link => found.is_symlink(),
        Mode::Repository => found.is_dir(),
    }
}

/// Whether files can be created and removed in the directory of `path`, or in the closest one that exists.
fn is_writable(path: &Path) -> bool {
    let dir = path.ancestors().skip(1).find(|dir| dir.is_dir());
    dir.is_some_and(|dir| access(dir, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

#[cfg(test)]
#[path = "preflight_tests.rs"]
mod tests;
