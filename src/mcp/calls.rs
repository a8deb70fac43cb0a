//! Executes tool calls.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use connector_api::BackendName;

use super::{answer::CallAnswer, caller::Caller, extra, listener::listener, run::run};
use crate::{
    broker::{Broker, Cancelled, NewTask},
    config::ExtraTool,
    present::{self, Refused, StatusPoll},
    request::{AgentCall, RawArguments, StatusCall, TasksCall, cancel_call},
    store::ReportedBy,
};

/// The configured tools in addition to the four standard ones.
#[derive(Debug, Default)]
pub(super) struct AdditionalTools {
    pub(super) extra: BTreeSet<ExtraTool>,
    /// The tools of single backends, by tool name.
    pub(super) backends: BTreeMap<String, BackendName>,
}

/// A tool call whose arguments are not parsed yet.
#[derive(Debug)]
pub(super) enum ToolInvocation {
    /// `codex_agent` for the default backend, or the tool of another backend.
    Agent(Option<BackendName>, RawArguments),
    Status(RawArguments),
    Tasks(RawArguments),
    Cancel(RawArguments),
    /// An optional tool.
    Extra(ExtraTool, RawArguments),
}

impl ToolInvocation {
    /// A call of the tool `name`, or `None` if it does not exist.
    pub(super) fn parse(name: &str, raw: RawArguments, additional_tools: &AdditionalTools) -> Option<Self> {
        match name {
            "codex_agent" => Some(Self::Agent(None, raw)),
            "codex_status" => Some(Self::Status(raw)),
            "codex_tasks" => Some(Self::Tasks(raw)),
            "codex_cancel" => Some(Self::Cancel(raw)),
            name => match additional_tools.backends.get(name) {
                Some(backend) => Some(Self::Agent(Some(backend.clone()), raw)),
                None => extra::named(name, &additional_tools.extra).map(|tool| Self::Extra(tool, raw)),
            },
        }
    }

    /// Whether the call neither starts a task nor needs settings.
    pub(super) fn only_views_or_cancels(&self) -> bool {
        match self {
            Self::Status(_) | Self::Tasks(_) | Self::Cancel(_) => true,
            Self::Agent(..) | Self::Extra(..) => false,
        }
    }

    /// Executes the call.
    pub(super) async fn execute(self, broker: &Broker, caller: Caller) -> CallAnswer {
        let answer = match self {
            Self::Agent(backend, raw) => agent(broker, backend, raw, caller).await,
            Self::Status(raw) => status(broker, raw, &caller).await,
            Self::Tasks(raw) => tasks(broker, raw).await,
            Self::Cancel(raw) => cancel(broker, raw, &caller).await,
            Self::Extra(tool, raw) => extra::execute(tool, broker, raw, caller).await,
        };
        answer.unwrap_or_else(|refused| CallAnswer::from(refused.redacted(broker.redactor())))
    }
}

async fn agent(
    broker: &Broker,
    backend: Option<BackendName>,
    raw: RawArguments,
    caller: Caller,
) -> Result<CallAnswer, Refused> {
    let AgentCall { task, answer_when, remarks } = AgentCall::read(raw)?;
    let task = NewTask { backend, ..task };
    run(broker, task, answer_when, remarks, caller).await
}

async fn status(broker: &Broker, raw: RawArguments, caller: &Caller) -> Result<CallAnswer, Refused> {
    let status_polls = &caller.status_polls;
    let StatusCall { id, tail_lines, asks_for_log, remarks } = StatusCall::read(raw)?;
    let view = broker.view(&id, tail_lines).await?;
    broker.answered(&listener(caller.transport), &view.record, ReportedBy::Call).await;
    let now = Utc::now();
    let (steps, position) = broker.steps_since(&id, status_polls.position(&id)).await?;
    let before = status_polls.remember(&id, StatusPoll::of(&view, now), position);
    let before = before.map(|before| StatusPoll { steps, ..before });
    let unchanged = before.as_ref().filter(|_| !asks_for_log);
    let unchanged = unchanged.and_then(|before| present::unchanged(&view, before, now));
    let text = unchanged.unwrap_or_else(|| present::status(view, before.as_ref(), now));
    Ok(CallAnswer::served(text).with_notices(remarks))
}

async fn tasks(broker: &Broker, raw: RawArguments) -> Result<CallAnswer, Refused> {
    let TasksCall { status, limit, remarks } = TasksCall::read(raw)?;
    let listing = broker.list(status, limit).await?;
    let partial = listing.is_partial.then(present::notices::partial_listing);
    let notices = broker.limited().await.into_iter().chain(partial).collect();
    Ok(CallAnswer::served(present::tasks(&listing, Utc::now())).with_notices(remarks).with_notices(notices))
}

async fn cancel(broker: &Broker, raw: RawArguments, caller: &Caller) -> Result<CallAnswer, Refused> {
    let id = cancel_call(raw)?;
    let listener = listener(caller.transport);
    let report = broker.answer_to(&listener, &id, ReportedBy::Call).await;
    let cancelled = broker.cancel(&id).await?;
    if let (Some(report), Cancelled::Ended(_) | Cancelled::HadEnded(_)) = (report, &cancelled) {
        report.confirm().await;
    }
    let text = match cancelled {
        Cancelled::Ended(record) => present::cancelled(&record),
        Cancelled::HadEnded(record) => present::already_ended(&record),
        Cancelled::Stopping => present::stopping(&id),
    };
    Ok(CallAnswer::served(text))
}
