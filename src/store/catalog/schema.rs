//! The tables, and how rows are written and read.

use chrono::{DateTime, Utc};
use connector_api::Usage;
use rusqlite::{Connection, Row as SqlRow, params, types::Type};

use super::row::{Changes, Row, Seq, StoredState, StoredTask};
use crate::task::TaskId;

/// The format of the database that this version writes (`PRAGMA user_version`).
pub(super) const VERSION: i32 = 4;

/// The tables.
///
/// `state` is `running` or the outcome. `ended_at` is the time when a task ended, or NULL while it is running. `tallies` holds counts of tasks, so that
/// counting does not read them all; `scope` determines which of its key columns are used (see [`TallyScope`]).
/// `edition` and `archives` are the other lists of tasks that the catalog fully contains, and `swept_at` is when the
/// records were last compared with the rows (see `lag`).
pub(super) const TABLES: &str = "
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation TEXT NOT NULL,
    last_seq INTEGER NOT NULL,
    edition TEXT,
    swept_at INTEGER
) STRICT;
CREATE TABLE archives (name TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE tasks (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    completed_at INTEGER,
    ended_at INTEGER,
    seq INTEGER,
    backend TEXT NOT NULL,
    model TEXT NOT NULL,
    repository TEXT NOT NULL,
    working_directory TEXT NOT NULL,
    session TEXT,
    input_tokens INTEGER,
    cached_input_tokens INTEGER,
    output_tokens INTEGER,
    reasoning_output_tokens INTEGER,
    changed_files INTEGER,
    added_lines INTEGER,
    removed_lines INTEGER,
    from_original INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE TABLE tallies (
    scope INTEGER NOT NULL,
    repository TEXT NOT NULL,
    backend TEXT NOT NULL,
    state TEXT NOT NULL,
    tasks INTEGER NOT NULL,
    PRIMARY KEY (scope, repository, backend, state)
) STRICT, WITHOUT ROWID;
";

/// One index per combination of equality conditions within a state, in listing order. A listing of all states merges
/// one search per state. `by_start` has every column that totals need, because reading the rows themselves takes a second
/// for 100,000 tasks.
pub(super) const INDEXES: &str = "
CREATE INDEX by_state ON tasks (state, started_at DESC, id);
CREATE INDEX by_backend ON tasks (state, backend, started_at DESC, id);
CREATE INDEX by_repository ON tasks (state, repository, started_at DESC, id);
CREATE INDEX by_repository_and_backend ON tasks (state, repository, backend, started_at DESC, id);
CREATE INDEX by_start ON tasks (started_at, repository, backend, model, id, input_tokens, cached_input_tokens, output_tokens,
 reasoning_output_tokens);
CREATE INDEX by_session ON tasks (session, started_at DESC, id) WHERE session IS NOT NULL;
CREATE UNIQUE INDEX by_seq ON tasks (seq) WHERE seq IS NOT NULL;
CREATE INDEX removable ON tasks (ended_at, id) WHERE ended_at IS NOT NULL AND from_original = 0;
";

/// The tallies of all rows in `tasks`, to fill and to check `tallies`.
pub(super) const ALL_TALLIES: &str = "
SELECT 0 AS scope, '' AS repository, '' AS backend, state, count(*) AS tasks FROM tasks GROUP BY state
UNION ALL SELECT 1, repository, '', state, count(*) FROM tasks GROUP BY repository, state
UNION ALL SELECT 2, '', backend, state, count(*) FROM tasks GROUP BY backend, state
UNION ALL SELECT 3, repository, backend, state, count(*) FROM tasks GROUP BY repository, backend, state
UNION ALL SELECT 4, '', '', '', count(*) FROM tasks WHERE ended_at IS NOT NULL AND from_original = 0
";

/// The columns and parameters of [`put`].
const VALUES: &str = "(id, state, started_at, completed_at, ended_at, seq, backend, repository, working_directory,
 input_tokens, cached_input_tokens, output_tokens, reasoning_output_tokens, changed_files, added_lines, removed_lines,
 from_original, record, session, model)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)";

/// The tasks that a row of `tallies` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TallyScope {
    /// Tasks in a state.
    All = 0,
    /// Tasks in a state and a repository.
    Repository = 1,
    /// Tasks in a state and of a backend.
    Backend = 2,
    /// Tasks in a state, in a repository and of a backend.
    RepositoryAndBackend = 3,
    /// Ended tasks that retention may remove.
    Removable = 4,
}

/// How to treat an existing row of the same task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExistingRow {
    /// There is none; the caller has checked.
    None,
    /// Keep it, and write nothing.
    Kept,
}

/// Inserts a row into `tasks`.
pub(super) fn put(to: &Connection, row: &Row, seq: Option<Seq>, present: ExistingRow) -> rusqlite::Result<()> {
    let insert = match present {
        ExistingRow::None => "INSERT INTO tasks",
        ExistingRow::Kept => "INSERT OR IGNORE INTO tasks",
    };
    let usage = |count: fn(&Usage) -> u64| row.usage.as_ref().map(count).map(signed);
    let changes = |count: fn(&Changes) -> u64| row.changes.as_ref().map(count).map(signed);
    to.prepare_cached(&format!("{insert} {VALUES}"))?.execute(params![
        row.id.as_str(),
        row.state.as_str(),
        row.started_at.timestamp_millis(),
        row.completed_at.map(|at| at.timestamp_millis()),
        ended_at(row),
        seq,
        row.backend,
        row.repository,
        row.directory,
        usage(|usage| usage.input_tokens),
        usage(|usage| usage.cached_input_tokens),
        usage(|usage| usage.output_tokens),
        usage(|usage| usage.reasoning_output_tokens),
        changes(|changes| changes.files),
        changes(|changes| changes.added),
        changes(|changes| changes.removed),
        row.from_original,
        row.record,
        row.session,
        row.model,
    ])?;
    Ok(())
}

/// A query for the columns that [`listed`] reads, with this condition.
pub(super) fn select(condition: &str) -> String {
    format!(
        "SELECT id, state, started_at, completed_at, seq, backend, repository, working_directory, input_tokens,
         cached_input_tokens, output_tokens, reasoning_output_tokens, changed_files, added_lines, removed_lines,
         from_original, record, session, model FROM tasks {condition}"
    )
}

/// Reads a row returned by a [`select`] query.
pub(super) fn listed(row: &SqlRow<'_>) -> rusqlite::Result<StoredTask> {
    let usage = match (row.get(8)?, row.get(9)?, row.get(10)?, row.get(11)?) {
        (Some(input), Some(cached), Some(output), Some(reasoning)) => Some(Usage {
            input_tokens: unsigned(input),
            cached_input_tokens: unsigned(cached),
            output_tokens: unsigned(output),
            reasoning_output_tokens: unsigned(reasoning),
        }),
        _ => None,
    };
    let changes = match (row.get(12)?, row.get(13)?, row.get(14)?) {
        (Some(files), Some(added), Some(removed)) => {
            Some(Changes { files: unsigned(files), added: unsigned(added), removed: unsigned(removed) })
        }
        _ => None,
    };
    let completed_at: Option<i64> = row.get(3)?;
    let listed = Row {
        id: id(row, 0)?,
        state: parsed(1, Type::Text, StoredState::parse(row.get_ref(1)?.as_str()?))?,
        started_at: moment(2, row.get(2)?)?,
        completed_at: completed_at.map(|at| moment(3, at)).transpose()?,
        backend: row.get(5)?,
        repository: row.get(6)?,
        directory: row.get(7)?,
        usage,
        changes,
        from_original: row.get(15)?,
        record: row.get(16)?,
        session: row.get(17)?,
        model: row.get(18)?,
    };
    Ok(StoredTask { row: listed, seq: row.get(4)? })
}

/// Reads the ID in a column.
pub(super) fn id(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<TaskId> {
    parsed(column, Type::Text, TaskId::parse(row.get_ref(column)?.as_str()?).ok())
}

/// The end time for `ended_at`; `None` while the task is running.
pub(super) fn ended_at(row: &Row) -> Option<i64> {
    row.state.is_final().then(|| row.completed_at.unwrap_or(row.started_at).timestamp_millis())
}

fn moment(column: usize, millis: i64) -> rusqlite::Result<DateTime<Utc>> {
    parsed(column, Type::Integer, DateTime::from_timestamp_millis(millis))
}

/// Converts a missing value, which only a damaged database has, to an error.
fn parsed<T>(column: usize, kind: Type, value: Option<T>) -> rusqlite::Result<T> {
    value.ok_or_else(|| rusqlite::Error::InvalidColumnType(column, String::new(), kind))
}

/// Converts a count to a signed number, because SQLite has no unsigned ones. No real count is too large.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The inverse of [`signed`].
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
