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
    format!(
        "SELECT {key}, count(*), count(input_tokens), sum(input_tokens), sum(cached_input_tokens), sum(output_tokens),
         sum(reasoning_output_tokens) FROM tasks
         WHERE started_at >= ?1 AND (?2 = '' OR repository = ?2)
         AND (?3 = '[]' OR id NOT IN (SELECT value FROM json_each(?3))) GROUP BY 1"
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
        let without = serde_json::to_string(without).expect("IDs are text");
        let since = filter.since.map_or(i64::MIN, |time| time.timestamp_millis());
        let repository = filter.repository.as_deref().unwrap_or_default();
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(&statement(by))?;
            let found = statement.query_map(params![since, repository, without], |row| group(row, by))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn group(row: &SqlRow<'_>, by: TotalsBy) -> rusqlite::Result<(UsageGroup, Totals)> {
    let name = match by {
        TotalsBy::Day => {
            let period: i64 = row.get(0)?;
            UsageGroup::Time(DateTime::from_timestamp_millis(period * PERIOD_MILLIS).unwrap_or_default())
        }
        TotalsBy::Backend | TotalsBy::Model | TotalsBy::Repository => UsageGroup::Name(row.get(0)?),
    };
    let (tasks, reported): (i64, i64) = (row.get(1)?, row.get(2)?);
    // A sum without values is NULL.
    let sum = |column| row.get::<_, Option<i64>>(column).map(|sum| unsigned(sum.unwrap_or_default()));
    let usage = Usage {
        input_tokens: sum(3)?,
        cached_input_tokens: sum(4)?,
        output_tokens: sum(5)?,
        reasoning_output_tokens: sum(6)?,
    };
    Ok((name, Totals { tasks: unsigned(tasks), unreported: unsigned(tasks - reported), usage }))
}
