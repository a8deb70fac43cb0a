//! The names of all files in the data directory.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::task::TaskId;

/// The paths of one data directory.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) data: PathBuf,
    pub(super) logs: PathBuf,
}

impl Layout {
    /// Both paths are absolute.
    pub(super) fn new(data_dir: &Path, log_dir: &Path) -> Self {
        Self { data: data_dir.to_owned(), logs: log_dir.to_owned() }
    }

    pub(super) fn index(&self) -> PathBuf {
        self.data.join("tasks.json")
    }

    /// Locked while the index is written. A separate file, because the index itself is replaced.
    pub(super) fn index_lock(&self) -> PathBuf {
        self.data.join("tasks.lock")
    }

    /// Exists while records are missing from the index.
    pub(super) fn index_dirty(&self) -> PathBuf {
        self.data.join("tasks.dirty")
    }

    /// Exists while a writer adds the missing records to the index.
    pub(super) fn index_repairing(&self) -> PathBuf {
        self.data.join("tasks.mending")
    }

    /// The catalog: every task, for listings.
    pub(super) fn catalog(&self) -> PathBuf {
        self.data.join("index.sqlite")
    }

    /// The catalog's write-ahead log, which each change of the catalog changes.
    pub(super) fn catalog_log(&self) -> PathBuf {
        self.data.join("index.sqlite-wal")
    }

    /// Locked while the catalog is rebuilt.
    pub(super) fn catalog_lock(&self) -> PathBuf {
        self.data.join("index.lock")
    }

    /// The tasks that the catalog lacks.
    pub(super) fn catalog_pending(&self) -> PathBuf {
        self.data.join("index.pending")
    }

    pub(super) fn archive(&self, now: DateTime<Utc>) -> PathBuf {
        self.data.join(format!("{ARCHIVE_PREFIX}{}.json", stamp(now)))
    }

    pub(super) fn probes(&self) -> PathBuf {
        self.data.join("probes.json")
    }

    pub(super) fn http_token(&self) -> PathBuf {
        self.data.join("http-token")
    }

    /// A file for each reported end of a task.
    pub(super) fn reports(&self) -> PathBuf {
        self.data.join("reports")
    }

    /// Locked while a process reports the end of the task, and not empty once it was reported.
    pub(super) fn report(&self, id: &TaskId) -> PathBuf {
        self.reports().join(id.as_str())
    }

    /// A file for each present session.
    pub(super) fn sessions(&self) -> PathBuf {
        self.data.join("sessions")
    }

    /// Locked while a process of the session runs.
    pub(super) fn session(&self, session: &str) -> PathBuf {
        self.sessions().join(session)
    }

    /// Up to which time `notify` of version 2.0.0 reported ends to each session.
    pub(super) fn told_2_0_0(&self) -> PathBuf {
        self.data.join("told.json")
    }

    /// The ends of tasks that nobody has reported yet.
    pub(super) fn unreported(&self) -> PathBuf {
        self.data.join("unreported.json")
    }

    /// Locked while `unreported.json` is read and replaced.
    pub(super) fn unreported_lock(&self) -> PathBuf {
        self.data.join("unreported.lock")
    }

    /// A file for each task that has a workspace in git.
    pub(super) fn workspaces(&self) -> PathBuf {
        self.data.join("workspaces")
    }

    pub(super) fn workspace(&self, id: &TaskId) -> PathBuf {
        self.workspaces().join(format!("{id}{WORKSPACE_SUFFIX}"))
    }

    /// A file for each repository in which a process changes files or refs.
    pub(super) fn workspace_locks(&self) -> PathBuf {
        self.workspaces().join("locks")
    }

    /// A directory for each command that needs a shadow repository.
    pub(super) fn workspace_temp(&self) -> PathBuf {
        self.workspaces().join("tmp")
    }

    pub(super) fn run_root(&self) -> PathBuf {
        self.data.join("run")
    }

    pub(super) fn run(&self, id: &TaskId) -> PathBuf {
        self.run_root().join(id.as_str())
    }

    pub(super) fn lease(&self, id: &TaskId) -> PathBuf {
        self.run(id).join("lease")
    }

    pub(super) fn policy(&self, id: &TaskId) -> PathBuf {
        self.run(id).join("policy.json")
    }

    /// Contains the directory of the task's log, result and record.
    pub(super) fn log_dir_of(&self, id: &TaskId) -> PathBuf {
        self.run(id).join("log-dir")
    }

    pub(super) fn cgroup(&self, id: &TaskId) -> PathBuf {
        self.run(id).join("cgroup")
    }

    /// Exists while the task waits in the queue.
    pub(super) fn ticket(&self, id: &TaskId) -> PathBuf {
        self.run(id).join("ticket")
    }

    /// A file for each task that may run at the same time; a running task locks one of them.
    pub(super) fn slots(&self) -> PathBuf {
        self.data.join("places")
    }

    /// A directory for each work tree in which tasks write.
    pub(super) fn writers(&self) -> PathBuf {
        self.data.join("writers")
    }

    /// Exists while the task waits for others that write in the same work tree.
    pub(super) fn waits_for_tree(&self, id: &TaskId) -> PathBuf {
        self.run(id).join("waits-for-tree")
    }

    pub(super) fn cancel(&self, id: &TaskId) -> PathBuf {
        self.run(id).join("cancel")
    }

    /// Exists if the task's time limit has passed and its supervisor did not end it.
    pub(super) fn overdue(&self, id: &TaskId) -> PathBuf {
        self.run(id).join("overdue")
    }

    pub(super) fn live(&self, id: &TaskId) -> PathBuf {
        self.run(id).join("live.json")
    }

    /// Exists while the task is being removed.
    pub(super) fn removing(&self, id: &TaskId) -> PathBuf {
        self.run(id).join("removing")
    }

    pub(super) fn supervisor_log(&self, id: &TaskId) -> PathBuf {
        self.run(id).join("supervisor.log")
    }

    pub(super) fn log(&self, id: &TaskId) -> PathBuf {
        self.logs.join(format!("{id}.log"))
    }

    pub(super) fn result(&self, id: &TaskId) -> PathBuf {
        self.logs.join(format!("{id}.result"))
    }

    pub(super) fn record(&self, id: &TaskId) -> PathBuf {
        self.logs.join(format!("{id}{RECORD_SUFFIX}"))
    }

    pub(super) fn events(&self, id: &TaskId) -> PathBuf {
        self.logs.join(format!("{id}.events.jsonl"))
    }

    pub(super) fn timeline(&self, id: &TaskId) -> PathBuf {
        self.logs.join(format!("{id}{TIMELINE_SUFFIX}"))
    }
}

/// Prefix of archived indexes of the original program.
pub(super) const ARCHIVE_PREFIX: &str = "tasks-archive-";

/// Suffix of a timeline's name.
pub(super) const TIMELINE_SUFFIX: &str = ".timeline.jsonl";

/// Suffix of a workspace file's name.
pub(super) const WORKSPACE_SUFFIX: &str = ".json";

/// Suffix of a record's name.
pub(super) const RECORD_SUFFIX: &str = ".debug.json";

/// Formats a time for a file name, with milliseconds to keep names distinct.
pub(super) fn stamp(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%dT%H%M%S%.3fZ").to_string()
}
