//! Watches the working directory while an agent is in it.
//!
//! The agent starts in the directory that was checked. But many agents look up the directory's path again: Codex does
//! so for each command and for its sandbox, and an agent that receives its directory as an argument or in a message has
//! only the path. If `ceiling.roots` limits the directories, neither the directory nor its path may lead out of the
//! roots while the agent is running:
//!
//! | the path leads to | example | the agent |
//! |---|---|---|
//! | the same directory, which never moved | | continues |
//! | the same directory, moved and moved back | a race: in between, the path may have led anywhere | is killed |
//! | something outside the roots | a symbolic link in its place | is killed |
//! | nothing, or another directory in the roots | `git worktree move`, `git checkout` of a branch without it | continues |
//!
//! On Linux the kernel reports each move. On other systems, and for changes that the kernel does not report (such as a
//! mount), the path is looked up ten times a second, and more often once it no longer leads to the directory. The agent
//! can still act between a move and its own end, which on Linux is a matter of milliseconds.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use connector_api::Warning;
use tokio::{sync::oneshot, time::timeout};

use crate::directory::Directory;
#[cfg(target_os = "linux")]
use crate::directory::RenameWatch;

/// How often the path is looked up.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The same, while the path leads to nothing or to another directory.
const FAST_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// How long the check at the end of a run may take.
const FINAL_CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Watches that a directory does not lead out of the roots.
pub(super) struct DirectoryWatch {
    target: Arc<WatchedDirectory>,
    lost: oneshot::Receiver<()>,
    is_lost: bool,
}

impl DirectoryWatch {
    /// Starts watching. `roots` are those of the ceiling. Fails if the system cannot start another thread.
    pub(super) fn watch(directory: Arc<Directory>, roots: &[PathBuf]) -> io::Result<Self> {
        let (sender, lost) = oneshot::channel();
        let target = Arc::new(WatchedDirectory::new(directory, roots));
        let watched = Arc::clone(&target);
        // A separate thread, because looking up a path on a dead mount can block.
        thread::Builder::new().name("directory".into()).spawn(move || {
            while !sender.is_closed() {
                let Some(pause) = watched.check() else {
                    // The receiver is gone if the agent has ended.
                    let _ = sender.send(());
                    return;
                };
                watched.wait(pause);
            }
        })?;
        Ok(Self { target, lost, is_lost: false })
    }

    /// Returns once, when the agent must be killed. Can be dropped while it waits.
    pub(super) async fn lost(&mut self) {
        if self.is_lost {
            std::future::pending::<()>().await;
        }
        // The watching thread drops its sender without sending only if it panicked. Then nothing is watching any more.
        let _ = (&mut self.lost).await;
        self.is_lost = true;
    }

    /// The violation for the record, if the directory led out of the roots, or may have. A task with a violation has
    /// failed.
    pub(super) async fn violation(&self) -> Option<Warning> {
        let directory = self.target.directory.real_path().display();
        // A move just before the agent's end also counts.
        let end = if self.is_lost { FinalCheck::Outside } else { self.final_check().await };
        let (message, advice) = match end {
            FinalCheck::Inside => return None,
            FinalCheck::Outside => (
                format!(
                    "the working directory {directory} was moved or replaced while the agent was running, and \
                     `ceiling.roots` limits where agents may work; it may have worked outside for a moment"
                ),
                "find out what moved it and what the agent changed; then start the task again",
            ),
            FinalCheck::Unknown => (
                format!(
                    "the working directory {directory} could not be checked when the agent ended, and `ceiling.roots` \
                     limits where agents may work; the agent may have moved it"
                ),
                "check that the directory can be accessed, and what the agent changed; then start the task again",
            ),
        };
        Some(Warning { message, advice: Some(advice.to_owned()) })
    }

    /// A last check, with a timeout in case of a dead mount.
    async fn final_check(&self) -> FinalCheck {
        let (sender, answer) = oneshot::channel();
        let target = Arc::clone(&self.target);
        let check = move || {
            let is_inside = target.check().is_some();
            let _ = sender.send(if is_inside { FinalCheck::Inside } else { FinalCheck::Outside });
        };
        match thread::Builder::new().spawn(check) {
            Ok(_) => {
                timeout(FINAL_CHECK_TIMEOUT, answer).await.ok().and_then(Result::ok).unwrap_or(FinalCheck::Unknown)
            }
            Err(_) => FinalCheck::Unknown,
        }
    }
}

/// The result of the check at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FinalCheck {
    Inside,
    /// The directory or its path leads out of the roots, or did so before.
    Outside,
    /// The check did not finish in time.
    Unknown,
}

/// The directory, its path, and the roots.
struct WatchedDirectory {
    directory: Arc<Directory>,
    roots: Vec<PathBuf>,
    #[cfg(target_os = "linux")]
    watch_renames: Option<RenameWatch>,
    /// Whether the directory was ever found to lead out of the roots. A check holds this lock, so that it sees all
    /// moves.
    is_lost: Mutex<bool>,
}

impl WatchedDirectory {
    fn new(directory: Arc<Directory>, roots: &[PathBuf]) -> Self {
        #[cfg(target_os = "linux")]
        let watch_renames = directory.watch_renames().inspect_err(|error| {
            tracing::warn!(%error, "the kernel cannot report moves of the working directory; polling its path instead");
        });
        Self {
            directory,
            // A root that does not exist admits nothing, as in the ceiling.
            roots: roots.iter().filter_map(|root| root.canonicalize().ok()).collect(),
            #[cfg(target_os = "linux")]
            watch_renames: watch_renames.ok(),
            is_lost: Mutex::new(false),
        }
    }

    /// How long to wait before the next check; `None` if the directory leads out of the roots, or may have.
    fn check(&self) -> Option<Duration> {
        let mut is_lost = self.is_lost.lock().unwrap_or_else(PoisonError::into_inner);
        let has_moved = self.take_renames();
        let path = self.directory.real_path();
        let is_unchanged = self.directory.is_at(path);
        let leads_out = path.canonicalize().is_ok_and(|real| !self.is_inside(&real));
        let is_out = self.directory.current_path().is_some_and(|now| !self.is_inside(&now));
        *is_lost |= leads_out || is_out || (is_unchanged && has_moved);
        match (*is_lost, is_unchanged) {
            (true, _) => None,
            (false, true) => Some(POLL_INTERVAL),
            (false, false) => Some(FAST_POLL_INTERVAL),
        }
    }

    fn is_inside(&self, real: &Path) -> bool {
        self.roots.iter().any(|root| real.starts_with(root))
    }

    #[cfg(target_os = "linux")]
    fn take_renames(&self) -> bool {
        self.watch_renames.as_ref().is_some_and(RenameWatch::take)
    }

    #[cfg(not(target_os = "linux"))]
    fn take_renames(&self) -> bool {
        false
    }

    /// Waits until something moves, but at most for `max_wait`.
    fn wait(&self, max_wait: Duration) {
        #[cfg(target_os = "linux")]
        if let Some(watch_renames) = &self.watch_renames {
            return watch_renames.wait(max_wait);
        }
        thread::sleep(max_wait);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use tokio::time::timeout;

    use super::*;

    const TEST_TIMEOUT: Duration = Duration::from_secs(60);

    struct Roots {
        _dir: tempfile::TempDir,
        root: PathBuf,
        outside: PathBuf,
    }

    impl Roots {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a temporary directory can be created");
            let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
            for new in [&root.join("above/working"), &outside] {
                fs::create_dir_all(new).expect("it is writable");
            }
            Self { _dir: dir, root, outside }
        }

        fn working(&self) -> PathBuf {
            self.root.join("above/working")
        }

        fn watch(&self) -> DirectoryWatch {
            let directory = Directory::open(&self.working()).expect("it exists");
            DirectoryWatch::watch(Arc::new(directory), std::slice::from_ref(&self.root))
                .expect("a thread can be started")
        }
    }

    #[tokio::test]
    async fn a_directory_that_leads_out_of_the_roots_is_lost_once() {
        type DirectoryChange = fn(&Roots);
        let changes: [(&str, DirectoryChange); 4] = [
            ("replaced by a link", |roots| {
                fs::rename(roots.working(), roots.root.join("x")).expect("we own it");
                symlink(&roots.outside, roots.working()).expect("it is writable");
            }),
            ("below a link", |roots| {
                fs::create_dir(roots.outside.join("working")).expect("it is writable");
                fs::rename(roots.root.join("above"), roots.root.join("x")).expect("we own it");
                symlink(&roots.outside, roots.root.join("above")).expect("it is writable");
            }),
            ("moved out", |roots| fs::rename(roots.working(), roots.outside.join("x")).expect("we own it")),
            ("removed, and a link in its place", |roots| {
                fs::remove_dir(roots.working()).expect("it is empty");
                symlink(&roots.outside, roots.working()).expect("it is writable");
            }),
        ];
        for (name, change) in changes {
            let roots = Roots::new();
            let mut watch = roots.watch();
            assert!(timeout(POLL_INTERVAL * 2, watch.lost()).await.is_err(), "{name}: nothing has changed yet");
            change(&roots);
            timeout(TEST_TIMEOUT, watch.lost()).await.expect(name);
            assert!(timeout(POLL_INTERVAL, watch.lost()).await.is_err(), "{name}: it is reported once");
            let violation = watch.violation().await.expect("the violation is remembered");
            assert!(violation.message.contains("`ceiling.roots`"), "{name}: {violation:?}");
        }
    }

    /// Like in a race: the path leads to the directory again before the next check.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_move_that_is_undone_at_once_is_noticed_at_every_level() {
        for moved in ["above", "above/working"] {
            let roots = Roots::new();
            let mut watch = roots.watch();
            let (here, there) = (roots.root.join(moved), roots.root.join("elsewhere"));
            fs::rename(&here, &there).expect("we own it");
            fs::rename(&there, &here).expect("we own it");
            timeout(TEST_TIMEOUT, watch.lost()).await.expect(moved);
        }
    }

    #[expect(clippy::await_holding_lock, reason = "the lock simulates a check that does not return")]
    #[tokio::test(start_paused = true)]
    async fn a_directory_that_cannot_be_checked_at_the_end_is_a_violation() {
        let roots = Roots::new();
        let watch = roots.watch();
        // Simulates a check that is blocked by a dead mount.
        let blocked = watch.target.is_lost.lock().expect("no check panics");
        let violation = watch.violation().await.expect("the check times out");
        drop(blocked);
        assert!(violation.message.contains("could not be checked"), "{violation:?}");
    }

    #[tokio::test]
    async fn an_agent_may_change_its_directory_inside_the_roots() {
        type DirectoryChange = fn(&Roots);
        let changes: [(&str, DirectoryChange); 3] = [
            ("removed", |roots| fs::remove_dir(roots.working()).expect("it is empty")),
            ("removed and created again", |roots| {
                fs::remove_dir(roots.working()).expect("it is empty");
                fs::create_dir(roots.working()).expect("it is writable");
            }),
            ("renamed", |roots| fs::rename(roots.working(), roots.root.join("x")).expect("we own it")),
        ];
        for (name, change) in changes {
            let roots = Roots::new();
            let mut watch = roots.watch();
            change(&roots);
            assert!(timeout(POLL_INTERVAL * 3, watch.lost()).await.is_err(), "{name}");
            assert_eq!(watch.violation().await, None, "{name}");
        }
    }
}
