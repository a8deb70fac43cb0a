//! Lists of tasks, and numbers of tasks. Lists are read from indexes and numbers from tallies, so their cost does not grow
//! with the history.

use std::{
    borrow::Borrow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    error::CatalogError,
    open::Catalog,
    row::{ChangedTasks, Filter, ListedTask, StateCounts, StoredState, StoredTask, TaskPage},
    schema::{TallyScope, id, listed, select, signed, unsigned},
};
use crate::task::{Page, TaskId};

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
pub(super) const TALLY: &str =
    "SELECT tasks FROM tallies WHERE scope = ?1 AND repository = ?2 AND backend = ?3 AND state = ?4";
pub(super) const TALLIES: &str = "SELECT repository, backend, tasks FROM tallies WHERE scope = ?1";

/// A task in an index.
#[derive(Debug)]
struct IndexEntry {
    /// In milliseconds since 1970.
    started_at: i64,
    id: TaskId,
    /// The number of its row; `None` if the task is changed.
    row: Option<i64>,
}

impl IndexEntry {
    /// Newest first; tasks that began at the same time are ordered by ID.
    fn order(&self) -> (Reverse<i64>, &TaskId) {
        (Reverse(self.started_at), &self.id)
    }
}

impl Catalog {
    /// A page of the list of the tasks that `filter` selects. Tasks that began at the same time are ordered by ID. Reads
    /// only the rows of the tasks on the page. Fails if the catalog has fewer or more tasks than its tallies say.
    pub(in crate::store) fn page(
        &self,
        filter: &Filter,
        page: Page,
        changed: &ChangedTasks,
    ) -> Result<TaskPage<ListedTask>, CatalogError> {
        self.reading(|connection| {
            let TaskPage { tasks: found, total } = entries(connection, filter, page, changed)?;
            let mut by_row = connection.prepare_cached(&select(BY_ROW))?;
            let mut tasks = Vec::with_capacity(found.len());
            for IndexEntry { id, row, .. } in found {
                tasks.push(match row {
                    Some(row) => ListedTask::Stored(Box::new(by_row.query_row([row], listed)?)),
                    None => ListedTask::Changed(id),
                });
            }
            Ok(TaskPage { tasks, total })
        })
    }

    /// The IDs of the tasks on such a page. Reads only an index.
    pub(in crate::store) fn page_of_ids(
        &self,
        filter: &Filter,
        page: Page,
        changed: &ChangedTasks,
    ) -> Result<TaskPage<TaskId>, CatalogError> {
        self.reading(|connection| {
            let TaskPage { tasks, total } = entries(connection, filter, page, changed)?;
            Ok(TaskPage { tasks: tasks.into_iter().map(|entry| entry.id).collect(), total })
        })
    }

    /// The number of tasks that `filter` selects, by state, ignoring the tasks in `without`. With `since` or `until` the
    /// cost grows with the number of tasks in that period: about 6 ms for 100,000.
    pub(in crate::store) fn counts(
        &self,
        filter: &Filter,
        without: &BTreeSet<TaskId>,
    ) -> Result<StateCounts, CatalogError> {
        self.reading(|connection| count(connection, filter, without))
    }

    /// The repositories of all tasks except those in `without`, each with the number of its tasks.
    pub(in crate::store) fn repositories(
        &self,
        without: &BTreeSet<TaskId>,
    ) -> Result<BTreeMap<String, u64>, CatalogError> {
        self.reading(|connection| {
            let mut names = BTreeMap::new();
            for (repository, _, tasks) in tallies(connection, TallyScope::Repository)? {
                *names.entry(repository).or_default() += tasks;
            }
            for stored in stored(connection, without)? {
                subtract(&mut names, &stored.row.repository);
            }
            Ok(names)
        })
    }

    /// The backends of all tasks except those in `without`, each with the number of its tasks.
    pub(in crate::store) fn backends(&self, without: &BTreeSet<TaskId>) -> Result<BTreeMap<String, u64>, CatalogError> {
        self.reading(|connection| {
            let mut names = BTreeMap::new();
            for (_, backend, tasks) in tallies(connection, TallyScope::Backend)? {
                *names.entry(backend).or_default() += tasks;
            }
            for stored in stored(connection, without)? {
                subtract(&mut names, &stored.row.backend);
            }
            Ok(names)
        })
    }
}

/// One task.
pub(super) fn by_id(connection: &Connection, id: &TaskId) -> Result<Option<StoredTask>, CatalogError> {
    Ok(connection.prepare_cached(&select(BY_ID))?.query_row([id.as_str()], listed).optional()?)
}

/// One tally; 0 if there is none.
pub(super) fn tally(
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

fn entries(
    connection: &Connection,
    filter: &Filter,
    page: Page,
    changed: &ChangedTasks,
) -> Result<TaskPage<IndexEntry>, CatalogError> {
    let mut found = search_all(connection, filter, page.end().saturating_add(changed.ids.len()))?;
    found.retain(|entry| !changed.ids.contains(&entry.id));
    found.truncate(page.end());
    let stored: u64 = count(connection, filter, &changed.ids)?.values().sum();
    if found.len() != page.end().min(usize::try_from(stored).unwrap_or(usize::MAX)) {
        return Err(CatalogError::inconsistent(format!("{} of {stored} tasks", found.len())));
    }
    let total = stored + changed.selected.len() as u64;
    let changed = changed.selected.iter();
    found.extend(changed.map(|(started_at, id)| IndexEntry { started_at: *started_at, id: id.clone(), row: None }));
    found.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(TaskPage { tasks: found.into_iter().skip(page.skip).take(page.limit).collect(), total })
}

/// The tasks that `filter` selects, newest first, up to `limit`.
fn search_all(connection: &Connection, filter: &Filter, limit: usize) -> Result<Vec<IndexEntry>, CatalogError> {
    let sql = format!("{}{}{}", NEWEST.0, search(filter), NEWEST.1);
    let mut statement = connection.prepare_cached(&sql)?;
    let (repository, backend, since, until) = keys(filter);
    let mut found = Vec::new();
    for state in states(filter) {
        let parameters = params![state.as_str(), repository, backend, since, until, signed(limit as u64)];
        let read = |row: &rusqlite::Row<'_>| {
            Ok(IndexEntry { started_at: row.get(0)?, id: id(row, 1)?, row: Some(row.get(2)?) })
        };
        for entry in statement.query_map(parameters, read)? {
            found.push(entry?);
        }
    }
    found.sort_by(|a, b| a.order().cmp(&b.order()));
    found.truncate(limit);
    Ok(found)
}

fn count(connection: &Connection, filter: &Filter, without: &BTreeSet<TaskId>) -> Result<StateCounts, CatalogError> {
    let is_tallied = filter.since.is_none() && filter.until.is_none();
    let (repository, backend, since, until) = keys(filter);
    let mut counts = StateCounts::new();
    for state in states(filter) {
        let number = if is_tallied {
            tally(connection, scope(filter), repository, backend, state.as_str())?
        } else {
            let mut statement = connection.prepare_cached(&format!("{NUMBER}{}", search(filter)))?;
            let parameters = params![state.as_str(), repository, backend, since, until];
            unsigned(statement.query_row(parameters, |row| row.get(0))?)
        };
        counts.insert(state, number);
    }
    for stored in stored(connection, without)?.iter().filter(|stored| filter.selects(&stored.row)) {
        subtract(&mut counts, &stored.row.state);
    }
    Ok(counts)
}

/// The rows of these tasks.
fn stored(connection: &Connection, ids: &BTreeSet<TaskId>) -> Result<Vec<StoredTask>, CatalogError> {
    let mut found = Vec::new();
    for id in ids {
        found.extend(by_id(connection, id)?);
    }
    Ok(found)
}

fn subtract<K: Ord + Borrow<Q>, Q: Ord + ?Sized>(counts: &mut BTreeMap<K, u64>, key: &Q) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
    }
}

/// Repository, backend and number of each tally with this scope.
fn tallies(connection: &Connection, scope: TallyScope) -> Result<Vec<(String, String, u64)>, CatalogError> {
    let mut statement = connection.prepare_cached(TALLIES)?;
    let found = statement.query_map([scope as i64], |row| Ok((row.get(0)?, row.get(1)?, unsigned(row.get(2)?))))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The states to search.
fn states(filter: &Filter) -> impl Iterator<Item = StoredState> {
    StoredState::ALL.into_iter().filter(|state| filter.selects_state(*state))
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
