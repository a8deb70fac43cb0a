//! `index.sqlite`: all tasks, for listings, counts, retention and `notify`.
//!
//! The catalog is derived from the records: if it is missing, damaged or from a later version, it is set aside and
//! [rebuilt](rebuild). So writes to it need not survive a power cut, and no error is fatal. A reader falls back to the
//! records. A writer [marks](pending::mark) the task as pending and continues, and the next writer [catches
//! up](Catalog::catch_up).
//!
//! ```text
//!             rebuild                     Damaged, Newer, Foreign
//! (missing) ───────────▶ index.sqlite ───────────────────────────▶ index-damaged-<time>.sqlite
//!     ▲                                                                      │ and (missing)
//!     └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A catalog of the version before is [upgraded](upgrade) in place by the first process that opens it for writing; until
//! then, readers treat it like a missing one.
//!
//! Only a rebuild creates the file, and it does so atomically with complete content. Its *generation* is a random name.
//! Each task that ends gets the next *sequence number* under the write lock. Numbers are not reused within a
//! generation; a rebuilt catalog starts again at 1.
//!
//! Traps:
//! - SQLite uses POSIX locks, and a process loses all its locks on a file when it closes *any* descriptor of that file.
//!   So nothing here opens the file except through SQLite; its type, owner and mode are read through its path.
//! - A database must never be used with the write-ahead log of another one. Both are set aside together, and a rebuild
//!   sets a leftover log aside before it installs the new file.
//! - A connection keeps using its file after the file was renamed or removed. So each operation checks that the path
//!   still leads to the same file, and a write checks it again after its commit. If it does not, the operation fails
//!   with [`CatalogError::Moved`], and the caller must open the catalog again.

mod aside;
mod error;
mod open;
mod pending;
mod read;
mod rebuild;
mod row;
mod schema;
mod search;
mod upgrade;
mod usage;
mod verify;
mod write;

pub use row::{EndFilter, Filter};
pub(super) use {
    error::CatalogError,
    open::Catalog,
    pending::{mark, marked},
    rebuild::{Check, rebuild},
    row::{CatalogSources, ChangedTasks, Changes, ListedTask, Row, Seq, StoredState, TaskPage},
    usage::{UsageFilter, UsageGroup},
};

#[cfg(test)]
mod concurrency_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod upgrade_tests;
#[cfg(test)]
mod usage_tests;
