//! The working directory while an agent is in it.
//!
//! The agent starts in the directory that was checked, but many agents ask for its path and look that path up again: Codex
//! does for each command and for its sandbox, and an agent that gets its directory in an argument or a message knows
//! nothing but the path. Where `ceiling.roots` limits the directories, neither the directory nor its path may lead out of
//! the roots from before the agent starts until it has ended:
//!
//! | the path leads to | e.g. | the agent |
//! |---|---|---|
//! | the same directory, which never moved | | works on |
//! | the same directory, which was moved and moved back | a race: what was there in between is unknown | is killed |
//! | something outside the roots | a symbolic link in its place | is killed |
//! | nothing, or another directory in the roots | `git checkout` of a branch without it, `git worktree move` | works on |
//!
//! On Linux the kernel reports each move; elsewhere, and for what the kernel does not report (a mount), the path is looked
//! up ten times a second, and more often once something has moved. An agent can have done something in the moment between
//! the move and its end, which is some milliseconds on Linux.

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

/// How often the path is looked up while nothing has moved.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How often it is looked up while it leads to nothing, or to another directory.
const FAST_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// How long the look at the end of a run may take.
const FINAL_CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// A directory that may not lead out of the roots.
pub(super) struct DirectoryWatch {
    target: Arc<WatchedDirectory>,
    lost: oneshot::Receiver<()>,
    is_lost: bool,
}

impl DirectoryWatch {
    /// Watches from now on. `roots` are those of the ceiling. Fails if the system has no thread left for it.
    pub(super) fn watch(directory: Arc<Directory>, roots: &[PathBuf]) -> io::Result<Self> {
        let (sender, lost) = oneshot::channel();
        let target = Arc::new(WatchedDirectory::new(directory, roots));
        let watched = Arc::clone(&target);
        // A thread of its own: to look a path up can take as long as a dead mount likes.
        thread::Builder::new().name("directory".into()).spawn(move || {
            while !sender.is_closed() {
                let Some(pause) = watched.look() else {
                    // Nobody listens once the agent has ended.
                    let _ = sender.send(());
                    return;
                };
                watched.wait(pause);
            }
        })?;
        Ok(Self { target, lost, is_lost: false })
    }

    /// Returns once, when the agent may not work on. Can be dropped while it waits.
    pub(super) async fn lost(&mut self) {
        if self.is_lost {
            std::future::pending::<()>().await;
        }
        // The watching thread only drops its end without a word if it panicked: then nothing watches any more.
        let _ = (&mut self.lost).await;
        self.is_lost = true;
    }

    /// The violation, if the directory ever led out of the roots, or may have, for the record. A task with one has failed.
    pub(super) async fn violation(&self) -> Option<Warning> {
        let directory = self.target.directory.real_path().display();
        // Also what happened just before the agent ended counts.
        let end = if self.is_lost { FinalCheck::Outside } else { self.final_check().await };
        let (message, advice) = match end {
            FinalCheck::Inside => return None,
            FinalCheck::Outside => (
                format!(
                    "the working directory {directory} was moved or replaced while the agent worked, and `ceiling.roots` \
                     limits where agents work; it may have worked elsewhere for a moment"
                ),
                "see what moved it and what the agent changed; then start the task again",
            ),
            FinalCheck::Unknown => (
                format!(
                    "the working directory {directory} could not be checked when the agent ended, and `ceiling.roots` limits \
                     where agents work; the agent may have moved it"
                ),
                "check that the directory can be reached, and what the agent changed; then start the task again",
            ),
        };
        Some(Warning { message, advice: Some(advice.to_owned()) })
    }

    /// One last look, which a dead mount cannot hold up for long.
    async fn final_check(&self) -> FinalCheck {
        let (sender, answer) = oneshot::channel();
        let target = Arc::clone(&self.target);
        let look = move || {
            let is_inside = target.look().is_some();
            let _ = sender.send(if is_inside { FinalCheck::Inside } else { FinalCheck::Outside });
        };
        match thread::Builder::new().spawn(look) {
            Ok(_) => {
                timeout(FINAL_CHECK_TIMEOUT, answer).await.ok().and_then(Result::ok).unwrap_or(FinalCheck::Unknown)
            }
            Err(_) => FinalCheck::Unknown,
        }
    }
}

/// Where the directory and its path lead when the agent has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FinalCheck {
    Inside,
    /// It leads out of the roots, or did at some time.
    Outside,
    /// There was no answer in time.
    Unknown,
}

/// The directory, its path, and the roots.
struct WatchedDirectory {
    directory: Arc<Directory>,
    roots: Vec<PathBuf>,
    #[cfg(target_os = "linux")]
    watch_renames: Option<RenameWatch>,
    /// Whether it was ever seen to lead out of the roots. Who looks holds the lock, so that no move is taken twice.
    is_lost: Mutex<bool>,
}

impl WatchedDirectory {
    fn new(directory: Arc<Directory>, roots: &[PathBuf]) -> Self {
        #[cfg(target_os = "linux")]
        let watch_renames = directory.watch_renames().inspect_err(|error| {
            tracing::warn!(%error, "the kernel reports no moves of the working directory; its path is looked up instead");
        });
        Self {
            directory,
            // A root that cannot be found admits nothing, as in the ceiling.
            roots: roots.iter().filter_map(|root| root.canonicalize().ok()).collect(),
            #[cfg(target_os = "linux")]
            watch_renames: watch_renames.ok(),
            is_lost: Mutex::new(false),
        }
    }

    /// How long to wait before the next look; nothing if it leads, or may have led, out of the roots.
    fn look(&self) -> Option<Duration> {
        let mut is_lost = self.is_lost.lock().unwrap_or_else(PoisonError::into_inner);
        let has_moved = self.take_renames();
        let path = self.directory.real_path();
        let is_home = self.directory.is_at(path);
        let leads_out = path.canonicalize().is_ok_and(|real| !self.is_inside(&real));
        let is_out = self.directory.current_path().is_some_and(|now| !self.is_inside(&now));
        *is_lost |= leads_out || is_out || (is_home && has_moved);
        match (*is_lost, is_home) {
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

    /// Waits until something has moved, for at most `max_wait`.
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
            let dir = tempfile::tempdir().expect("a temporary directory can be made");
            let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
            for made in [&root.join("above/working"), &outside] {
                fs::create_dir_all(made).expect("it is writable");
            }
            Self { _dir: dir, root, outside }
        }

        fn working(&self) -> PathBuf {
            self.root.join("above/working")
        }

        fn watch(&self) -> DirectoryWatch {
            let directory = Directory::open(&self.working()).expect("it is there");
            DirectoryWatch::watch(Arc::new(directory), std::slice::from_ref(&self.root))
                .expect("a thread can be started")
        }
    }

    #[tokio::test]
    async fn a_directory_that_leads_out_of_the_roots_is_lost_once() {
        type DirectoryChange = fn(&Roots);
        let changes: [(&str, DirectoryChange); 4] = [
            ("replaced by a link", |roots| {
                fs::rename(roots.working(), roots.root.join("x")).expect("it is ours");
                symlink(&roots.outside, roots.working()).expect("it is writable");
            }),
            ("below a link", |roots| {
                fs::create_dir(roots.outside.join("working")).expect("it is writable");
                fs::rename(roots.root.join("above"), roots.root.join("x")).expect("it is ours");
                symlink(&roots.outside, roots.root.join("above")).expect("it is writable");
            }),
            ("moved out", |roots| fs::rename(roots.working(), roots.outside.join("x")).expect("it is ours")),
            ("removed, and a link in its place", |roots| {
                fs::remove_dir(roots.working()).expect("it is empty");
                symlink(&roots.outside, roots.working()).expect("it is writable");
            }),
        ];
        for (name, change) in changes {
            let roots = Roots::new();
            let mut watch = roots.watch();
            assert!(timeout(POLL_INTERVAL * 2, watch.lost()).await.is_err(), "{name}: nothing has happened yet");
            change(&roots);
            timeout(TEST_TIMEOUT, watch.lost()).await.expect(name);
            assert!(timeout(POLL_INTERVAL, watch.lost()).await.is_err(), "{name}: it is reported once");
            let violation = watch.violation().await.expect("it stays known");
            assert!(violation.message.contains("`ceiling.roots`"), "{name}: {violation:?}");
        }
    }

    /// As in a race: the path leads to the directory again before anyone has looked.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_move_that_is_undone_at_once_is_noticed_at_every_level() {
        for moved in ["above", "above/working"] {
            let roots = Roots::new();
            let mut watch = roots.watch();
            let (here, there) = (roots.root.join(moved), roots.root.join("elsewhere"));
            fs::rename(&here, &there).expect("it is ours");
            fs::rename(&there, &here).expect("it is ours");
            timeout(TEST_TIMEOUT, watch.lost()).await.expect(moved);
        }
    }

    #[expect(clippy::await_holding_lock, reason = "the lock stands for a look that does not return")]
    #[tokio::test(start_paused = true)]
    async fn a_directory_that_cannot_be_checked_at_the_end_is_a_violation() {
        let roots = Roots::new();
        let watch = roots.watch();
        // As if a look at a dead mount did not return.
        let stuck = watch.target.is_lost.lock().expect("no look panics");
        let violation = watch.violation().await.expect("nothing is known");
        drop(stuck);
        assert!(violation.message.contains("could not be checked"), "{violation:?}");
    }

    #[tokio::test]
    async fn an_agent_may_change_its_directory_inside_the_roots() {
        type DirectoryChange = fn(&Roots);
        let changes: [(&str, DirectoryChange); 3] = [
            ("removed", |roots| fs::remove_dir(roots.working()).expect("it is empty")),
            ("removed and made anew", |roots| {
                fs::remove_dir(roots.working()).expect("it is empty");
                fs::create_dir(roots.working()).expect("it is writable");
            }),
            ("renamed", |roots| fs::rename(roots.working(), roots.root.join("x")).expect("it is ours")),
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
