//! Which sessions of Claude Code are open, so that the end of a task is reported to the one that started it.
//!
//! A process that belongs to a session holds a lock on `sessions/<session>` for as long as it runs: the session's
//! server, and its `notify --follow`. So a session is *present* while one of them runs, and *gone* afterwards, however
//! they ended. When a session is resumed, it has the same ID and is present again.
//!
//! The file contains the name of the session's window. After `/clear`, a window has another session for its hooks, but
//! the server keeps the previous one, and the conversation is still the right place for its tasks. So a listener
//! in the same window counts as the session itself.
//!
//! The lock is shared, because a session can have several such processes. To look, another process tries to lock the
//! file exclusively; if it succeeds, the session is gone, and the file is removed.

use std::{
    fs::{self, FileTimes, TryLockError},
    io::Write,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use chrono::{DateTime, Utc};

use super::{
    error::StoreError,
    files,
    layout::Layout,
    listener::{Listener, Presence},
    lock_file::LockFile,
    upkeep::Upkeep,
};
use crate::task::{TaskRecord, is_session_id};

/// How long the lock may be held by processes that only look.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// Number of attempts to lock the file exclusively, in case another process is looking at that moment.
const LOOK_ATTEMPTS: u32 = 3;

/// The pause between two attempts.
const LOOK_PAUSE: Duration = Duration::from_millis(1);

/// The sessions of one data directory.
#[derive(Debug, Clone)]
pub struct Sessions {
    layout: Arc<Layout>,
}

/// Keeps a session present until it is dropped.
#[derive(Debug)]
pub struct PresentSession {
    _lock: LockFile,
}

impl Sessions {
    /// The sessions in this data directory.
    pub fn of(upkeep: &Upkeep) -> Self {
        Self { layout: Arc::clone(upkeep.layout()) }
    }

    /// Makes the session in this window present until the returned value is dropped. Returns `None` if this is not a
    /// session's ID.
    pub fn enter(&self, session: &str, window: Option<&str>) -> Result<Option<PresentSession>, StoreError> {
        if !is_session_id(session) {
            return Ok(None);
        }
        files::make_private_dir(&self.layout.sessions())?;
        let path = self.layout.session(session);
        let deadline = Instant::now() + LOOK_TIMEOUT;
        loop {
            let file = LockFile::from(files::mark(&path)?);
            match file.try_lock_shared() {
                Ok(()) if files::is_at(&path, &file) => {
                    let now = FileTimes::new().set_modified(SystemTime::now());
                    let window = window.unwrap_or_default();
                    // Other processes of the session write the same.
                    let written =
                        (&*file).write_all(window.as_bytes()).and_then(|()| file.set_len(window.len() as u64));
                    written.and_then(|()| file.set_times(now)).map_err(StoreError::at("write", &path))?;
                    return Ok(Some(PresentSession { _lock: file }));
                }
                // A process that looked has just removed it.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOOK_PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::at("lock", path)(std::io::ErrorKind::TimedOut.into()));
                }
                Err(TryLockError::Error(error)) => return Err(StoreError::at("lock", path)(error)),
            }
        }
    }

    /// Whether an answer to `listener`, which asked for it, counts as the report of this task's end.
    pub fn is_told_by_answer(&self, listener: &Listener, record: &TaskRecord) -> bool {
        listener.is_told_by_answer(record, |session| self.find(session))
    }

    /// Looks for this session. Returns `None` if it is gone.
    pub(super) fn find(&self, session: &str) -> Option<Presence> {
        if !is_session_id(session) {
            return None;
        }
        let path = self.layout.session(session);
        for _ in 0..LOOK_ATTEMPTS {
            let file = LockFile::from(files::open(&path).ok()?);
            match file.try_lock() {
                Ok(()) => {
                    if files::is_at(&path, &file) {
                        let _ = files::remove(&path);
                    }
                    return None;
                }
                Err(TryLockError::WouldBlock) => thread::sleep(LOOK_PAUSE),
                // A file system without locks is refused elsewhere.
                Err(TryLockError::Error(_)) => return None,
            }
        }
        let entered = fs::metadata(&path).and_then(|found| found.modified());
        let window =
            files::read(&path, files::MAX_SMALL_FILE_BYTES).ok().and_then(|window| String::from_utf8(window).ok());
        let window = window.filter(|window| !window.is_empty());
        Some(Presence { since: entered.map_or_else(|_| Utc::now(), DateTime::from), window })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::upkeep;

    #[test]
    fn a_session_is_present_while_one_of_its_processes_runs() {
        let (_dir, upkeep) = upkeep();
        let sessions = Sessions::of(&upkeep);
        let enter = |window| sessions.enter("one", window).expect("it is writable").expect("it is a session's ID");
        assert_eq!(sessions.find("one"), None);
        let server = enter(Some("the first window"));
        let monitor = enter(Some("window"));
        let window = |session| sessions.find(session).map(|found| found.window);
        assert_eq!((window("one"), window("two")), (Some(Some("window".to_owned())), None));
        drop(server);
        assert!(sessions.find("one").is_some());
        drop(monitor);
        assert_eq!(sessions.find("one"), None);
        assert!(!upkeep.layout().session("one").exists(), "the file of a session that is gone is removed");
        let _again = enter(None);
        assert_eq!(window("one"), Some(None));
    }

    #[test]
    fn a_name_that_is_not_a_session_is_never_a_path() {
        let (_dir, upkeep) = upkeep();
        let sessions = Sessions::of(&upkeep);
        for name in ["", "..", "a/b", "../config.toml", "a\n", &"x".repeat(65)] {
            assert!(sessions.enter(name, None).expect("it is ignored").is_none(), "{name}");
            assert_eq!(sessions.find(name), None, "{name}");
        }
    }
}
