//! The tasks that a verb is about: those that are named, or those that have not ended.

use super::{context::refused, exit::Exit, lists::resolve};
use crate::{
    broker::Broker,
    store::Filter,
    task::{TaskId, TaskState, TaskStatus},
};

/// The tasks that these words name, each once.
pub(super) async fn resolve_all(broker: &Broker, words: &[String], scope: &Filter) -> Result<Vec<TaskId>, Exit> {
    let mut ids = Vec::new();
    for word in words {
        let id = resolve(broker, word, scope).await?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// The tasks in the scope that have not ended, newest first.
pub(super) async fn unfinished(broker: &Broker, scope: &Filter) -> Result<Vec<TaskId>, Exit> {
    let filter = Filter { state: Some(TaskStatus::Running), ..scope.clone() };
    let found = broker.find(&filter, usize::MAX).await.map_err(|refusal| refused(broker, &refusal))?;
    let unfinished = found.tasks.into_iter().filter(|task| task.state != TaskState::Ended);
    Ok(unfinished.map(|task| task.record.id).collect())
}
