//! The totals of tokens.

use chrono::{DateTime, NaiveDate, Utc};

use super::{Broker, Refusal};
use crate::task::{DailyUsage, TotalsBy, UsageReport};

impl Broker {
    /// The tokens of the tasks that began at or after `since`, in one repository or in all. `day` is the day of a time
    /// in the user's time zone.
    pub async fn usage(
        &self,
        by: TotalsBy,
        repository: Option<String>,
        since: Option<DateTime<Utc>>,
        day: fn(DateTime<Utc>) -> NaiveDate,
    ) -> Result<UsageReport, Refusal> {
        self.on_disk(move |broker| {
            let mut report = broker.reader.usage(by, repository.as_deref(), since, day)?;
            if by == TotalsBy::Model {
                report.groups.iter_mut().for_each(|(name, _)| broker.redactor.redact(name));
            }
            Ok(report)
        })
        .await?
    }

    /// The same for each day and backend.
    pub async fn usage_by_day_and_backend(
        &self,
        repository: Option<String>,
        since: Option<DateTime<Utc>>,
        day: fn(DateTime<Utc>) -> NaiveDate,
    ) -> Result<DailyUsage, Refusal> {
        self.on_disk(move |broker| Ok(broker.reader.daily_usage(repository.as_deref(), since, day)?)).await?
    }
}
