//! Queries other than lists and numbers of tasks. Each searches an index, so its cost does not grow with the history.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    error::CatalogError,
    open::Catalog,
    row::{CatalogSources, Seq, StoredTask},
    schema::{TallyScope, id, listed, select, signed},
    search::{by_id, tally},
};
use crate::{store::fault, task::TaskId};

pub(super) const HAS_ENDED: &str = "SELECT ended_at IS NOT NULL FROM tasks WHERE id = ?1";
pub(super) const NEWEST_OF_SESSION: &str = "WHERE session = ?1 ORDER BY started_at DESC, id LIMIT ?2";
pub(super) const WITH_PREFIX: &str = "WHERE id >= ?1 AND id < ?2";
pub(super) const RUNNING: &str = "SELECT id FROM tasks WHERE state = 'running'";
/// The removable tasks of one repository or of all.
pub(super) const ENDED: &str = "SELECT id, ended_at FROM tasks WHERE ended_at IS NOT NULL AND from_original = 0
 AND (?1 = '' OR repository = ?1)";
const SOURCES: &str = "SELECT edition, swept_at FROM meta WHERE one = 1";
const ARCHIVES: &str = "SELECT name FROM archives";
pub(super) const ENDED_SINCE: &str = "WHERE seq > ?1 ORDER BY seq LIMIT ?2";
pub(super) const LAST_SEQ: &str = "SELECT last_seq FROM meta WHERE one = 1";
pub(super) const FIRST_AFTER: &str = "SELECT min(seq) FROM tasks WHERE ended_at > ?1 AND from_original = 0";
pub(super) const OLDEST: &str = "SELECT id FROM tasks WHERE ended_at < ?1 AND from_original = 0
 ORDER BY ended_at, id LIMIT ?2";

impl Catalog {
    /// All ended tasks in one repository or in all, and when each ended. Ignores the original program's tasks.
    pub(in crate::store) fn ended(
        &self,
        repository: Option<&str>,
    ) -> Result<Vec<(TaskId, DateTime<Utc>)>, CatalogError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(ENDED)?;
            let read = |row: &Row<'_>| Ok((id(row, 0)?, DateTime::from_timestamp_millis(row.get(1)?)));
            let found = statement.query_map([repository.unwrap_or_default()], read)?;
            let found = found.map(|task| task.map(|(id, at)| (id, at.unwrap_or_default())));
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One task.
    pub(in crate::store) fn get(&self, id: &TaskId) -> Result<Option<StoredTask>, CatalogError> {
        self.reading(|connection| by_id(connection, id))
    }

    /// The tasks whose IDs begin with `prefix`, which consists of hex digits.
    pub(in crate::store) fn with_prefix(&self, prefix: &str) -> Result<Vec<StoredTask>, CatalogError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(&select(WITH_PREFIX))?;
            // In ASCII, `g` follows the last hex digit.
            let found = statement.query_map([prefix, &format!("{prefix}g")], listed)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The tasks with this session of the agent, newest first, at most `limit`.
    pub(in crate::store) fn newest_of_session(
        &self,
        session: &str,
        limit: usize,
    ) -> Result<Vec<StoredTask>, CatalogError> {
        let limit = limited(limit);
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(&select(NEWEST_OF_SESSION))?;
            let found = statement.query_map((session, limit), listed)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// All running tasks.
    pub(in crate::store) fn running(&self) -> Result<Vec<TaskId>, CatalogError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(RUNNING)?;
            let found = statement.query_map([], |row| id(row, 0))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The tasks that the catalog lacks, or shows as running although they have ended. The flag in `tasks` is whether
    /// the task has ended.
    pub(in crate::store) fn behind<'a>(
        &self,
        tasks: impl IntoIterator<Item = (&'a TaskId, bool)>,
    ) -> Result<BTreeSet<TaskId>, CatalogError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(HAS_ENDED)?;
            let mut behind = BTreeSet::new();
            for (id, has_ended) in tasks {
                let stored: Option<bool> = statement.query_row([id.as_str()], |row| row.get(0)).optional()?;
                if stored.is_none_or(|stored| has_ended && !stored) {
                    behind.insert(id.clone());
                }
            }
            Ok(behind)
        })
    }

    /// The other lists of tasks that the catalog fully contains.
    pub(in crate::store) fn sources(&self) -> Result<CatalogSources, CatalogError> {
        self.reading(|connection| {
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?));
            let (edition, swept_at) = connection.prepare_cached(SOURCES)?.query_row([], read)?;
            let mut statement = connection.prepare_cached(ARCHIVES)?;
            let archives = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(CatalogSources { edition, archives, swept_at: swept_at.and_then(DateTime::from_timestamp_millis) })
        })
    }

    /// The tasks with a sequence number greater than `seq`, in that order, up to `limit`.
    pub(in crate::store) fn ended_since(&self, seq: Seq, limit: usize) -> Result<Vec<StoredTask>, CatalogError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(&select(ENDED_SINCE))?;
            let ended = statement.query_map(params![seq, limited(limit)], listed)?;
            Ok(ended.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The last sequence number that was assigned; 0 if none.
    pub(in crate::store) fn last_seq(&self) -> Result<Seq, CatalogError> {
        self.reading(|connection| Ok(connection.prepare_cached(LAST_SEQ)?.query_row([], |row| row.get(0))?))
    }

    /// The smallest sequence number of a task that ended after `time`; `None` if there is none. Ignores the original
    /// program's tasks.
    pub(in crate::store) fn first_seq_after(&self, time: DateTime<Utc>) -> Result<Option<Seq>, CatalogError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(FIRST_AFTER)?;
            Ok(statement.query_row([time.timestamp_millis()], |row| row.get(0))?)
        })
    }

    /// All ended tasks except the `keep` newest, oldest first, up to `limit`. Ignores the original program's tasks.
    pub(in crate::store) fn oldest_ended(&self, keep: u64, limit: usize) -> Result<Vec<TaskId>, CatalogError> {
        self.reading(|connection| {
            let ended = tally(connection, TallyScope::Removable, "", "", "")?;
            let max = signed(ended.saturating_sub(keep)).min(limited(limit));
            oldest(connection, i64::MAX, max)
        })
    }

    /// The tasks that ended before `time`, oldest first, up to `limit`. Ignores the original program's tasks.
    pub(in crate::store) fn ended_before(
        &self,
        time: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<TaskId>, CatalogError> {
        self.reading(|connection| oldest(connection, time.timestamp_millis(), limited(limit)))
    }

    /// Runs `read` on a consistent snapshot of the database.
    pub(super) fn reading<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        fault::point("catalog read")?;
        self.check_path()?;
        let transaction = self.connection.unchecked_transaction()?;
        let found = read(&transaction)?;
        transaction.commit()?;
        Ok(found)
    }
}

fn oldest(connection: &Connection, before: i64, max: i64) -> Result<Vec<TaskId>, CatalogError> {
    let mut statement = connection.prepare_cached(OLDEST)?;
    let found = statement.query_map([before, max], |row| id(row, 0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn limited(limit: usize) -> i64 {
    signed(limit as u64)
}
