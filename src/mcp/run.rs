//! Starts a task, and waits for its end as long as the client does.
//!
//! | the call ends because | answer |
//! |---|---|
//! | it is `async` | the task has started |
//! | the client supports task handles | a handle |
//! | the task ends | its result |
//! | the client cancels the call or times out | the task is cancelled or keeps running, depending on the configuration |

use rmcp::{RoleServer, service::RequestContext};

use super::{
    answer::CallAnswer,
    caller::Caller,
    cancellation::Cancellation,
    progress::Progress,
    transport_kind::{TransportKind, is_stateless},
};
use crate::{
    broker::{Broker, NewTask, Refusal, TaskUpdate},
    config::{OnCallEnd, TaskHandles},
    present::{self, Refused},
    request::AnswerWhen,
    store::ReportedBy,
    task::{Message, ResultText, TaskId, TaskRecord},
};

/// Starts a task, and answers at the time that `answer_when` says.
pub(super) async fn run(
    broker: &Broker,
    task: NewTask,
    answer_when: AnswerWhen,
    remarks: Vec<Message>,
    mut caller: Caller,
) -> Result<CallAnswer, Refused> {
    if caller.context.ct.is_cancelled() {
        return Ok(CallAnswer::served(present::cancelled_before_start()));
    }
    // Must not be interrupted half-way. A cancellation that arrives meanwhile is processed afterwards.
    let id = broker.submit(task).await?;
    let supports_handles = broker.config().serving.task_handles == TaskHandles::Auto
        && caller.context.client_capabilities().is_some_and(|client| client.supports_tasks());
    let outcome = match answer_when {
        AnswerWhen::Ended if supports_handles && caller.cancellation.try_cancelled().is_none() => WaitOutcome::Handle,
        AnswerWhen::Started => caller.cancellation.try_cancelled().map_or(WaitOutcome::Started, WaitOutcome::Cancelled),
        AnswerWhen::Ended => wait(broker, &id, &mut caller)
            .await
            .map_err(|refusal| present::refusals::cannot_follow(&id, refusal.explain()))?,
    };
    let text = match outcome {
        WaitOutcome::Started => {
            caller.announce_end(&id, broker);
            present::started(&id, broker.config().policy.on_server_exit, &broker.wait_command(&id).await)
        }
        WaitOutcome::Handle => return Ok(CallAnswer::task_handle(id)),
        WaitOutcome::Ended(record, result) => present::ended(&record, result),
        WaitOutcome::Cancelled(cancellation) => match cancellation.on_call_end(&broker.config().serving) {
            OnCallEnd::Detach => {
                caller.announce_end(&id, broker);
                present::detached(&id)
            }
            OnCallEnd::Cancel => {
                broker.cancel(&id).await?;
                present::being_cancelled(&id)
            }
        },
    };
    Ok(CallAnswer::served(text).with_notices(remarks))
}

/// How the wait for a task ended.
enum WaitOutcome {
    Started,
    /// Not waiting: the client gets a handle and polls.
    Handle,
    Ended(Box<TaskRecord>, Option<ResultText>),
    Cancelled(Cancellation),
}

async fn wait(broker: &Broker, id: &TaskId, caller: &mut Caller) -> Result<WaitOutcome, Refusal> {
    let context = &caller.context;
    let token = context.meta.get_progress_token();
    let heartbeat = broker.config().policy.heartbeat;
    let mut progress = token.map(|token| Progress::begin(context.peer.clone(), token, id, heartbeat));
    // Nobody else announces the end meanwhile. If the call is abandoned, this is given back.
    let report = broker.answer_to_submitter(id, ReportedBy::Call).await;
    let mut task = broker.follow(id);
    let ended = loop {
        let updates = async {
            match &mut progress {
                Some(progress) => progress.send_updates().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            cancellation = caller.cancellation.cancelled() => return Ok(WaitOutcome::Cancelled(cancellation)),
            () = disconnected(context, caller.transport) => return Ok(WaitOutcome::Cancelled(Cancellation::Unwanted)),
            news = task.next() => match news? {
                TaskUpdate::Event(event) => if let Some(progress) = &mut progress {
                    progress.event(&event);
                },
                TaskUpdate::Ended(record) => break record,
            },
            () = updates => {}
        }
    };
    if let Some(progress) = progress {
        progress.finish().await;
    }
    let result = broker.result(&ended).await?;
    report.confirm().await;
    Ok(WaitOutcome::Ended(ended, result))
}

/// Returns when the client closes the connection, if this cancels the call: over HTTP, from 2026-07-28 on. Otherwise
/// calls outlive their connection, and this never returns.
async fn disconnected(context: &RequestContext<RoleServer>, transport: TransportKind) {
    match transport {
        TransportKind::Http if is_stateless(context) => context.ct.cancelled().await,
        TransportKind::Http | TransportKind::Stdio => std::future::pending().await,
    }
}
