//! The working directory while an agent is in it.
//!
//! The agent starts in the directory that was checked, but many agents ask for its path and look that path up again: Codex
//! does for each command and for its sandbox, and an agent that gets its directory in an argument or a message knows
//! nothing but the path. Where `ceiling.roots` limits the directories, the path must therefore keep leading to the
//! directory. This cannot prevent that an agent works elsewhere for a moment, but it ends it.

use std::{sync::Arc, time::Duration};

use connector_api::{Complaint, Outcome, Verdict};
use tokio::{sync::oneshot, task::JoinHandle, time::sleep};

use crate::{
    blocking::{CALLER_PATHS, NoAnswer, PATH_DEADLINE},
    directory::Directory,
};

/// How often the path is looked up.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A directory that has to stay where it is.
pub(super) struct DirectoryWatch {
    directory: Arc<Directory>,
    lost: oneshot::Receiver<()>,
    is_lost: bool,
    /// Looks the path up. It is a task of its own, because waiting for [`lost`](Self::lost) is often interrupted.
    watcher: JoinHandle<()>,
}

impl DirectoryWatch {
    /// Watches from now on.
    pub(super) fn watch(directory: Arc<Directory>) -> Self {
        let (tell, lost) = oneshot::channel();
        let watched = Arc::clone(&directory);
        let watcher = tokio::spawn(async move {
            loop {
                let looked_up = Arc::clone(&watched);
                match CALLER_PATHS.run(PATH_DEADLINE, move || looked_up.is_at(looked_up.real_path())).await {
                    Ok(true) | Err(NoAnswer) => sleep(LOOK_EVERY).await,
                    Ok(false) => break,
                }
            }
            // Nobody listens once the agent has ended.
            let _ = tell.send(());
        });
        Self { directory, lost, is_lost: false, watcher }
    }

    /// Returns once, when the path leads elsewhere. Can be dropped while it waits.
    pub(super) async fn lost(&mut self) {
        if self.is_lost || (&mut self.lost).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.is_lost = true;
    }

    /// Makes a failure of the verdict on an agent that was stopped for this.
    pub(super) fn judge(&self, verdict: &mut Verdict) {
        if self.is_lost {
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

impl Drop for DirectoryWatch {
    fn drop(&mut self) {
        self.watcher.abort();
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
}
