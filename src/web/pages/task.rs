//! The page Task.

use maud::Markup;

use crate::{
    broker::{Broker, Refusal},
    present::web::{ElementId, Tab, TabQuery, Viewer},
    task::TaskId,
};

/// The page, with one of its tabs.
pub(crate) async fn task(
    broker: &Broker,
    id: &TaskId,
    tab: Tab,
    query: &TabQuery,
    viewer: &Viewer,
) -> Result<Markup, Refusal> {
    let _ = (broker, id, tab, query, viewer);
    Ok(Markup::default())
}

/// Its elements that change: the head, the timeline bar and the current step. The stream itself adds the activity.
pub(crate) async fn task_fragments(
    broker: &Broker,
    id: &TaskId,
    viewer: &Viewer,
) -> Result<Vec<(ElementId, Markup)>, Refusal> {
    let _ = (broker, id, viewer);
    Ok(vec![])
}
