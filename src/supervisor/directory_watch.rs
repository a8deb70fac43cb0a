//! The working directory while an agent is in it.
//!
//! The agent starts in the directory that was checked, but many agents ask for its path and look that path up again: Codex
//! does for each command and for its sandbox, and an agent that gets its directory in an argument or a message knows
//! nothing but the path. Where `ceiling.roots` limits the directories, the path must therefore keep leading to the
//! directory from before the agent starts until it has ended, and whatever moves it ends the agent at once. On Linux the
//! kernel reports each move; elsewhere, and for what the kernel does not report (a mount), the path is looked up ten times
//! a second.
//!
//! An agent can have done something in the moment between the move and its end, which is some milliseconds on Linux.

use std::{sync::Arc, thread, time::Duration};

use connector_api::{Complaint, Outcome, Verdict};
use tokio::sync::oneshot;

use crate::directory::Directory;
#[cfg(target_os = "linux")]
use crate::directory::Moves;

/// How often the path is looked up.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A directory that has to stay where it is.
pub(super) struct DirectoryWatch {
    directory: Arc<Directory>,
    moved: Arc<Moved>,
    lost: oneshot::Receiver<()>,
    is_lost: bool,
}

impl DirectoryWatch {
    /// Watches from now on.
    pub(super) fn watch(directory: Arc<Directory>) -> Self {
        let (tell, lost) = oneshot::channel();
        let moved = Arc::new(Moved::watch(&directory));
        let (watched, moves) = (Arc::clone(&directory), Arc::clone(&moved));
        // A thread of its own: to look a path up can take as long as a dead mount likes.
        let watcher = thread::Builder::new().name("directory".into()).spawn(move || {
            while !tell.is_closed() {
                if !watched.is_at(watched.real_path()) || moves.any_within(LOOK_EVERY) {
                    // Nobody listens once the agent has ended.
                    let _ = tell.send(());
                    return;
                }
            }
        });
        if let Err(error) = watcher {
            // The agent is stopped: the channel has lost its other end.
            tracing::error!(%error, "the working directory cannot be watched");
        }
        Self { directory, moved, lost, is_lost: false }
    }

    /// Returns once, when the path leads elsewhere. Can be dropped while it waits.
    pub(super) async fn lost(&mut self) {
        if self.is_lost {
            std::future::pending::<()>().await;
        }
        // The other end is only gone without a word if nothing watches.
        let _ = (&mut self.lost).await;
        self.is_lost = true;
    }

    /// Makes a failure of the verdict on an agent whose directory did not stay where it was.
    pub(super) fn judge(&self, verdict: &mut Verdict) {
        // Also what moved it just before the agent ended counts.
        if self.is_lost || self.moved.any_within(Duration::ZERO) {
            let said = format!(
                "the working directory {} was moved or replaced while the agent worked, and `ceiling.roots` limits where \
                 agents work; it may have worked elsewhere for a moment",
                self.directory.real_path().display()
            );
            let advice = "see what moved it and what the agent changed; then start the task again".to_owned();
            verdict.outcome = Outcome::Failed(Complaint { said, advice: Some(advice), cause: None });
        }
    }
}

/// What the kernel reports of the directory and those above it.
struct Moved {
    #[cfg(target_os = "linux")]
    moves: Option<Moves>,
}

impl Moved {
    #[cfg(target_os = "linux")]
    fn watch(directory: &Directory) -> Self {
        let moves = directory.moves().inspect_err(|error| {
            tracing::warn!(%error, "the kernel reports no moves of the working directory; its path is looked up instead");
        });
        Self { moves: moves.ok() }
    }

    #[cfg(not(target_os = "linux"))]
    fn watch(_: &Directory) -> Self {
        Self {}
    }

    /// Waits so long, or until something has moved. Returns whether it has.
    fn any_within(&self, patience: Duration) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(moves) = &self.moves {
            return moves.any_within(patience);
        }
        thread::sleep(patience);
        false
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use tokio::time::timeout;

    use super::*;

    const GENEROUS: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_directory_whose_path_leads_elsewhere_is_lost_once() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        for change in ["moved", "replaced", "removed"] {
            let path = dir.path().join(change);
            fs::create_dir(&path).expect("it is writable");
            let directory = Arc::new(Directory::open(&path).expect("it is there"));
            let mut watch = DirectoryWatch::watch(directory);
            assert!(timeout(LOOK_EVERY * 3, watch.lost()).await.is_err(), "{change}: nothing has happened yet");
            match change {
                "removed" => fs::remove_dir(&path).expect("it is empty"),
                _ => fs::rename(&path, dir.path().join(format!("{change} elsewhere"))).expect("it is ours"),
            }
            if change == "replaced" {
                symlink("/", &path).expect("it is writable");
            }
            timeout(GENEROUS, watch.lost()).await.expect(change);
            assert!(timeout(LOOK_EVERY * 2, watch.lost()).await.is_err(), "{change}: it is reported once");
        }
    }

    /// As in a race: the path leads to the directory again before anyone has looked.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_move_that_is_taken_back_at_once_is_noticed_wherever_it_is() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        for moved in ["above", "above/working"] {
            let path = dir.path().join("above/working");
            fs::create_dir_all(&path).expect("it is writable");
            let directory = Arc::new(Directory::open(&path).expect("it is there"));
            let mut watch = DirectoryWatch::watch(directory);
            let (here, there) = (dir.path().join(moved), dir.path().join("elsewhere"));
            fs::rename(&here, &there).expect("it is ours");
            fs::rename(&there, &here).expect("it is ours");
            timeout(GENEROUS, watch.lost()).await.expect(moved);
        }
    }
}
