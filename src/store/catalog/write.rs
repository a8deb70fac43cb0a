//! Writes. Each is one transaction that takes the write lock at its beginning.

use rusqlite::{OptionalExtension, Row as SqlRow, Transaction, TransactionBehavior, params};

use super::{
    error::CatalogError,
    open::{Catalog, MAX_LOG_BYTES},
    row::{CatalogSources, Row, Seq, StoredState},
    schema::{ExistingRow, TallyScope, ended_at, put},
};
use crate::{store::fault, task::TaskId};

pub(super) const STORED: &str =
    "SELECT state, repository, backend, ended_at IS NOT NULL AND from_original = 0, seq FROM tasks WHERE id = ?1";
pub(super) const NEXT_SEQ: &str = "UPDATE meta SET last_seq = last_seq + 1 WHERE one = 1 RETURNING last_seq";
pub(super) const REMOVE: &str = "DELETE FROM tasks WHERE id = ?1";
const COUNT: &str = "INSERT INTO tallies VALUES (?1, ?2, ?3, ?4, ?5)
 ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks RETURNING tasks";
pub(super) const FORGET: &str =
    "DELETE FROM tallies WHERE scope = ?1 AND repository = ?2 AND backend = ?3 AND state = ?4";

/// The properties by which a task is counted.
struct TallyKey {
    state: StoredState,
    repository: String,
    backend: String,
    is_removable: bool,
    seq: Option<Seq>,
}

impl Catalog {
    /// Stores a task, and replaces its previous row. The first time that the task is stored as ended, it gets a
    /// sequence number. Returns that number. A running task never replaces an ended one.
    #[cfg(test)]
    pub(in crate::store) fn upsert(&mut self, row: &Row) -> Result<Option<Seq>, CatalogError> {
        let seq = self.writing(|transaction| put_counted(transaction, row))?;
        // A starting task should not wait for a checkpoint, so it allows a longer log.
        self.empty_log(if row.state.is_final() { MAX_LOG_BYTES } else { 4 * MAX_LOG_BYTES });
        Ok(seq)
    }

    /// Stores tasks and their sources. The edition of `tasks.json` is stored only if `is_current` confirms it under the
    /// write lock: if it was replaced, the process that did so stores the later one.
    pub(in crate::store) fn store(
        &mut self,
        rows: &[Row],
        sources: &CatalogSources,
        is_current: impl FnOnce() -> bool,
    ) -> Result<(), CatalogError> {
        let CatalogSources { edition, archives, swept_at } = sources;
        self.writing(|transaction| {
            for row in rows {
                put_counted(transaction, row)?;
            }
            if edition.is_some() && is_current() {
                transaction.execute("UPDATE meta SET edition = ?1", [edition])?;
            }
            for archive in archives {
                transaction.execute("INSERT OR IGNORE INTO archives VALUES (?1)", [archive])?;
            }
            if let Some(swept_at) = swept_at {
                transaction.execute("UPDATE meta SET swept_at = ?1", [swept_at.timestamp_millis()])?;
            }
            Ok(())
        })?;
        let has_ended = rows.iter().all(|row| row.state.is_final());
        self.empty_log(if has_ended { MAX_LOG_BYTES } else { 4 * MAX_LOG_BYTES });
        Ok(())
    }

    /// Removes tasks. Their sequence numbers are not reused.
    pub(in crate::store) fn remove(&mut self, ids: &[TaskId]) -> Result<(), CatalogError> {
        self.writing(|transaction| {
            for id in ids {
                if let Some(stored) = stored(transaction, id)? {
                    remove_counted(transaction, id, &stored)?;
                }
            }
            Ok(())
        })?;
        self.empty_log(MAX_LOG_BYTES);
        Ok(())
    }

    /// Runs `write` under the write lock, and commits.
    pub(super) fn writing<T>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        fault::point("catalog begin")?;
        self.check_path()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        fault::point("catalog write")?;
        let written = write(&transaction)?;
        fault::point("catalog commit")?;
        transaction.commit()?;
        fault::point("catalog committed")?;
        // If the catalog was set aside in the meantime, our change was set aside with it.
        self.check_path()?;
        Ok(written)
    }
}

/// Stores a task like [`Catalog::upsert`].
pub(super) fn put_counted(transaction: &Transaction<'_>, row: &Row) -> Result<Option<Seq>, CatalogError> {
    let stored = stored(transaction, &row.id)?;
    let is_final = row.state.is_final();
    if let Some(stored) = &stored
        && stored.state.is_final()
        && !is_final
    {
        return Ok(stored.seq);
    }
    let seq = match stored.as_ref().and_then(|stored| stored.seq) {
        Some(seq) => Some(seq),
        None if is_final => Some(transaction.prepare_cached(NEXT_SEQ)?.query_row([], |row| row.get(0))?),
        None => None,
    };
    if let Some(stored) = &stored {
        remove_counted(transaction, &row.id, stored)?;
    }
    put(transaction, row, seq, ExistingRow::None)?;
    let now = TallyKey {
        state: row.state,
        repository: row.repository.clone(),
        backend: row.backend.clone(),
        is_removable: ended_at(row).is_some() && !row.from_original,
        seq,
    };
    count(transaction, &now, 1)?;
    Ok(seq)
}

fn remove_counted(transaction: &Transaction<'_>, id: &TaskId, stored: &TallyKey) -> Result<(), CatalogError> {
    transaction.prepare_cached(REMOVE)?.execute([id.as_str()])?;
    count(transaction, stored, -1)
}

fn stored(transaction: &Transaction<'_>, id: &TaskId) -> Result<Option<TallyKey>, CatalogError> {
    let read = |row: &SqlRow<'_>| {
        let name = row.get_ref(0)?.as_str()?;
        let state = StoredState::parse(name).ok_or_else(|| rusqlite::Error::InvalidColumnName(name.to_owned()))?;
        Ok(TallyKey {
            state,
            repository: row.get(1)?,
            backend: row.get(2)?,
            is_removable: row.get(3)?,
            seq: row.get(4)?,
        })
    };
    Ok(transaction.prepare_cached(STORED)?.query_row([id.as_str()], read).optional()?)
}

/// Adds `by` to all tallies that count the task: 1 to add it, -1 to remove it.
fn count(transaction: &Transaction<'_>, task: &TallyKey, by: i64) -> Result<(), CatalogError> {
    let (state, repository, backend) = (task.state.as_str(), task.repository.as_str(), task.backend.as_str());
    let mut keys = vec![
        (TallyScope::All, "", "", state),
        (TallyScope::Repository, repository, "", state),
        (TallyScope::Backend, "", backend, state),
        (TallyScope::RepositoryAndBackend, repository, backend, state),
    ];
    if task.is_removable {
        keys.push((TallyScope::Removable, "", "", ""));
    }
    let mut statement = transaction.prepare_cached(COUNT)?;
    for (scope, repository, backend, state) in keys {
        let scope = scope as i64;
        let tasks: i64 = statement.query_row(params![scope, repository, backend, state, by], |row| row.get(0))?;
        // Remove empty tallies, or repositories that no longer exist would accumulate.
        if tasks == 0 {
            transaction.prepare_cached(FORGET)?.execute(params![scope, repository, backend, state])?;
        }
    }
    Ok(())
}
