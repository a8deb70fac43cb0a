//! The complete check of a catalog, for use after something in it was unreadable.

use rusqlite::Connection;

use super::{
    error::CatalogError,
    open::Catalog,
    row::Row,
    schema::{ALL_TALLIES, listed, select},
};
use crate::task::TaskRecord;

/// Parses the record in a row, like listings do.
pub(in crate::store) type RecordParser = fn(&Row) -> Result<TaskRecord, CatalogError>;

impl Catalog {
    /// Reads the whole database, and checks that it is not corrupt, that each row can be listed, and that the
    /// numbers of tasks are right. Takes some seconds
    /// for 100,000 tasks.
    ///
    /// A listing must not fail on a catalog that passes. Otherwise the catalog would never be rebuilt.
    pub(in crate::store) fn verify(&self, parse: RecordParser) -> Result<(), CatalogError> {
        self.sources()?;
        self.reading(|connection| {
            let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            if found != "ok" {
                return Err(CatalogError::inconsistent(found));
            }
            check_rows(connection, parse)?;
            check_numbers(connection)
        })
    }
}

/// Checks that each row can be listed.
fn check_rows(connection: &Connection, parse: RecordParser) -> Result<(), CatalogError> {
    let mut statement = connection.prepare(&select(""))?;
    for found in statement.query_map([], listed)? {
        parse(&found?.row)?;
    }
    Ok(())
}

/// Checks the numbers that are derived from the rows.
fn check_numbers(connection: &Connection) -> Result<(), CatalogError> {
    let (kept, counted) = ("SELECT * FROM tallies", format!("SELECT * FROM ({ALL_TALLIES})"));
    let difference =
        |one: &str, other: &str| format!("SELECT 1 FROM (SELECT * FROM ({one} EXCEPT {other})) WHERE tasks != 0");
    let reused = "SELECT 1 FROM tasks, meta WHERE seq > last_seq";
    for problem in [&difference(kept, &counted), &difference(&counted, kept), reused] {
        if connection.prepare(problem)?.exists([])? {
            return Err(CatalogError::inconsistent("wrong number of tasks".to_owned()));
        }
    }
    Ok(())
}
