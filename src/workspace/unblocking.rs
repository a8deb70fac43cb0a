//! FIFOs that git opens and would wait for forever.
//!
//! An agent can create a FIFO named `.gitignore`, or replace a file of the git directory by one. git opens it, and waits
//! for a process that writes to it. So if git takes longer than usual, such FIFOs are searched for and opened for writing
//! for a moment. git then sees an empty file.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use rustix::fs::OFlags;

/// How long git may take before FIFOs are searched for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a known FIFO is opened while git runs.
const INTERVAL: Duration = Duration::from_millis(20);

/// The names of files that git opens in a work tree.
const OPENED: [&str; 3] = [".gitignore", ".gitattributes", ".gitmodules"];

/// The directory of a git directory in which there is nothing to search for, because it is large.
const OBJECTS: &str = "objects";

/// The FIFOs that were found so far.
#[derive(Debug, Default)]
pub(super) struct Fifos(Mutex<BTreeSet<PathBuf>>);

impl Fifos {
    /// Their paths.
    pub(super) fn paths(&self) -> BTreeSet<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Unblocks git until the sender of `finished` is dropped. Searches in this work tree and this git directory.
    pub(super) fn unblock(&self, work_tree: Option<&Path>, git_dir: Option<&Path>, finished: &Receiver<()>) {
        let is_running = |time| finished.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        let known = self.paths();
        if known.is_empty() {
            if !is_running(PATIENCE) {
                return;
            }
            let mut found = BTreeSet::new();
            for (top, is_opened) in [(git_dir, is_anything as fn(&Path) -> bool), (work_tree, is_opened_by_git)] {
                if let Some(top) = top {
                    search(top, is_opened, &|| is_running(Duration::ZERO), &mut found);
                }
            }
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        }
        let known = self.paths();
        while !known.is_empty() && is_running(INTERVAL) {
            known.iter().for_each(|path| open_for_a_moment(path));
        }
    }
}

/// Fails, without waiting, unless a process waits for a writer.
fn open_for_a_moment(fifo: &Path) {
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    if fifo.symlink_metadata().is_ok_and(|found| found.file_type().is_fifo()) {
        drop(File::options().write(true).custom_flags(flags).open(fifo));
    }
}

fn is_anything(_: &Path) -> bool {
    true
}

fn is_opened_by_git(path: &Path) -> bool {
    path.file_name().is_some_and(|name| OPENED.iter().any(|opened| name == *opened))
}

/// Searches the directory `top`, without following symbolic links, as long as `is_running`. Does not enter git directories
/// below it.
fn search(top: &Path, is_opened: fn(&Path) -> bool, is_running: &dyn Fn() -> bool, found: &mut BTreeSet<PathBuf>) {
    let mut remaining = vec![top.to_owned()];
    while let Some(directory) = remaining.pop().filter(|_| is_running()) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            if kind.is_fifo() && is_opened(&entry.path()) {
                found.insert(entry.path());
            } else if kind.is_dir() && name != ".git" && name != OBJECTS {
                remaining.push(entry.path());
            }
        }
    }
}
