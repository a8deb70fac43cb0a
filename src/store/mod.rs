//! The data directory: the only code that knows the names of its files.
//!
//! Processes of codex-connector exchange everything they know about a task through these files. Records and the index
//! are replaced atomically, so readers see either the old file or the new one, never a partial one.
//!
//! The types decide who may write:
//!
//! | type | may | used by |
//! |---|---|---|
//! | [`Reader`] | read; it creates nothing, not even the data directory, and repairs nothing | everyone |
//! | [`OpenTask`] | write the files of one task; it holds the task's lease until it is dropped | the task's supervisor, or the process that finalizes the task after its supervisor died |
//! | [`Upkeep`] | create the data directory, open tasks, repair damaged files, remove old tasks | servers, and supervisors at startup |
//!
//! Some files belong to no task, or any process may write them. Each has its own small type: [`Requests`] to stop a
//! task, the [`ProbeCache`], the [`HttpToken`], the [`Reports`] of ends, the [`UnreportedEnds`], the present
//! [`Sessions`], and the [`Workspaces`] of tasks. All of them are created from an [`Upkeep`], which proves that the
//! directory exists and belongs to us.
//!
//! | file | holds | written by |
//! |---|---|---|
//! | `logs/<id>.debug.json`, the record | the truth about one task | [`OpenTask`] |
//! | `logs/<id>.timeline.jsonl`, the timeline | what happened, for programs; bounded, whereas the log is complete | [`OpenTask`] |
//! | `tasks.json`, the index | copies of records, from which it can be rebuilt | the process that holds its lock, for at most 2 s |
//! | `run/<id>/live.json`, the live view | the task's current activity | [`OpenTask`] |
//! | `workspaces/<id>.json`, the workspace file | the task's snapshots in git, and what was done with them | the supervisor; after the task, whoever holds the repository's lock, through [`Workspaces`] |
//! | `run/<id>/cancel` | a request to stop the task | anyone, through [`Requests`] |

mod all_tasks;
mod archive;
mod aside;
mod atomic;
mod capped;
mod catalog;
mod delta;
mod entries;
mod entry;
mod error;
mod fault;
mod files;
mod index;
mod indexes;
mod lag;
mod layout;
mod listener;
mod lock_file;
mod log;
mod notices;
mod old_reports;
mod open_task;
mod probes;
mod reader;
mod records;
mod reports;
mod repository;
mod repository_key;
mod requests;
mod sessions;
#[cfg(test)]
mod tests;
mod timeline;
mod token;
mod unreported;
mod upkeep;
mod workspace_file;
mod workspaces;

pub use catalog::{EndFilter, Filter};
pub use error::StoreError;
pub use files::UntrustedDirectory;
pub use listener::{ListenedDirectory, Listener};
pub use log::{EventsWriter, LogWriter, time_of};
pub use notices::Notices;
pub use open_task::{Admission, Claim, LiveWriter, OpenTask, Released, RunSlot, WorkTreeWriter};
pub use probes::{ProbeCache, ProbeKey};
pub use reader::{
    ByteRange, EndedTask, FileChunk, FileIdentity, FileMetadata, ListPlace, LogLines, LogReader, LogStart, Reader,
    TaskFile, TimelineEntries, TimelinePosition, TimelineReader,
};
pub use reports::{ClaimedReport, ReportClaim, ReportedBy, Reports};
pub use repository_key::{is_repository_key, repository_key};
pub use requests::Requests;
pub use sessions::{PresentSession, Sessions};
pub use timeline::TimelineWriter;
pub use token::HttpToken;
pub use unreported::{ListsState, NewEnds, UnclaimedEnds, UnreportedEnds};
pub use upkeep::{Removal, Upkeep};
pub use workspaces::{LockHolder, RepositoryLock, RepositoryLocking, WorkspaceTemp, Workspaces};

use error::if_exists;
