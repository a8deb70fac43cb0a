//! A task's changes to its repository.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{GitPath, ObjectId};

/// Maximum number of paths and of omissions that a record lists.
pub const MAX_LISTED_PATHS: usize = 20;

/// The difference between a task's snapshots. The patch itself is computed on request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// The commit with the state before the task.
    pub base: ObjectId,
    /// The commit with the state after it.
    pub head: ObjectId,
    /// The number of changed files. A renamed file counts once.
    pub files: u64,
    /// The number of lines added in text files.
    pub added: u64,
    /// The number of lines removed in text files.
    pub removed: u64,
    /// The first [`MAX_LISTED_PATHS`] changed files.
    #[serde(default)]
    pub paths: Vec<ChangedPath>,
    /// The number of changed files that no event of the agent names, so that somebody else may have changed them. 0 in
    /// a worktree of the task's own.
    #[serde(default)]
    pub unnamed: u64,
    /// The first [`MAX_LISTED_PATHS`] files that the snapshots do not contain.
    #[serde(default)]
    pub omitted: Vec<Omission>,
    /// The number of all files that the snapshots do not contain.
    #[serde(default)]
    pub omitted_files: u64,
    /// The number of those that the agent's events name as changed. They are the first of `omitted`.
    #[serde(default)]
    pub omitted_named: u64,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangedPath {
    /// Its path afterwards, or before if it was deleted.
    pub path: GitPath,
    /// Its path before, if it was renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_path: Option<GitPath>,
    /// The kind of change.
    pub kind: ChangeKind,
    /// The number of lines added; `None` for a binary file.
    pub added: Option<u64>,
    /// The number of lines removed; `None` for a binary file.
    pub removed: Option<u64>,
    /// Whether an event of the agent names the file.
    #[serde(default)]
    pub is_named: bool,
}

impl ChangedPath {
    /// Its path, and its old path if it was renamed.
    pub fn both_paths(&self) -> impl Iterator<Item = &GitPath> {
        std::iter::once(&self.path).chain(&self.old_path)
    }
}

/// How a file was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its content was changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another path, and possibly another content.
    Renamed,
    /// Only its mode was changed.
    Mode,
    /// It became a symbolic link, or stopped being one.
    Type,
}

/// A file that a snapshot does not contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OmissionEntry", into = "OmissionEntry")]
pub struct Omission {
    /// Its path.
    pub path: GitPath,
    /// Why.
    pub reason: OmissionReason,
}

/// Why a snapshot does not contain a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OmissionReason {
    /// An untracked file above the limit `workspace.max_file`.
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// An untracked file whose name suggests that it contains secrets.
    Secret,
    /// A repository inside the repository, or a submodule: only its files in the outer repository are covered.
    NestedRepository,
    /// It could not be read, or it is a FIFO, a socket or a device.
    Unreadable,
    /// Its filter is one that the project determines, so it is not run.
    Filter,
    /// It was ignored before the task, and no longer is.
    WasIgnored,
    /// It is ignored, and the agent's events name it as changed.
    Ignored,
    /// There are too many untracked files, so none of them is covered. The path is the top of the work tree.
    TooMany {
        /// The number of untracked files.
        files: u64,
        /// Their total size.
        bytes: u64,
    },
}

/// An [`Omission`] in JSON, where the numbers of the reason are next to its name.
#[derive(Serialize, Deserialize)]
struct OmissionEntry {
    path: GitPath,
    reason: ReasonName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    files: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

/// The name of an [`OmissionReason`] in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReasonName {
    TooLarge,
    Secret,
    NestedRepository,
    Unreadable,
    Filter,
    WasIgnored,
    Ignored,
    TooMany,
}

impl From<Omission> for OmissionEntry {
    fn from(Omission { path, reason }: Omission) -> Self {
        let (reason, files, bytes) = match reason {
            OmissionReason::TooLarge { bytes } => (ReasonName::TooLarge, None, Some(bytes)),
            OmissionReason::Secret => (ReasonName::Secret, None, None),
            OmissionReason::NestedRepository => (ReasonName::NestedRepository, None, None),
            OmissionReason::Unreadable => (ReasonName::Unreadable, None, None),
            OmissionReason::Filter => (ReasonName::Filter, None, None),
            OmissionReason::WasIgnored => (ReasonName::WasIgnored, None, None),
            OmissionReason::Ignored => (ReasonName::Ignored, None, None),
            OmissionReason::TooMany { files, bytes } => (ReasonName::TooMany, Some(files), Some(bytes)),
        };
        Self { path, reason, files, bytes }
    }
}

impl TryFrom<OmissionEntry> for Omission {
    type Error = MissingNumber;

    fn try_from(entry: OmissionEntry) -> Result<Self, MissingNumber> {
        let OmissionEntry { path, reason, files, bytes } = entry;
        let reason = match reason {
            ReasonName::TooLarge => OmissionReason::TooLarge { bytes: bytes.ok_or(MissingNumber("bytes"))? },
            ReasonName::Secret => OmissionReason::Secret,
            ReasonName::NestedRepository => OmissionReason::NestedRepository,
            ReasonName::Unreadable => OmissionReason::Unreadable,
            ReasonName::Filter => OmissionReason::Filter,
            ReasonName::WasIgnored => OmissionReason::WasIgnored,
            ReasonName::Ignored => OmissionReason::Ignored,
            ReasonName::TooMany => OmissionReason::TooMany {
                files: files.ok_or(MissingNumber("files"))?,
                bytes: bytes.ok_or(MissingNumber("bytes"))?,
            },
        };
        Ok(Self { path, reason })
    }
}

/// The JSON of an omission lacks a number that belongs to its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("missing field `{0}`")]
struct MissingNumber(&'static str);

/// The state of the repository in which a task began. In the record once it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceState {
    /// The snapshot before the task; `None` if none was taken.
    pub before: Option<ObjectId>,
    /// The commit that was checked out; `None` if there was none yet.
    pub head: Option<ObjectId>,
    /// The branch that was checked out; `None` if HEAD was detached.
    pub branch: Option<GitPath>,
    /// The number of files with uncommitted changes, including untracked ones, in the snapshot.
    pub uncommitted: u64,
    /// The task's own worktree, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worktree: Option<PathBuf>,
    /// Why there is no snapshot, in one sentence of our own for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_covered: Option<String>,
}

impl WorkspaceState {
    /// The state of a task without snapshots, for this reason.
    pub fn without_snapshot(why: String) -> Self {
        Self { before: None, head: None, branch: None, uncommitted: 0, worktree: None, not_covered: Some(why) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_omission_in_json_has_the_numbers_of_its_reason_next_to_its_name() {
        let omission = |reason| Omission { path: GitPath::from_bytes("a"), reason };
        // As the first version wrote them.
        for (reason, json) in [
            (OmissionReason::TooLarge { bytes: 7 }, r#"{"path":"a","reason":"too_large","bytes":7}"#),
            (OmissionReason::Secret, r#"{"path":"a","reason":"secret"}"#),
            (OmissionReason::NestedRepository, r#"{"path":"a","reason":"nested_repository"}"#),
            (OmissionReason::Unreadable, r#"{"path":"a","reason":"unreadable"}"#),
            (OmissionReason::Filter, r#"{"path":"a","reason":"filter"}"#),
            (OmissionReason::WasIgnored, r#"{"path":"a","reason":"was_ignored"}"#),
            (OmissionReason::Ignored, r#"{"path":"a","reason":"ignored"}"#),
            (OmissionReason::TooMany { files: 2, bytes: 9 }, r#"{"path":"a","reason":"too_many","files":2,"bytes":9}"#),
        ] {
            assert_eq!(serde_json::to_string(&omission(reason)).expect("it is an object"), json);
            assert_eq!(serde_json::from_str::<Omission>(json).expect("it was written by us"), omission(reason));
        }
        for invalid in [r#"{"path":"a","reason":"too_large"}"#, r#"{"path":"a","reason":"too_many","bytes":9}"#] {
            let error = serde_json::from_str::<Omission>(invalid).expect_err("a number is missing").to_string();
            assert!(error.contains("missing field `"), "{error}");
        }
    }
}
