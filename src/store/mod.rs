//! The data directory: the only code that knows the names of its files.
//!
//! Everything that one process of codex-connector tells another about a task passes through here. Records and the index
//! are replaced atomically, so that a reader sees an old file or a new one and never half of one.
//!
//! Types decide who may write:
//!
//! | type | may | is for |
//! |---|---|---|
//! | [`Reader`] | read. It creates nothing, not even the data directory, and repairs nothing | everyone |
//! | [`OpenTask`] | write the files of one task. It holds the task's lease, and ends with it | the task's supervisor, and whoever finalizes the task when its supervisor is gone |
//! | [`Upkeep`] | create the data directory, open tasks, repair damaged files, remove old tasks | servers, and supervisors that begin |
//!
//! Some files belong to no task or may be written by anyone. Each of them has a small type of its own: [`Requests`] that a
//! task be stopped, the [`ProbeCache`], the [`HttpToken`], and [`NotifiedEnds`]. All of them are made of an [`Upkeep`],
//! because that is how it is known that the directory exists and is ours.
//!
//! | file | is the truth about | written by |
//! |---|---|---|
//! | `logs/<id>.debug.json`, the record | one task | [`OpenTask`] |
//! | `logs/<id>.timeline.jsonl`, the timeline | what happened, for programs; the log has it all | [`OpenTask`] |
//! | `tasks.json`, the index | nothing: it can be rebuilt from the records | whoever holds its lock, at most 2 s |
//! | `run/<id>/live.json`, the live view | this second | [`OpenTask`] |
//! | `run/<id>/cancel` | a request to stop the task | anyone, by [`Requests`] |

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
mod log;
mod notices;
mod notified;
mod open_task;
mod probes;
mod reader;
mod records;
mod repository;
mod requests;
#[cfg(test)]
mod tests;
mod timeline;
mod token;
mod upkeep;

pub use catalog::Filter;
pub use error::StoreError;
pub use log::{EventsWriter, LogWriter};
pub use notices::Notices;
pub use notified::{NewEnds, NotifiedEnds};
pub use open_task::{Admission, Claim, LiveWriter, OpenTask, Released, RunSlot};
pub use probes::{ProbeCache, ProbeKey};
pub use reader::{
    ByteRange, FileChunk, FileIdentity, FileMetadata, Reader, TaskFile, TimelineEntries, TimelinePosition,
    TimelineReader,
};
pub use requests::Requests;
pub use timeline::TimelineWriter;
pub use token::HttpToken;
pub use upkeep::Upkeep;

use error::if_exists;
