//! The data directory: the only code that knows the names of its files.
//!
//! Everything that one process of codex-connector tells another about a task passes through here. Records and the
//! index are replaced atomically, so that a reader sees an old file or a new one and never half of one.
//!
//! | what | truth for | written by |
//! |---|---|---|
//! | [`records`](Store::read_record) | one task | whoever holds the task's [`Lease`] |
//! | [`index`](Store::list) | nothing: it can be rebuilt from the records | whoever holds its lock, at most 2 s |
//! | [`live`](Store::read_live) | this second | the supervisor |
//! | [`cancel`](Store::request_cancel) | that someone wants the task stopped | anyone |

mod archive;
mod atomic;
mod capped;
#[cfg_attr(not(test), expect(dead_code, reason = "the store still lists from tasks.json"))]
mod catalog;
mod elsewhere;
mod fault;
mod files;
mod index;
mod layout;
mod lease;
mod locks;
mod log;
mod pieces;
mod probes;
mod queue;
mod records;
mod retention;
mod run;
mod tail;
#[cfg(test)]
mod tests;
mod token;
mod told;

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

pub use index::Listing;
pub use lease::{Claim, Lease};
pub use log::{EventsWriter, LogWriter};
pub use pieces::{Extent, FileFacts, Piece, TaskFile};
pub use probes::ProbeKey;
pub use queue::{Place, Turn};
pub use records::ResultText;
pub use tail::Tail;
pub use told::Untold;

use crate::task::TaskId;
use layout::Layout;

/// One data directory.
#[derive(Debug)]
pub struct Store {
    layout: Layout,
    /// What went wrong and was mended, for the next answer to a user.
    notices: Mutex<Vec<String>>,
}

impl Store {
    /// Opens the data directory, and makes it (0700) when it is not there.
    ///
    /// Both paths are absolute. Fails with [`StoreError`] when a directory cannot be made, is another user's, or may be
    /// written to by everyone.
    pub fn open(data_dir: &Path, log_dir: &Path) -> Result<Self, StoreError> {
        let layout = Layout { data: data_dir.to_owned(), logs: log_dir.to_owned() };
        for dir in [layout.data.clone(), layout.logs.clone(), layout.run_root()] {
            files::make_private_dir(&dir)?;
            files::check_owner(&dir)?;
        }
        // The original program left its directory open to all. Where the logs are may be the user's own choice.
        let _ = fs::set_permissions(&layout.data, Permissions::from_mode(0o700));
        Ok(Self { layout, notices: Mutex::default() })
    }

    /// Removes what killed writers left half-written.
    pub fn remove_leftovers(&self) {
        for dir in [&self.layout.data, &self.layout.logs] {
            atomic::remove_leftovers(dir);
        }
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.layout.data
    }

    /// Where logs, results and records are.
    pub fn log_dir(&self) -> &Path {
        &self.layout.logs
    }

    /// What was found damaged or out of date since the last call, in words for people.
    pub fn take_notices(&self) -> Vec<String> {
        self.notices.lock().map(|mut notices| std::mem::take(&mut *notices)).unwrap_or_default()
    }

    /// Keeps a notice that a task whose supervisor is gone cannot be finalized now.
    pub fn notice_unfinalized(&self, id: &TaskId, error: &StoreError) {
        self.notice(format!(
            "task {id} has lost its supervisor and cannot be finalized now: {error}; until then it is shown as its record says"
        ));
    }

    /// Keeps a sentence for [`take_notices`](Self::take_notices), once, and logs it.
    fn notice(&self, notice: String) {
        tracing::warn!(notice, "data directory");
        if let Ok(mut notices) = self.notices.lock()
            && !notices.contains(&notice)
        {
            notices.push(notice);
        }
    }
}

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct StoreError {
    /// What was to be done, as in "write".
    pub doing: &'static str,
    /// With which file or directory.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl StoreError {
    /// Names the path and what was to be done with it: `.map_err(StoreError::at("read", path))`.
    fn at(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self { doing, path, source }
    }
}

/// `read` or `None` when there is no such file.
fn if_there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
