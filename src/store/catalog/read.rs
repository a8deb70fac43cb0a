//! Queries. Each searches an index, so its cost does not grow with the history.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    error::CatalogError,
    open::Catalog,
    row::{CatalogSources, Counts, Filter, Seq, StoredTask, TaskPage},
    schema::{TallyScope, id, listed, select, unsigned},
};
use crate::{
    store::fault,
    task::{TaskId, TaskStatus},
};

/// The condition and order of a search in one state, depending on whether a repository and a backend are given.
pub(super) const SEARCHES: [&str; 4] = [
    "FROM tasks WHERE state = ?1 AND ?2 = '' AND ?3 = '' AND started_at >= ?4 AND started_at < ?5",
    "FROM tasks WHERE state = ?1 AND repository = ?2 AND ?3 = '' AND started_at >= ?4 AND started_at < ?5",
    "FROM tasks WHERE state = ?1 AND ?2 = '' AND backend = ?3 AND started_at >= ?4 AND started_at < ?5",
    "FROM tasks WHERE state = ?1 AND repository = ?2 AND backend = ?3 AND started_at >= ?4 AND started_at < ?5",
];

/// Selects the newest tasks of a search, up to a limit.
pub(super) const NEWEST: (&str, &str) = ("SELECT started_at, id, rowid ", " ORDER BY started_at DESC, id LIMIT ?6");

/// Counts the tasks of a search.
pub(super) const NUMBER: &str = "SELECT count(*) ";

pub(super) const BY_ROW: &str = "WHERE rowid = ?1";
pub(super) const BY_ID: &str = "WHERE id = ?1";
pub(super) const HAS_ENDED: &str = "SELECT ended_at IS NOT NULL FROM tasks WHERE id = ?1";
pub(super) const NEWEST_OF_SESSION: &str = "WHERE session = ?1 ORDER BY started_at DESC, id LIMIT ?2";
pub(super) const WITH_PREFIX: &str = "WHERE id >= ?1 AND id < ?2";
pub(super) const RUNNING: &str = "SELECT id FROM tasks WHERE state = 'running'";
pub(super) const TALLY: &str =
    "SELECT tasks FROM tallies WHERE scope = ?1 AND repository = ?2 AND backend = ?3 AND state = ?4";
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
    /// The newest tasks that `filter` selects, up to `limit`, ignoring the tasks in `without`. Tasks that began at the
    /// same time are ordered by ID. Fails if the catalog has fewer or more tasks than its tallies say.
    pub(in crate::store) fn newest(
        &self,
        filter: &Filter,
        limit: usize,
        without: &BTreeSet<TaskId>,
    ) -> Result<TaskPage, CatalogError> {
        self.reading(|connection| {
            let mut found = search_all(connection, filter, limit.saturating_add(without.len()))?;
            found.retain(|(_, id, _)| !without.contains(id));
            found.truncate(limit);
            let mut by_row = connection.prepare_cached(&select(BY_ROW))?;
            let tasks = found.into_iter().map(|(.., row)| by_row.query_row([row], listed));
            let tasks = tasks.collect::<rusqlite::Result<Vec<_>>>()?;
            let total = count_without(connection, filter, without)?;
            if tasks.len() != limit.min(usize::try_from(total).unwrap_or(usize::MAX)) {
                return Err(CatalogError::inconsistent(format!("{} of {total} tasks", tasks.len())));
            }
            Ok(TaskPage { tasks, total })
        })
    }

    /// The start times, in milliseconds since 1970, and the IDs of the newest tasks that `filter` selects, up to `limit`,
    /// ignoring the tasks in `without`; and the number of all of them. Reads only an index.
    pub(in crate::store) fn newest_ids(
        &self,
        filter: &Filter,
        limit: usize,
        without: &BTreeSet<TaskId>,
    ) -> Result<(Vec<(i64, TaskId)>, u64), CatalogError> {
        self.reading(|connection| {
            let mut found = search_all(connection, filter, limit.saturating_add(without.len()))?;
            found.retain(|(_, id, _)| !without.contains(id));
            found.truncate(limit);
            let total = count_without(connection, filter, without)?;
            Ok((found.into_iter().map(|(time, id, _)| (time, id)).collect(), total))
        })
    }

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

    /// The number of tasks that `filter` selects, by state. With `since` or `until` the cost grows with the number of
    /// tasks in that period: about 6 ms for 100,000.
    #[cfg(test)]
    pub(in crate::store) fn counts(&self, filter: &Filter) -> Result<Counts, CatalogError> {
        self.reading(|connection| count(connection, filter))
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
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
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
            let ended = statement.query_map(params![seq, signed(limit)], listed)?;
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
            let max = i64::try_from(ended.saturating_sub(keep)).unwrap_or(i64::MAX).min(signed(limit));
            oldest(connection, i64::MAX, max)
        })
    }

    /// The tasks that ended before `time`, oldest first, up to `limit`. Ignores the original program's tasks.
    pub(in crate::store) fn ended_before(
        &self,
        time: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<TaskId>, CatalogError> {
        self.reading(|connection| oldest(connection, time.timestamp_millis(), signed(limit)))
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

/// The start time, ID and row number of each task that `filter` selects, newest first, up to `limit`.
fn search_all(connection: &Connection, filter: &Filter, limit: usize) -> Result<Vec<(i64, TaskId, i64)>, CatalogError> {
    let sql = format!("{}{}{}", NEWEST.0, search(filter), NEWEST.1);
    let mut statement = connection.prepare_cached(&sql)?;
    let (repository, backend, since, until) = keys(filter);
    let mut found: Vec<(i64, TaskId, i64)> = Vec::new();
    for state in states(filter) {
        let parameters = params![state.as_str(), repository, backend, since, until, signed(limit)];
        for row in statement.query_map(parameters, |row| Ok((row.get(0)?, id(row, 1)?, row.get(2)?)))? {
            found.push(row?);
        }
    }
    found.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
    found.truncate(limit);
    Ok(found)
}

fn count(connection: &Connection, filter: &Filter) -> Result<Counts, CatalogError> {
    let is_tallied = filter.since.is_none() && filter.until.is_none();
    let (repository, backend, since, until) = keys(filter);
    let mut counts = Counts::default();
    for state in states(filter) {
        let number = if is_tallied {
            tally(connection, scope(filter), repository, backend, state.as_str())?
        } else {
            let mut statement = connection.prepare_cached(&format!("{NUMBER}{}", search(filter)))?;
            let parameters = params![state.as_str(), repository, backend, since, until];
            unsigned(statement.query_row(parameters, |row| row.get(0))?)
        };
        *counts.of(state) = number;
    }
    Ok(counts)
}

/// The number of tasks that `filter` selects, without those in `without`.
fn count_without(connection: &Connection, filter: &Filter, without: &BTreeSet<TaskId>) -> Result<u64, CatalogError> {
    let mut total = count(connection, filter)?.total();
    for id in without {
        let stored = by_id(connection, id)?;
        total = total.saturating_sub(u64::from(stored.is_some_and(|stored| filter.selects(&stored.row))));
    }
    Ok(total)
}

fn by_id(connection: &Connection, id: &TaskId) -> Result<Option<StoredTask>, CatalogError> {
    Ok(connection.prepare_cached(&select(BY_ID))?.query_row([id.as_str()], listed).optional()?)
}

/// The states to search.
fn states(filter: &Filter) -> Vec<TaskStatus> {
    filter.state.map_or_else(|| TaskStatus::ALL.to_vec(), |state| vec![state])
}

fn search(filter: &Filter) -> &'static str {
    SEARCHES[usize::from(filter.repository.is_some()) + 2 * usize::from(filter.backend.is_some())]
}

fn scope(filter: &Filter) -> TallyScope {
    match (&filter.repository, &filter.backend) {
        (None, None) => TallyScope::All,
        (Some(_), None) => TallyScope::Repository,
        (None, Some(_)) => TallyScope::Backend,
        (Some(_), Some(_)) => TallyScope::RepositoryAndBackend,
    }
}

/// Repository, backend, and start and end of the period, as query parameters.
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
    scope: TallyScope,
    repository: &str,
    backend: &str,
    state: &str,
) -> Result<u64, CatalogError> {
    let mut statement = connection.prepare_cached(TALLY)?;
    let found = statement.query_row(params![scope as i64, repository, backend, state], |row| row.get(0)).optional()?;
    Ok(found.map_or(0, unsigned))
}

fn oldest(connection: &Connection, before: i64, max: i64) -> Result<Vec<TaskId>, CatalogError> {
    let mut statement = connection.prepare_cached(OLDEST)?;
    let found = statement.query_map([before, max], |row| id(row, 0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn signed(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
