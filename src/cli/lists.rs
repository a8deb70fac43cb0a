//! Queries of the lists of tasks that need all tasks.
//!
//! Nobody but this process may be there to rebuild a catalog that was lost or damaged, so the verbs that list tasks do.

use std::{pin::pin, time::Duration};

use tokio::time::{sleep, timeout};

use super::{
    context::{refused, repository, scope},
    exit::Exit,
    output::{error_text, refuse},
};
use crate::{
    broker::{Broker, Refusal},
    present::terminal_refusals,
    store::Filter,
    task::TaskId,
};

/// After which time a message says that the catalog is being rebuilt.
const MESSAGE_DELAY: Duration = Duration::from_secs(1);

/// How long to wait until the catalog is rebuilt. 100,000 tasks take about ten seconds.
const REBUILD_DEADLINE: Duration = Duration::from_secs(600);

/// Runs a query of the lists. If the catalog is missing or damaged, rebuilds it first. If it cannot be rebuilt, prints a
/// message, and the query finds the newest tasks only.
pub(super) async fn with_lists<T>(broker: &Broker, query: impl AsyncFn() -> Result<T, Refusal>) -> Result<T, Refusal> {
    if broker.rebuild_lists_if_needed().await? {
        finish_rebuild(broker).await;
    }
    let found = query().await;
    // Some damage is only found by the query itself.
    if !broker.has_rebuild() {
        return found;
    }
    finish_rebuild(broker).await;
    query().await
}

/// The task that `word` names. `@N` counts all tasks in `scope`. Prints the problem if there is none.
pub(super) async fn resolve(broker: &Broker, word: &str, scope: &Filter) -> Result<TaskId, Exit> {
    let found = match word.starts_with('@') {
        true => with_lists(broker, async || broker.resolve(word, scope).await).await,
        false => broker.resolve(word, scope).await,
    };
    found.map_err(|refusal| refused(broker, &refusal))
}

/// Like [`resolve`], for a verb that is limited to the repository of the current directory unless `is_everywhere`.
pub(super) async fn resolve_here(broker: &Broker, word: &str, is_everywhere: bool) -> Result<TaskId, Exit> {
    let repository = repository(is_everywhere)?;
    resolve(broker, word, &scope(repository.as_deref())).await
}

async fn finish_rebuild(broker: &Broker) {
    let mut rebuilding = pin!(timeout(REBUILD_DEADLINE, broker.finish_rebuild()));
    let done = tokio::select! {
        done = &mut rebuilding => done,
        () = sleep(MESSAGE_DELAY) => {
            error_text(terminal_refusals::REBUILDING_LISTS);
            rebuilding.await
        }
    };
    match done {
        Ok(Ok(())) => {}
        Ok(Err(refusal)) => drop(refuse(terminal_refusals::lists_not_rebuilt(refusal.explain_for_terminal().problem))),
        Err(_) => drop(refuse(terminal_refusals::lists_not_rebuilt("the data directory is too slow".into()))),
    }
}
