//! The totals of tokens.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::Reader;
use crate::{
    store::{
        catalog::{Catalog, CatalogError, Filter, Row, UsageFilter, UsageGroup},
        delta::IndexesError,
        entry::{MAX_TEXT_CHARS, row},
        error::StoreError,
        repository::Repositories,
    },
    task::{DailyUsage, DayUsage, TaskId, TaskRecord, Totals, TotalsBy, UsageReport},
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
        let (stored, rows) = self.stored_and_changed(&filter, |catalog, ids| catalog.usage(&filter, by, ids))?;
        let mut groups: BTreeMap<String, Totals> = BTreeMap::new();
        for (group, totals) in stored {
            let name = match group {
                UsageGroup::Time(time) => day(time).to_string(),
                UsageGroup::Name(name) => name,
            };
            groups.entry(name).or_default().add(totals);
        }
        for row in rows {
            let name = match by {
                TotalsBy::Day => day(row.started_at).to_string(),
                TotalsBy::Backend => row.backend,
                TotalsBy::Model => row.model,
                TotalsBy::Repository => row.repository,
            };
            groups.entry(name).or_default().add(Totals::of(row.usage));
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        if by != TotalsBy::Day {
            let tokens = |totals: &Totals| totals.usage.input_tokens.saturating_add(totals.usage.output_tokens);
            groups.sort_by_key(|(_, totals)| std::cmp::Reverse((tokens(totals), totals.tasks)));
        }
        Ok(UsageReport { by, groups })
    }

    /// The same for each day and backend.
    pub fn daily_usage(
        &self,
        repository: Option<&str>,
        since: Option<DateTime<Utc>>,
        day: impl Fn(DateTime<Utc>) -> NaiveDate,
    ) -> Result<DailyUsage, StoreError> {
        let filter = UsageFilter { repository: repository.map(str::to_owned), since };
        let (stored, rows) = self.stored_and_changed(&filter, |catalog, ids| catalog.daily_usage(&filter, ids))?;
        let mut days: BTreeMap<NaiveDate, BTreeMap<String, Totals>> = BTreeMap::new();
        let changed = rows.into_iter().map(|row| (row.started_at, row.backend, Totals::of(row.usage)));
        for (time, backend, totals) in stored.into_iter().chain(changed) {
            days.entry(day(time)).or_default().entry(backend).or_default().add(totals);
        }
        let days = days.into_iter().map(|(day, backends)| DayUsage { day, backends: backends.into_iter().collect() });
        Ok(DailyUsage { days: days.collect() })
    }

    /// The result of `query`, which is given the tasks to leave out because their records changed; and what the filter
    /// selects of those. Without a usable catalog, the rows of all tasks that the filter selects.
    fn stored_and_changed<T>(
        &self,
        filter: &UsageFilter,
        query: impl Fn(&Catalog, &BTreeSet<TaskId>) -> Result<Vec<T>, CatalogError>,
    ) -> Result<(Vec<T>, Vec<Row>), StoreError> {
        let read = self.catalog.query(|catalog| {
            let changed = self.changed(catalog)?;
            Ok((query(catalog, &changed.keys().cloned().collect())?, changed))
        });
        let (stored, records): (_, Box<dyn Iterator<Item = TaskRecord>>) = match read {
            Ok((stored, changed)) => (stored, Box::new(changed.into_values())),
            Err(IndexesError::Store(error)) => return Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                (Vec::new(), Box::new(self.all_tasks()?))
            }
        };
        let UsageFilter { repository, since } = filter.clone();
        let filter = Filter { repository, since, ..Filter::default() };
        let mut repositories = Repositories::default();
        // A row without its record, which totals do not need: there may be many.
        let rows =
            records.map(|record| Row { record: String::new(), ..row(&record, MAX_TEXT_CHARS, &mut repositories) });
        Ok((stored, rows.filter(|row| filter.selects(row)).collect()))
    }
}
