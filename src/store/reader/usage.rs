//! The totals of tokens.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::Reader;
use crate::{
    store::{
        catalog::{Filter, UsageFilter, UsageGroup},
        delta::IndexesError,
        entry::{MAX_TEXT_CHARS, row},
        error::StoreError,
        repository::Repositories,
    },
    task::{TaskRecord, Totals, TotalsBy, UsageReport},
};

impl Reader {
    /// The tokens of the tasks that began at or after `since`, in one repository or in all. `day` is the day of a time
    /// in the user's time zone.
    ///
    /// If the catalog cannot be used, the records are read, and a notice reports that.
    pub fn usage(
        &self,
        by: TotalsBy,
        repository: Option<&str>,
        since: Option<DateTime<Utc>>,
        day: impl Fn(DateTime<Utc>) -> NaiveDate,
    ) -> Result<UsageReport, StoreError> {
        let filter = UsageFilter { repository: repository.map(str::to_owned), since };
        let read = self.catalog.query(|catalog| {
            let changed = self.changed(catalog)?;
            let ids: BTreeSet<_> = changed.keys().cloned().collect();
            Ok((catalog.usage(&filter, by, &ids)?, changed))
        });
        let (stored, records): (_, Box<dyn Iterator<Item = TaskRecord>>) = match read {
            Ok((stored, changed)) => (stored, Box::new(changed.into_values())),
            Err(IndexesError::Store(error)) => return Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                (Vec::new(), Box::new(self.all_tasks()?))
            }
        };
        let mut groups: BTreeMap<String, Totals> = BTreeMap::new();
        for (group, totals) in stored {
            let name = match group {
                UsageGroup::Time(time) => day(time).to_string(),
                UsageGroup::Name(name) => name,
            };
            groups.entry(name).or_default().add(totals);
        }
        for (name, totals) in of_records(records, by, filter, day) {
            groups.entry(name).or_default().add(totals);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        if by != TotalsBy::Day {
            let tokens = |totals: &Totals| totals.usage.input_tokens.saturating_add(totals.usage.output_tokens);
            groups.sort_by_key(|(_, totals)| std::cmp::Reverse((tokens(totals), totals.tasks)));
        }
        Ok(UsageReport { by, groups })
    }
}

/// The group and the total of each record that the filter selects.
fn of_records(
    records: impl Iterator<Item = TaskRecord>,
    by: TotalsBy,
    filter: UsageFilter,
    day: impl Fn(DateTime<Utc>) -> NaiveDate,
) -> Vec<(String, Totals)> {
    let filter = Filter { repository: filter.repository, since: filter.since, ..Filter::default() };
    let mut repositories = Repositories::default();
    let rows = records.map(|record| row(&record, MAX_TEXT_CHARS, &mut repositories));
    let selected = rows.filter(|row| filter.selects(row));
    let named = selected.map(|row| {
        let name = match by {
            TotalsBy::Day => day(row.started_at).to_string(),
            TotalsBy::Backend => row.backend,
            TotalsBy::Model => row.model,
            TotalsBy::Repository => row.repository,
        };
        (name, Totals::of(row.usage))
    });
    named.collect()
}
