//! Remembers why a worktree was kept, and how much space it takes up.
//!
//! To find out, git compares all its files, and all directories are read. So the result is used again for an hour, unless
//! the top directory, the git directory or the snapshot has changed since. Meanwhile, a worktree can only be kept for
//! longer than necessary.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use chrono::{DateTime, TimeDelta, Utc};

use super::tree_removal::WhyKept;
use crate::task::{ExaminedTree, ObjectId, TaskWorkspace, Worktree};

/// How long a result is used.
const MAX_AGE: TimeDelta = TimeDelta::hours(1);

/// The files of a git directory that change with the index, HEAD and the commits, and the directory itself.
const FILES: [&str; 4] = ["", "index", "HEAD", "logs/HEAD"];

/// Why a worktree was kept, if nothing suggests that this has changed.
pub(super) fn known(tree: &Worktree, after: Option<&ObjectId>, now: DateTime<Utc>) -> Option<WhyKept> {
    let examined = tree.examined.as_ref()?;
    let age = now - examined.at;
    let is_recent = age >= TimeDelta::zero() && age < MAX_AGE;
    let is_same = Some(&examined.after) == after && last_change(tree) == examined.changed;
    (is_recent && is_same).then(|| WhyKept::Examined(examined.why.clone()))
}

/// Remembers why the worktree of a task is kept. Must be called after everything that changes its git directory.
pub(super) fn remember(workspace: &mut TaskWorkspace, why: &WhyKept, now: DateTime<Utc>) {
    let Some(after) = workspace.after.clone() else { return };
    let Some(tree) = &mut workspace.worktree else { return };
    let (changed, bytes) = (last_change(tree), disk_usage(&tree.path));
    tree.examined = Some(Box::new(ExaminedTree { at: now, after, changed, why: why.to_string(), bytes }));
}

/// The latest change, in nanoseconds since 1970.
fn last_change(tree: &Worktree) -> i64 {
    let changed = |path: &Path| {
        let found = path.symlink_metadata().ok()?;
        Some(found.ctime().saturating_mul(1_000_000_000).saturating_add(found.ctime_nsec()))
    };
    let files = FILES.iter().map(|name| tree.git_dir.join(name));
    files.chain([tree.path.clone()]).filter_map(|path| changed(&path)).max().unwrap_or_default()
}

/// The space that a directory takes up, in bytes. Unreadable directories do not count.
pub(super) fn disk_usage(dir: &Path) -> u64 {
    let mut total = 0;
    let mut remaining = vec![dir.to_owned()];
    while let Some(dir) = remaining.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            // Does not follow symbolic links.
            let Ok(found) = entry.metadata() else { continue };
            total += found.blocks() * 512;
            if found.is_dir() {
                remaining.push(entry.path());
            }
        }
    }
    total
}
