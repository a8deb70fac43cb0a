//! The four tools at work.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use connector_api::BackendName;
use rmcp::{RoleServer, service::RequestContext};

use super::{
    answer::{Answer, Refused},
    cancellation::{Listening, Withdrawn},
    channel::Channel,
    extra,
    looks::{Look, Looks},
    params::{AgentCall, AnswerWhen, Given, StatusCall, TasksCall, cancel_call},
    progress::Progress,
    render,
    server::{Connection, is_stateless},
};
use crate::{
    broker::{Broker, Cancelled, NewTask, News, Refusal},
    config::{ExtraTool, OnCallEnd, TaskHandles},
    store::ResultText,
    task::{TaskId, TaskRecord},
};

/// The tools beyond the four.
#[derive(Debug, Default)]
pub(super) struct Further {
    pub(super) extra: BTreeSet<ExtraTool>,
    /// Those of backends, by name.
    pub(super) backends: BTreeMap<String, BackendName>,
}

/// A call of one of the tools, its arguments not read yet.
#[derive(Debug)]
pub(super) enum Call {
    /// For the default backend, or for another one.
    Agent(Option<BackendName>, Given),
    Status(Given),
    Tasks(Given),
    Cancel(Given),
    /// One of the tools beyond the four.
    Extra(ExtraTool, Given),
}

/// Who called, and how to reach them while they wait.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) context: RequestContext<RoleServer>,
    pub(super) connection: Connection,
    pub(super) listening: Listening,
    pub(super) looks: Looks,
    pub(super) channel: Channel,
}

impl Caller {
    /// Tells the client when a task has ended for which no call waits, where it takes such messages.
    fn tell_the_end_of(&self, id: &TaskId, broker: &Broker) {
        if broker.config().serving.channel && self.connection == Connection::Stdio {
            self.channel.tell_the_end_of(id, broker, self.context.peer.clone());
        }
    }
}

impl Call {
    /// A call of the tool `name`, if there is such a tool.
    pub(super) fn of(name: &str, given: Given, further: &Further) -> Option<Self> {
        match name {
            "codex_agent" => Some(Self::Agent(None, given)),
            "codex_status" => Some(Self::Status(given)),
            "codex_tasks" => Some(Self::Tasks(given)),
            "codex_cancel" => Some(Self::Cancel(given)),
            name => match further.backends.get(name) {
                Some(backend) => Some(Self::Agent(Some(backend.clone()), given)),
                None => extra::named(name, &further.extra).map(|tool| Self::Extra(tool, given)),
            },
        }
    }

    /// Does what is asked.
    pub(super) async fn carry_out(self, broker: &Broker, caller: Caller) -> Answer {
        let answer = match self {
            Self::Agent(backend, given) => agent(broker, backend, given, caller).await,
            Self::Status(given) => status(broker, given, &caller.looks).await,
            Self::Tasks(given) => tasks(broker, given).await,
            Self::Cancel(given) => cancel(broker, given).await,
            Self::Extra(tool, given) => extra::carry_out(tool, broker, given, caller).await,
        };
        answer.unwrap_or_else(|refused| Answer::from(refused.redacted(broker.redactor())))
    }
}

async fn agent(broker: &Broker, backend: Option<BackendName>, given: Given, caller: Caller) -> Result<Answer, Refused> {
    let AgentCall { task, answer_when, remarks } = AgentCall::read(given)?;
    let task = NewTask { backend, ..task };
    run(broker, task, answer_when, remarks, caller).await
}

/// Begins a task, and answers when it is time to.
pub(super) async fn run(
    broker: &Broker,
    task: NewTask,
    answer_when: AnswerWhen,
    remarks: Vec<String>,
    mut caller: Caller,
) -> Result<Answer, Refused> {
    if caller.context.ct.is_cancelled() {
        return Ok(Answer::served("Withdrawn before it began.".to_owned()));
    }
    // Not to be dropped half-way: a withdrawal that comes meanwhile is heard afterwards.
    let id = broker.submit(task).await?;
    let takes_handles = broker.config().serving.task_handles == TaskHandles::Auto
        && caller.context.client_capabilities().is_some_and(|client| client.supports_tasks());
    let waited = match answer_when {
        AnswerWhen::Ended if takes_handles && caller.listening.heard().is_none() => Waited::Handed,
        AnswerWhen::Started => caller.listening.heard().map_or(Waited::Started, Waited::Withdrawn),
        AnswerWhen::Ended => wait(broker, &id, &mut caller).await.map_err(|refusal| out_of_sight(&id, &refusal))?,
    };
    let text = match waited {
        Waited::Started => {
            caller.tell_the_end_of(&id, broker);
            render::started(&id, broker.config().policy.on_server_exit, &broker.wait_command(&id).await)
        }
        Waited::Handed => return Ok(Answer::handed(id)),
        Waited::Ended(record, result) => render::ended(&record, result),
        Waited::Withdrawn(withdrawn) => match withdrawn.meant_for_the_task(&broker.config().serving) {
            OnCallEnd::Detach => {
                caller.tell_the_end_of(&id, broker);
                format!("Task {id} goes on without a listener.")
            }
            OnCallEnd::Cancel => {
                broker.cancel(&id).await?;
                format!("Task {id} is cancelled.")
            }
        },
    };
    Ok(Answer::served(text).with_notices(remarks))
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
                News::Event(event) => if let Some(progress) = &mut progress {
                    progress.event(&event);
                },
                News::Ended(record) => break record,
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

/// A task was started, and its end cannot be told.
fn out_of_sight(id: &TaskId, refusal: &Refusal) -> Refused {
    Refused {
        problem: format!("Task {id} was started, and cannot be followed: {refusal}"),
        next: format!("{}, and call `codex_status` with `taskId` {id}", refusal.next()),
    }
}

async fn status(broker: &Broker, given: Given, looks: &Looks) -> Result<Answer, Refused> {
    let StatusCall { id, tail_lines, remarks } = StatusCall::read(given)?;
    let view = broker.view(&id, tail_lines).await?;
    let now = Utc::now();
    let before = looks.remember(&id, Look::of(&view, now));
    Ok(Answer::served(render::status(view, before.as_ref(), now)).with_notices(remarks))
}

async fn tasks(broker: &Broker, given: Given) -> Result<Answer, Refused> {
    let TasksCall { status, limit, remarks } = TasksCall::read(given)?;
    let listing = broker.list(status, limit).await?;
    let limited = broker.limited().await.into_iter().collect();
    Ok(Answer::served(render::tasks(&listing, Utc::now())).with_notices(remarks).with_notices(limited))
}

async fn cancel(broker: &Broker, given: Given) -> Result<Answer, Refused> {
    let id = cancel_call(given)?;
    let text = match broker.cancel(&id).await? {
        Cancelled::Ended(record) => render::cancelled(&record),
        Cancelled::HadEnded(record) => render::had_ended(&record),
        Cancelled::Stopping => render::stopping(&id),
    };
    Ok(Answer::served(text))
}
