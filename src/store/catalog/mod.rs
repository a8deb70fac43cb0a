//! `index.sqlite`: every task, for listings, counts, retention and `notify`.
//!
//! The records stay the truth. The catalog is derived from them: if it is missing, damaged or from a later version, it is
//! set aside and [rebuilt](rebuild), so no write to it has to survive a power cut. An error is therefore never fatal. A
//! reader falls back to the records. A writer [marks](pending::mark) the task as pending and continues, and the next
//! writer [catches up](Catalog::catch_up).
//!
//! ```text
//!             rebuild                     Damaged, Newer, Foreign
//! (missing) ───────────▶ index.sqlite ───────────────────────────▶ index-damaged-<time>.sqlite
//!     ▲                                                                      │ and (missing)
//!     └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Only a rebuild creates the file, complete and in one step, so a file that exists was complete when it was made. Its
//! *generation* is a random name. Each task that ends gets the next *sequence number* under the write lock; numbers are not
//! reused within a generation, and a rebuilt catalog counts anew.
//!
//! Traps:
//! - SQLite locks the file with POSIX locks, and a process loses all of them when it closes *any* descriptor of the file.
//!   Nothing here opens the file except through SQLite; its type, owner and mode are read from its name.
//! - A database must never meet the write-ahead log of another one. Both are set aside together, and a rebuild clears
//!   away a leftover log before it installs the new file.
//! - A connection keeps using its file after the file was renamed or removed. Each operation checks that the name still
//!   leads to the same file, a write also after its commit, and fails with [`CatalogError::Moved`] if not. Open it again.

mod aside;
mod error;
mod open;
mod pending;
mod read;
mod rebuild;
mod row;
mod schema;
mod write;

pub use row::Filter;
pub(super) use {
    error::CatalogError,
    open::Catalog,
    pending::{mark, marked},
    rebuild::{Check, rebuild},
    row::{CatalogSources, Row, Seq},
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
mod tests;
