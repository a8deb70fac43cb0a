//! The four tools at work.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use connector_api::BackendName;

use super::{answer::Answer, caller::Caller, extra, looks::Looks, run::run};
use crate::{
    broker::{Broker, Cancelled, NewTask},
    config::ExtraTool,
    present::{self, Look, Refused},
    request::{AgentCall, Given, StatusCall, TasksCall, cancel_call},
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
    let AgentCall { task, answer_when, problem_events } = AgentCall::read(given)?;
    let task = NewTask { backend, ..task };
    run(broker, task, answer_when, problem_events, caller).await
}

async fn status(broker: &Broker, given: Given, looks: &Looks) -> Result<Answer, Refused> {
    let StatusCall { id, tail_lines, problem_events } = StatusCall::read(given)?;
    let view = broker.view(&id, tail_lines).await?;
    let now = Utc::now();
    let (steps, place) = broker.steps_since(&id, looks.place(&id)).await?;
    let before = looks.remember(&id, Look::of(&view, now), place);
    let before = before.map(|before| Look { steps, ..before });
    Ok(Answer::served(present::status(view, before.as_ref(), now)).with_notices(problem_events))
}

async fn tasks(broker: &Broker, given: Given) -> Result<Answer, Refused> {
    let TasksCall { status, limit, problem_events } = TasksCall::read(given)?;
    let listing = broker.list(status, limit).await?;
    let limited = broker.limited().await.into_iter().collect();
    Ok(Answer::served(present::tasks(&listing, Utc::now())).with_notices(problem_events).with_notices(limited))
}

async fn cancel(broker: &Broker, given: Given) -> Result<Answer, Refused> {
    let id = cancel_call(given)?;
    let text = match broker.cancel(&id).await? {
        Cancelled::Ended(record) => present::cancelled(&record),
        Cancelled::HadEnded(record) => present::had_ended(&record),
        Cancelled::Stopping => present::stopping(&id),
    };
    Ok(Answer::served(text))
}
