//! Starts a task, and waits for its end as long as the client does.
//!
//! | the call ends because | answer |
//! |---|---|
//! | it is `async`, and the client supports task handles | a handle |
//! | it is `async`, and the client does not | the task has started |
//! | the task ends | its result |
//! | the client cancels the call or times out | the task is cancelled or keeps running, depending on the configuration |
//!
//! The kind of answer is decided before the task is submitted, because it decides whether the task outlives the server.

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
    task::{Message, ResultText, SubmittedBy, Submitter, TaskId, TaskRecord, Untrusted},
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
    let reply = Reply::of(answer_when, broker.config().serving.task_handles, caller.supports_handles());
    let by = Some(reply.submitted_by());
    let task = NewTask { submitter: Submitter { by, session: caller.session() }, ..task };
    let prompt = Untrusted::from(broker.redactor().text(&task.prompt).into_owned());
    // Must not be interrupted half-way. A cancellation that arrives meanwhile is processed afterwards.
    let id = broker.submit(task).await?;
    let outcome = match reply {
        Reply::Handle => caller.cancellation.try_cancelled().map_or(WaitOutcome::Handle, WaitOutcome::Cancelled),
        Reply::Started => caller.cancellation.try_cancelled().map_or(WaitOutcome::Started, WaitOutcome::Cancelled),
        Reply::Result => wait(broker, &id, &mut caller)
            .await
            .map_err(|refusal| present::refusals::cannot_follow(&id, refusal.explain()))?,
    };
    let text = match outcome {
        WaitOutcome::Started => {
            caller.announce_end(&id, broker);
            let on_server_exit = broker.config().on_server_exit.resolve(by);
            present::started(&broker.started(&id).await, on_server_exit, &broker.wait_command(&id).await)
        }
        WaitOutcome::Handle => {
            let message = present::handle_begun(&prompt, &broker.started(&id).await.neighbors);
            return Ok(CallAnswer::task_handle(id, message));
        }
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

/// The answer that a call gets if it is not cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    /// The task's result, when it has ended.
    Result,
    /// A handle, as soon as the task has started.
    Handle,
    /// The message that the task has started.
    Started,
}

impl Reply {
    fn of(answer_when: AnswerWhen, handles: TaskHandles, supports_handles: bool) -> Self {
        match (answer_when, handles) {
            (AnswerWhen::Ended, TaskHandles::All) | (AnswerWhen::Started, TaskHandles::Async | TaskHandles::All)
                if supports_handles =>
            {
                Self::Handle
            }
            (AnswerWhen::Ended, TaskHandles::Async | TaskHandles::All | TaskHandles::Off) => Self::Result,
            (AnswerWhen::Started, TaskHandles::Async | TaskHandles::All | TaskHandles::Off) => Self::Started,
        }
    }

    fn submitted_by(self) -> SubmittedBy {
        match self {
            Self::Result => SubmittedBy::Call,
            Self::Handle => SubmittedBy::Handle,
            Self::Started => SubmittedBy::Async,
        }
    }
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
                TaskUpdate::Offline { since } => if let Some(progress) = &mut progress {
                    progress.offline(since);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clients_that_support_handles_get_one_and_by_default_only_for_async_calls() {
        for (handles, ended, started) in [
            (TaskHandles::Async, Reply::Result, Reply::Handle),
            (TaskHandles::All, Reply::Handle, Reply::Handle),
            (TaskHandles::Off, Reply::Result, Reply::Started),
        ] {
            assert_eq!(Reply::of(AnswerWhen::Ended, handles, true), ended, "{handles:?}");
            assert_eq!(Reply::of(AnswerWhen::Started, handles, true), started, "{handles:?}");
            assert_eq!(Reply::of(AnswerWhen::Ended, handles, false), Reply::Result, "{handles:?}");
            assert_eq!(Reply::of(AnswerWhen::Started, handles, false), Reply::Started, "{handles:?}");
        }
    }
}
