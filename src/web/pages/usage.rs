//! The page Usage.

use chrono::Utc;
use maud::Markup;

use super::zone::local_day;
use crate::{
    broker::{Broker, Refusal},
    present::web::{self, UsagePage, Viewer},
    task::since as time_since,
};

/// The beginning of the shown period if none is given.
const DEFAULT_SINCE: &str = "30d";

/// The page: tokens since `since`, which is as in `TaskListQuery`.
pub(crate) async fn usage(broker: &Broker, since: Option<&str>, viewer: &Viewer) -> Result<Markup, Refusal> {
    let since = since.filter(|text| !text.is_empty()).unwrap_or(DEFAULT_SINCE);
    let begin = time_since(since, Utc::now());
    let problem = begin.is_none().then(|| web::invalid_since(since));
    let usage = broker.usage_by_day_and_backend(None, begin, local_day).await?;
    Ok(web::usage(&UsagePage { usage, since, problem }, viewer))
}
