//! The totals of tokens, from one query that reads only an index.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use connector_api::Usage;
use rusqlite::{Row as SqlRow, params};

use super::{error::CatalogError, open::Catalog, schema::unsigned};
use crate::task::{TaskId, Totals, TotalsBy};

/// Length of the periods by which [`Catalog::usage`] groups days, in milliseconds. Every time zone's days begin at the
/// start of such a period.
const PERIOD_MILLIS: i64 = 15 * 60 * 1_000;

/// The tasks whose tokens are added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct UsageFilter {
    /// Only tasks in this repository.
    pub(in crate::store) repository: Option<String>,
    /// Only tasks that began at this time or later.
    pub(in crate::store) since: Option<DateTime<Utc>>,
}

/// The name of a group of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum UsageGroup {
    /// Tasks that began within a quarter of an hour from this time.
    Time(DateTime<Utc>),
    /// Tasks with this backend, model or repository.
    Name(String),
}

/// The query for the totals in each group. The `?3` are IDs to ignore, as a JSON array.
pub(super) fn statement(by: TotalsBy) -> String {
    let key = match by {
        TotalsBy::Day => format!("started_at / {PERIOD_MILLIS}"),
        TotalsBy::Backend => "backend".to_owned(),
        TotalsBy::Model => "model".to_owned(),
        TotalsBy::Repository => "repository".to_owned(),
    };
    sums(&key, "1")
}

/// The same for each day and backend.
pub(super) fn daily_statement() -> String {
    sums(&format!("started_at / {PERIOD_MILLIS}, backend"), "1, 2")
}

fn sums(keys: &str, grouping: &str) -> String {
    format!(
        "SELECT {keys}, count(*), count(input_tokens), sum(input_tokens), sum(cached_input_tokens), sum(output_tokens),
         sum(reasoning_output_tokens) FROM tasks
         WHERE started_at >= ?1 AND (?2 = '' OR repository = ?2)
         AND (?3 = '[]' OR id NOT IN (SELECT value FROM json_each(?3))) GROUP BY {grouping}"
    )
}

impl Catalog {
    /// The totals of the tasks that `filter` selects, by group, without those in `without`.
    pub(in crate::store) fn usage(
        &self,
        filter: &UsageFilter,
        by: TotalsBy,
        without: &BTreeSet<TaskId>,
    ) -> Result<Vec<(UsageGroup, Totals)>, CatalogError> {
        self.each_group(&statement(by), filter, without, |row| {
            let name = match by {
                TotalsBy::Day => UsageGroup::Time(period(row)?),
                TotalsBy::Backend | TotalsBy::Model | TotalsBy::Repository => UsageGroup::Name(row.get(0)?),
            };
            Ok((name, totals(row, 1)?))
        })
    }

    /// The totals of the tasks that `filter` selects, without those in `without`, for each backend and each quarter of an
    /// hour in which tasks began.
    pub(in crate::store) fn daily_usage(
        &self,
        filter: &UsageFilter,
        without: &BTreeSet<TaskId>,
    ) -> Result<Vec<(DateTime<Utc>, String, Totals)>, CatalogError> {
        let read = |row: &SqlRow<'_>| Ok((period(row)?, row.get(1)?, totals(row, 2)?));
        self.each_group(&daily_statement(), filter, without, read)
    }

    fn each_group<T>(
        &self,
        sql: &str,
        filter: &UsageFilter,
        without: &BTreeSet<TaskId>,
        read: impl FnMut(&SqlRow<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, CatalogError> {
        let without = serde_json::to_string(without).expect("IDs are text");
        let since = filter.since.map_or(i64::MIN, |time| time.timestamp_millis());
        let repository = filter.repository.as_deref().unwrap_or_default();
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement.query_map(params![since, repository, without], read)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// The quarter of an hour in the first column.
fn period(row: &SqlRow<'_>) -> rusqlite::Result<DateTime<Utc>> {
    let period: i64 = row.get(0)?;
    Ok(DateTime::from_timestamp_millis(period.saturating_mul(PERIOD_MILLIS)).unwrap_or_default())
}

/// The sums in the columns from `first` on.
fn totals(row: &SqlRow<'_>, first: usize) -> rusqlite::Result<Totals> {
    let (tasks, reported): (i64, i64) = (row.get(first)?, row.get(first + 1)?);
    // A sum without values is NULL.
    let sum = |column| row.get::<_, Option<i64>>(first + column).map(|sum| unsigned(sum.unwrap_or_default()));
    let usage = Usage {
        input_tokens: sum(2)?,
        cached_input_tokens: sum(3)?,
        output_tokens: sum(4)?,
        reasoning_output_tokens: sum(5)?,
    };
    Ok(Totals { tasks: unsigned(tasks), unreported: unsigned(tasks - reported), usage })
}
