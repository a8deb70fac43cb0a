//! The page before an action.

use chrono::Utc;
use maud::Markup;

use super::explain;
use crate::{
    broker::{ApplyRequest, Broker, Refusal, UndoRequest},
    present::web::{self, Action, Confirmation, Plan, Viewer},
    task::{OperationResult, TaskId},
};

/// The page that says what the action would do, with a form that does it. Writes nothing.
pub(crate) async fn confirm(broker: &Broker, id: &TaskId, action: Action, viewer: &Viewer) -> Result<Markup, Refusal> {
    let task = broker.summary(id).await?;
    let plan = plan(broker, id, action).await.unwrap_or_else(|refusal| Plan::Refused(explain(broker, &refusal)));
    Ok(web::confirm(&Confirmation { task: &task, action, plan, now: Utc::now() }, viewer))
}

async fn plan(broker: &Broker, id: &TaskId, action: Action) -> Result<Plan, Refusal> {
    let operation = |result: OperationResult| Plan::Operation(Box::new(result));
    Ok(match action {
        Action::Cancel => Plan::Cancel,
        Action::Undo => operation(broker.undo(id, UndoRequest { check: true, ..UndoRequest::default() }).await?),
        Action::Redo => operation(broker.redo(id, true).await?),
        Action::Apply => operation(broker.apply(id, ApplyRequest { check: true, ..ApplyRequest::default() }).await?),
        Action::Resume => {
            broker.session_of(id).await?;
            Plan::Resume
        }
    })
}
