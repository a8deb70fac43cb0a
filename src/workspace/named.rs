//! The files that an agent's events name, as paths of the repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use connector_api::FileChangeKind;

use crate::task::{ChangedPath, GitPath, Place};

/// The files that events name, as an agent writes them: absolute, or relative to the working directory. Each has the
/// kind of its last change.
pub type NamedFiles = BTreeMap<PathBuf, FileChangeKind>;

/// The paths of files in the work tree, relative to its top, in order. Paths outside the work tree are left out.
///
/// Does not look at the file system: the agent may have changed it.
pub(super) fn named_paths(place: &Place, named: &NamedFiles) -> Vec<GitPath> {
    let paths: BTreeSet<GitPath> = named.keys().filter_map(|path| named_path(place, path)).collect();
    paths.into_iter().collect()
}

/// Adds to `paths`, which are the [`named_paths`], those that follow from `changed`, the task's changes:
///
/// - the changed file to which a named symbolic link leads, or which is named by a path through one, if the name itself
///   is not the path of a changed file,
/// - the new path of a renamed file whose old path is named as updated. Codex 0.171.0 reports a move this way, without
///   the new path.
///
/// Looks for symbolic links in the file system as it is after the task.
pub(super) fn add_implied(place: &Place, named: &NamedFiles, changed: &[ChangedPath], paths: &mut Vec<GitPath>) {
    let known: BTreeSet<&GitPath> = changed.iter().flat_map(ChangedPath::both_paths).collect();
    let mut all: BTreeSet<GitPath> = paths.drain(..).collect();
    let mut updated = BTreeSet::new();
    for (path, kind) in named {
        let literal = named_path(place, path);
        let is_known = literal.as_ref().is_some_and(|path| known.contains(path));
        let found = if is_known { literal } else { through_links(place, path, &known) };
        let Some(found) = found else { continue };
        if *kind == FileChangeKind::Updated {
            updated.insert(found.clone());
        }
        all.insert(found);
    }
    let is_updated = |file: &&ChangedPath| file.old_path.as_ref().is_some_and(|old| updated.contains(old));
    all.extend(changed.iter().filter(is_updated).map(|file| file.path.clone()));
    paths.extend(all);
}

fn named_path(place: &Place, path: &Path) -> Option<GitPath> {
    in_tree(place, &normalized(&absolute(place, path))?)
}

/// The changed file that a path leads to through symbolic links. The last part is followed only if the link itself is
/// not changed.
fn through_links(place: &Place, path: &Path, known: &BTreeSet<&GitPath>) -> Option<GitPath> {
    let path = absolute(place, path);
    let in_directory = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    let is_known = |found: PathBuf| in_tree(place, &found).filter(|path| known.contains(path));
    in_directory().and_then(is_known).or_else(|| path.canonicalize().ok().and_then(is_known))
}

fn absolute(place: &Place, path: &Path) -> PathBuf {
    place.top.join(&place.prefix).join(path)
}

/// The path relative to the top; `None` for the top itself and everything outside.
fn in_tree(place: &Place, path: &Path) -> Option<GitPath> {
    let relative = path.strip_prefix(&place.top).ok()?;
    (!relative.as_os_str().is_empty()).then(|| GitPath::from_bytes(relative.as_os_str().as_bytes()))
}

/// The absolute path without `.` and `..`; `None` if it leads above the root.
fn normalized(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => normal.push(part),
        }
    }
    Some(normal)
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
