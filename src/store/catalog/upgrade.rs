//! Upgrading a catalog of the version before, in place.
//!
//! Version 3 had the documented status in the column `state`, which does not tell cancelled tasks and those that reached a
//! limit from failed ones. Their rows are changed, in one transaction. That takes much less time than a rebuild, which
//! reads all records.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use serde::Deserialize;

use super::{
    error::CatalogError,
    schema::{ALL_TALLIES, VERSION},
};
use crate::{
    store::fault,
    task::{EndStatus, Outcome},
};

/// The version that can be upgraded.
pub(super) const UPGRADABLE: i32 = 3;

const FAILED: &str = "SELECT rowid, record FROM tasks WHERE state = 'failed'";
const CHANGE: &str = "UPDATE tasks SET state = ?2 WHERE rowid = ?1";

/// Why a task failed, from the record in its row.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RecordedReason {
    failure_reason: Option<String>,
}

/// Upgrades the catalog, unless another process has done so. Waits for the write lock as long as `connection` does.
pub(super) fn upgrade(connection: &Connection) -> Result<(), CatalogError> {
    fault::point("catalog upgrade")?;
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let version: i32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version != UPGRADABLE {
        return Ok(());
    }
    // The rows that change are spread over several indexes.
    transaction.execute_batch("PRAGMA cache_size = -16384")?;
    let changes = changes(&transaction)?;
    let mut change = transaction.prepare(CHANGE)?;
    for (row, outcome) in changes {
        change.execute(params![row, outcome.as_str()])?;
    }
    drop(change);
    transaction.execute_batch(&format!(
        "DELETE FROM tallies; INSERT INTO tallies {ALL_TALLIES}; PRAGMA user_version = {VERSION};"
    ))?;
    fault::point("catalog upgraded")?;
    Ok(transaction.commit()?)
}

/// The rows whose outcome the status does not tell.
fn changes(connection: &Connection) -> Result<Vec<(i64, Outcome)>, CatalogError> {
    let mut statement = connection.prepare(FAILED)?;
    let mut rows = statement.query([])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        // A record that cannot be read is noticed when it is listed.
        let recorded: RecordedReason =
            serde_json::from_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?).unwrap_or_default();
        let outcome = Outcome::of_end(EndStatus::Failed, recorded.failure_reason.as_deref());
        if outcome != Outcome::Failed {
            changes.push((row.get(0)?, outcome));
        }
    }
    Ok(changes)
}
