//! The page before an action.

use maud::Markup;

use crate::{
    broker::{Broker, Refusal},
    present::web::{Action, Viewer},
    task::TaskId,
};

/// The page that says what the action would do, with a form that does it.
pub(crate) async fn confirm(broker: &Broker, id: &TaskId, action: Action, viewer: &Viewer) -> Result<Markup, Refusal> {
    let _ = (broker, id, action, viewer);
    Ok(Markup::default())
}
