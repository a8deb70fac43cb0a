//! Beginning a task, and waiting for its end for as long as the client does.

use rmcp::{RoleServer, service::RequestContext};

use super::{
    answer::Answer,
    caller::Caller,
    cancellation::Withdrawn,
    connection::{Connection, is_stateless},
    progress::Progress,
};
use crate::{
    broker::{Broker, NewTask, Refusal, TaskUpdate},
    config::{OnCallEnd, TaskHandles},
    present::{self, Refused},
    request::AnswerWhen,
    task::{Message, ResultText, TaskId, TaskRecord},
};

/// Begins a task, and answers when it is time to.
pub(super) async fn run(
    broker: &Broker,
    task: NewTask,
    answer_when: AnswerWhen,
    problem_events: Vec<Message>,
    mut caller: Caller,
) -> Result<Answer, Refused> {
    if caller.context.ct.is_cancelled() {
        return Ok(Answer::served(present::withdrawn()));
    }
    // Not to be dropped half-way: a withdrawal that comes meanwhile is heard afterwards.
    let id = broker.submit(task).await?;
    let takes_handles = broker.config().serving.task_handles == TaskHandles::Auto
        && caller.context.client_capabilities().is_some_and(|client| client.supports_tasks());
    let waited = match answer_when {
        AnswerWhen::Ended if takes_handles && caller.listening.heard().is_none() => Waited::Handed,
        AnswerWhen::Started => caller.listening.heard().map_or(Waited::Started, Waited::Withdrawn),
        AnswerWhen::Ended => wait(broker, &id, &mut caller)
            .await
            .map_err(|refusal| present::refusals::cannot_follow(&id, refusal.explain()))?,
    };
    let text = match waited {
        Waited::Started => {
            caller.tell_the_end_of(&id, broker);
            present::started(&id, broker.config().policy.on_server_exit, &broker.wait_command(&id).await)
        }
        Waited::Handed => return Ok(Answer::handed(id)),
        Waited::Ended(record, result) => present::ended(&record, result),
        Waited::Withdrawn(withdrawn) => match withdrawn.meant_for_the_task(&broker.config().serving) {
            OnCallEnd::Detach => {
                caller.tell_the_end_of(&id, broker);
                present::detached(&id)
            }
            OnCallEnd::Cancel => {
                broker.cancel(&id).await?;
                present::being_cancelled(&id)
            }
        },
    };
    Ok(Answer::served(text).with_notices(problem_events))
}

/// How waiting for a task came to an end.
enum Waited {
    Started,
    /// The client asks by its handle.
    Handed,
    Ended(Box<TaskRecord>, Option<ResultText>),
    Withdrawn(Withdrawn),
}

async fn wait(broker: &Broker, id: &TaskId, caller: &mut Caller) -> Result<Waited, Refusal> {
    let context = &caller.context;
    let token = context.meta.get_progress_token();
    let heartbeat = broker.config().policy.heartbeat;
    let mut progress = token.map(|token| Progress::begin(context.peer.clone(), token, id, heartbeat));
    let mut task = broker.follow(id);
    let ended = loop {
        let telling = async {
            match &mut progress {
                Some(progress) => progress.keep_telling().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            withdrawn = caller.listening.withdrawn() => return Ok(Waited::Withdrawn(withdrawn)),
            () = hung_up(context, caller.connection) => return Ok(Waited::Withdrawn(Withdrawn::Unwanted)),
            news = task.next() => match news? {
                TaskUpdate::Event(event) => if let Some(progress) = &mut progress {
                    progress.event(&event);
                },
                TaskUpdate::Ended(record) => break record,
            },
            () = telling => {}
        }
    };
    if let Some(progress) = progress {
        progress.finish().await;
    }
    let result = broker.result(&ended).await?;
    Ok(Waited::Ended(ended, result))
}

/// Returns when the client closes the connection, where that is how it withdraws a call: over HTTP, from 2026-07-28 on.
/// Otherwise a call outlives its connection.
async fn hung_up(context: &RequestContext<RoleServer>, connection: Connection) {
    match connection {
        Connection::Http if is_stateless(context) => context.ct.cancelled().await,
        Connection::Http | Connection::Stdio => std::future::pending().await,
    }
}
