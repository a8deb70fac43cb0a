//! The page Tasks.

use maud::Markup;

use crate::{
    broker::{Broker, Refusal},
    present::web::{ElementId, TaskListQuery, Viewer},
};

/// The page.
pub(crate) async fn tasks(broker: &Broker, query: &TaskListQuery, viewer: &Viewer) -> Result<Markup, Refusal> {
    let _ = (broker, query, viewer);
    Ok(Markup::default())
}

/// Its elements that change: the numbers of tasks, the list, and the time axis.
pub(crate) async fn tasks_fragments(
    broker: &Broker,
    query: &TaskListQuery,
    viewer: &Viewer,
) -> Result<Vec<(ElementId, Markup)>, Refusal> {
    let _ = (broker, query, viewer);
    Ok(vec![])
}
