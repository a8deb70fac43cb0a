//! The four tools at work.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use connector_api::BackendName;

use super::{answer::CallAnswer, caller::Caller, extra, run::run, status_polls::StatusPolls};
use crate::{
    broker::{Broker, Cancelled, NewTask},
    config::ExtraTool,
    present::{self, Refused, StatusPoll},
    request::{AgentCall, Given, StatusCall, TasksCall, cancel_call},
};

/// The tools beyond the four.
#[derive(Debug, Default)]
pub(super) struct AdditionalTools {
    pub(super) extra: BTreeSet<ExtraTool>,
    /// Those of backends, by name.
    pub(super) backends: BTreeMap<String, BackendName>,
}

/// A call of one of the tools, its arguments not read yet.
#[derive(Debug)]
pub(super) enum ToolInvocation {
    /// For the default backend, or for another one.
    Agent(Option<BackendName>, Given),
    Status(Given),
    Tasks(Given),
    Cancel(Given),
    /// One of the tools beyond the four.
    Extra(ExtraTool, Given),
}

impl ToolInvocation {
    /// A call of the tool `name`, if there is such a tool.
    pub(super) fn parse(name: &str, given: Given, additional_tools: &AdditionalTools) -> Option<Self> {
        match name {
            "codex_agent" => Some(Self::Agent(None, given)),
            "codex_status" => Some(Self::Status(given)),
            "codex_tasks" => Some(Self::Tasks(given)),
            "codex_cancel" => Some(Self::Cancel(given)),
            name => match additional_tools.backends.get(name) {
                Some(backend) => Some(Self::Agent(Some(backend.clone()), given)),
                None => extra::named(name, &additional_tools.extra).map(|tool| Self::Extra(tool, given)),
            },
        }
    }

    /// Does what is asked.
    pub(super) async fn execute(self, broker: &Broker, caller: Caller) -> CallAnswer {
        let answer = match self {
            Self::Agent(backend, given) => agent(broker, backend, given, caller).await,
            Self::Status(given) => status(broker, given, &caller.status_polls).await,
            Self::Tasks(given) => tasks(broker, given).await,
            Self::Cancel(given) => cancel(broker, given).await,
            Self::Extra(tool, given) => extra::execute(tool, broker, given, caller).await,
        };
        answer.unwrap_or_else(|refused| CallAnswer::from(refused.redacted(broker.redactor())))
    }
}

async fn agent(
    broker: &Broker,
    backend: Option<BackendName>,
    given: Given,
    caller: Caller,
) -> Result<CallAnswer, Refused> {
    let AgentCall { task, answer_when, remarks } = AgentCall::read(given)?;
    let task = NewTask { backend, ..task };
    run(broker, task, answer_when, remarks, caller).await
}

async fn status(broker: &Broker, given: Given, status_polls: &StatusPolls) -> Result<CallAnswer, Refused> {
    let StatusCall { id, tail_lines, remarks } = StatusCall::read(given)?;
    let view = broker.view(&id, tail_lines).await?;
    let now = Utc::now();
    let (steps, position) = broker.steps_since(&id, status_polls.position(&id)).await?;
    let before = status_polls.remember(&id, StatusPoll::of(&view, now), position);
    let before = before.map(|before| StatusPoll { steps, ..before });
    Ok(CallAnswer::served(present::status(view, before.as_ref(), now)).with_notices(remarks))
}

async fn tasks(broker: &Broker, given: Given) -> Result<CallAnswer, Refused> {
    let TasksCall { status, limit, remarks } = TasksCall::read(given)?;
    let listing = broker.list(status, limit).await?;
    let limited = broker.limited().await.into_iter().collect();
    Ok(CallAnswer::served(present::tasks(&listing, Utc::now())).with_notices(remarks).with_notices(limited))
}

async fn cancel(broker: &Broker, given: Given) -> Result<CallAnswer, Refused> {
    let id = cancel_call(given)?;
    let text = match broker.cancel(&id).await? {
        Cancelled::Ended(record) => present::cancelled(&record),
        Cancelled::HadEnded(record) => present::had_ended(&record),
        Cancelled::Stopping => present::stopping(&id),
    };
    Ok(CallAnswer::served(text))
}
