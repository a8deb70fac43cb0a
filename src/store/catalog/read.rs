//! Questions to the catalog. Each is answered by searches in an index, so that its cost does not grow with the history.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    error::CatalogError,
    open::Catalog,
    row::{Counts, Filter, Listed, Page, Seq},
    schema::{Scope, id, listed, select, unsigned},
};
use crate::{
    store::fault,
    task::{TaskId, TaskStatus},
};

/// The condition and order of a search in one state, by which of repository and backend are given.
pub(super) const SEARCHES: [&str; 4] = [
    "FROM tasks WHERE state = ?1 AND ?2 = '' AND ?3 = '' AND started_at >= ?4 AND started_at < ?5",
    "FROM tasks WHERE state = ?1 AND repository = ?2 AND ?3 = '' AND started_at >= ?4 AND started_at < ?5",
    "FROM tasks WHERE state = ?1 AND ?2 = '' AND backend = ?3 AND started_at >= ?4 AND started_at < ?5",
    "FROM tasks WHERE state = ?1 AND repository = ?2 AND backend = ?3 AND started_at >= ?4 AND started_at < ?5",
];

/// The newest of a search; a parameter limits their number.
pub(super) const NEWEST: (&str, &str) = ("SELECT started_at, id, rowid ", " ORDER BY started_at DESC, id LIMIT ?6");

/// The number of tasks that a search finds.
pub(super) const NUMBER: &str = "SELECT count(*) ";

pub(super) const BY_ROW: &str = "WHERE rowid = ?1";
pub(super) const BY_ID: &str = "WHERE id = ?1";
pub(super) const IS_THERE: &str = "SELECT 1 FROM tasks WHERE id = ?1";
pub(super) const TALLY: &str =
    "SELECT tasks FROM tallies WHERE scope = ?1 AND repository = ?2 AND backend = ?3 AND state = ?4";
pub(super) const ENDED_SINCE: &str = "WHERE seq > ?1 ORDER BY seq LIMIT ?2";
pub(super) const LAST_SEQ: &str = "SELECT last_seq FROM meta WHERE one = 1";
pub(super) const OLDEST: &str = "SELECT id FROM tasks WHERE ended_at < ?1 AND from_original = 0
 ORDER BY ended_at, id LIMIT ?2";

impl Catalog {
    /// The newest tasks that `filter` selects, at most `limit`. Of two that began at the same time, the one with the
    /// smaller id comes first.
    pub(in crate::store) fn newest(&self, filter: &Filter, limit: usize) -> Result<Page, CatalogError> {
        self.reading(|connection| {
            let sql = format!("{}{}{}", NEWEST.0, search(filter), NEWEST.1);
            let mut statement = connection.prepare_cached(&sql)?;
            let mut found: Vec<(i64, String, i64)> = Vec::new();
            for state in states(filter) {
                let (repository, backend, since, until) = keys(filter);
                let most = signed(limit.saturating_add(1));
                let rows = statement
                    .query_map(params![state.as_str(), repository, backend, since, until, most], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                    })?;
                for row in rows {
                    found.push(row?);
                }
            }
            found.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
            let has_more = found.len() > limit;
            found.truncate(limit);
            let mut by_row = connection.prepare_cached(&select(BY_ROW))?;
            let tasks = found.into_iter().map(|(.., row)| by_row.query_row([row], listed));
            Ok(Page { tasks: tasks.collect::<rusqlite::Result<_>>()?, has_more })
        })
    }

    /// The numbers of tasks that `filter` selects, by state. With `since` or `until` the cost grows with the number of
    /// tasks in that time: about 6 ms for 100,000.
    pub(in crate::store) fn counts(&self, filter: &Filter) -> Result<Counts, CatalogError> {
        let is_tallied = filter.since.is_none() && filter.until.is_none();
        self.reading(|connection| {
            let (repository, backend, since, until) = keys(filter);
            let mut counts = Counts::default();
            for state in states(filter) {
                let number = if is_tallied {
                    tally(connection, scope(filter), repository, backend, state.as_str())?
                } else {
                    let mut statement = connection.prepare_cached(&format!("{NUMBER}{}", search(filter)))?;
                    let number = statement
                        .query_row(params![state.as_str(), repository, backend, since, until], |row| row.get(0))?;
                    unsigned(number)
                };
                *counts.of(state) = number;
            }
            Ok(counts)
        })
    }

    /// One task.
    pub(in crate::store) fn get(&self, id: &TaskId) -> Result<Option<Listed>, CatalogError> {
        self.reading(|connection| {
            Ok(connection.prepare_cached(&select(BY_ID))?.query_row([id.as_str()], listed).optional()?)
        })
    }

    /// The tasks among `ids` that the catalog lacks.
    pub(in crate::store) fn missing<'a>(&self, ids: &'a [TaskId]) -> Result<Vec<&'a TaskId>, CatalogError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(IS_THERE)?;
            let mut missing = Vec::new();
            for id in ids {
                if !statement.exists([id.as_str()])? {
                    missing.push(id);
                }
            }
            Ok(missing)
        })
    }

    /// The tasks with a sequence number greater than `seq`, in its order, at most `limit`.
    pub(in crate::store) fn ended_since(&self, seq: Seq, limit: usize) -> Result<Vec<Listed>, CatalogError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(&select(ENDED_SINCE))?;
            let ended = statement.query_map(params![seq, signed(limit)], listed)?;
            Ok(ended.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The sequence number of the task that was last seen to end; 0 if none was.
    pub(in crate::store) fn last_seq(&self) -> Result<Seq, CatalogError> {
        self.reading(|connection| Ok(connection.prepare_cached(LAST_SEQ)?.query_row([], |row| row.get(0))?))
    }

    /// All ended tasks but the `keep` newest, the oldest first, at most `limit`. The original program's are neither
    /// counted nor returned.
    pub(in crate::store) fn oldest_ended(&self, keep: u64, limit: usize) -> Result<Vec<TaskId>, CatalogError> {
        self.reading(|connection| {
            let ended = tally(connection, Scope::Removable, "", "", "")?;
            let most = i64::try_from(ended.saturating_sub(keep)).unwrap_or(i64::MAX).min(signed(limit));
            oldest(connection, i64::MAX, most)
        })
    }

    /// The tasks that ended before `time`, the oldest first, at most `limit`. The original program's are not returned.
    pub(in crate::store) fn ended_before(
        &self,
        time: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<TaskId>, CatalogError> {
        self.reading(|connection| oldest(connection, time.timestamp_millis(), signed(limit)))
    }

    /// Reads the whole database and checks that it is not corrupt. This takes about a second for 100,000 tasks.
    pub(in crate::store) fn verify(&self) -> Result<(), CatalogError> {
        self.reading(|connection| {
            let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if found == "ok" { Ok(()) } else { Err(CatalogError::Damaged(rusqlite::Error::InvalidColumnName(found))) }
        })
    }

    /// Runs `read` on one consistent state of the database.
    fn reading<T>(&self, read: impl FnOnce(&Connection) -> Result<T, CatalogError>) -> Result<T, CatalogError> {
        fault::point("catalog read")?;
        self.check_place()?;
        let transaction = self.connection.unchecked_transaction()?;
        let found = read(&transaction)?;
        transaction.commit()?;
        Ok(found)
    }
}

/// The states in which to search.
fn states(filter: &Filter) -> Vec<TaskStatus> {
    filter.state.map_or_else(|| TaskStatus::ALL.to_vec(), |state| vec![state])
}

fn search(filter: &Filter) -> &'static str {
    SEARCHES[usize::from(filter.repository.is_some()) + 2 * usize::from(filter.backend.is_some())]
}

fn scope(filter: &Filter) -> Scope {
    match (&filter.repository, &filter.backend) {
        (None, None) => Scope::All,
        (Some(_), None) => Scope::Repository,
        (None, Some(_)) => Scope::Backend,
        (Some(_), Some(_)) => Scope::RepositoryAndBackend,
    }
}

/// Repository, backend, first and last time, as parameters.
fn keys(filter: &Filter) -> (&str, &str, i64, i64) {
    (
        filter.repository.as_deref().unwrap_or_default(),
        filter.backend.as_deref().unwrap_or_default(),
        filter.since.map_or(i64::MIN, |time| time.timestamp_millis()),
        filter.until.map_or(i64::MAX, |time| time.timestamp_millis()),
    )
}

fn tally(
    connection: &Connection,
    scope: Scope,
    repository: &str,
    backend: &str,
    state: &str,
) -> Result<u64, CatalogError> {
    let mut statement = connection.prepare_cached(TALLY)?;
    let found = statement.query_row(params![scope as i64, repository, backend, state], |row| row.get(0)).optional()?;
    Ok(found.map_or(0, unsigned))
}

fn oldest(connection: &Connection, before: i64, most: i64) -> Result<Vec<TaskId>, CatalogError> {
    let mut statement = connection.prepare_cached(OLDEST)?;
    let found = statement.query_map([before, most], |row| id(row, 0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn signed(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
