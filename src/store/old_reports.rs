//! Removes the files of old reports of ends.

use std::{fs, time::Duration};

use super::{files, layout::Layout, lock_file::LockFile};

/// How long a file is kept after its last change. Longer than ends are announced.
pub(super) const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Removes the files of reports that are too old to matter.
pub(super) fn remove(layout: &Layout) {
    let is_old = |file: &fs::DirEntry| {
        let changed = file.metadata().and_then(|file| file.modified());
        changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > KEPT))
    };
    for file in fs::read_dir(layout.reports()).into_iter().flatten().flatten().filter(is_old) {
        // An old file can still be locked by a call that has been waiting for that long.
        if files::write(&file.path()).map(LockFile::from).is_ok_and(|old| old.try_lock().is_ok()) {
            let _ = files::remove(&file.path());
        }
    }
}
