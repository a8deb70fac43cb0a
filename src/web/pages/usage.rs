//! The page Usage.

use maud::Markup;

use crate::{
    broker::{Broker, Refusal},
    present::web::Viewer,
};

/// The page: tokens since `since`, which is as in `TaskListQuery`.
pub(crate) async fn usage(broker: &Broker, since: Option<&str>, viewer: &Viewer) -> Result<Markup, Refusal> {
    let _ = (broker, since, viewer);
    Ok(Markup::default())
}
