//! The page Tasks.

use chrono::Utc;
use maud::Markup;

use super::zone::local_time;
use crate::{
    broker::{Broker, Refusal},
    present::web::{self, ElementId, TaskList, TaskListQuery, Viewer},
    store::Filter,
    task::{Page, since},
};

/// The number of tasks on a page.
const PAGE_SIZE: usize = 50;

/// The page.
pub(crate) async fn tasks(broker: &Broker, query: &TaskListQuery, viewer: &Viewer) -> Result<Markup, Refusal> {
    Ok(web::tasks(&read(broker, query).await?, viewer))
}

/// The contents of its elements that change: the numbers of tasks, the list, and the time axis.
pub(crate) async fn tasks_fragments(
    broker: &Broker,
    query: &TaskListQuery,
    _viewer: &Viewer,
) -> Result<Vec<(ElementId, Markup)>, Refusal> {
    Ok(web::tasks_fragments(&read(broker, query).await?))
}

async fn read<'a>(broker: &Broker, query: &'a TaskListQuery) -> Result<TaskList<'a>, Refusal> {
    let now = Utc::now();
    let begin = query.since.as_deref().map(|text| since(text, now).ok_or(text));
    let problem = begin.and_then(Result::err).map(web::invalid_since);
    let filter = Filter {
        backend: query.backend.clone(),
        repository: query.repository.clone(),
        since: begin.and_then(Result::ok),
        ..Filter::default()
    };
    let skip = (query.page.max(1) - 1).saturating_mul(PAGE_SIZE);
    let found = broker.find_page(&filter, query.state, Page { skip, limit: PAGE_SIZE }).await?;
    Ok(TaskList {
        query,
        counts: broker.counts(&filter).await?,
        found,
        page_size: PAGE_SIZE,
        repositories: broker.repositories().await?,
        backends: broker.seen_backends().await?,
        problem,
        zone: local_time,
        now,
    })
}
