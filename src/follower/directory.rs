//! Waits for changes in a directory.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use tokio::time::timeout;

use super::{
    POLL_INTERVAL,
    watches::{Watch, Watches},
};

/// Reports that files may have been created, replaced or written in a directory, which need not exist yet.
#[derive(Debug)]
pub struct DirectoryWatch {
    path: PathBuf,
    watches: Watches,
    watch: Watch,
    /// The device and inode of the watched directory.
    watched: Option<(u64, u64)>,
}

impl DirectoryWatch {
    /// Watches this directory.
    pub fn new(path: &Path, watches: &Watches) -> Self {
        Self { path: path.to_owned(), watches: watches.clone(), watch: Watch::default(), watched: None }
    }

    /// Waits until something may have changed: until a change is reported, for at most a second. Accesses the file
    /// system.
    pub async fn changed(&mut self) {
        let found = fs::metadata(&self.path).ok().map(|found| (found.dev(), found.ino()));
        if found.is_some() && found != self.watched {
            self.watches.begin();
            self.watches.watch(&self.path, &self.watch);
            self.watched = found;
            // Something may have changed before it was watched.
            return;
        }
        let _ = timeout(POLL_INTERVAL, self.watch.reported()).await;
    }
}
