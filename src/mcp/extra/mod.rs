//! The optional tools: wait, result, sessions, resume, diff, undo, apply. Each must be enabled in the configuration.
//!
//! They follow the same rules for arguments and answers as the four standard tools, and a golden file fixes their
//! schemas too (`extra.golden.json`). The standard tools do not depend on them.

mod changes;
mod schemas;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::Utc;
use rmcp::model::Tool;
use tokio::{task::JoinSet, time::sleep};

use super::{answer::CallAnswer, caller::Caller, listener::listener, progress::Progress, run::run};
use crate::{
    broker::{Broker, NewTask, Refusal, TaskUpdate},
    config::ExtraTool,
    present::{self, Refused, tools::Defaults},
    request::{RawArguments, ResultCall, ResumeCall, ResumeTarget, SessionsCall, WaitCall, WaitUntil},
    store::{ByteRange, ReportedBy, TaskFile},
    task::TaskRecord,
};

/// The definitions of the tools in `extra`, always in the same order.
pub(super) fn tools(extra: &BTreeSet<ExtraTool>, defaults: Defaults) -> Vec<Tool> {
    extra.iter().map(|tool| schemas::tool(*tool, defaults)).collect()
}

/// The names of the tools in `extra`, in the same order.
pub(super) fn names(extra: &BTreeSet<ExtraTool>) -> Vec<&'static str> {
    extra.iter().map(|tool| schemas::name(*tool)).collect()
}

/// The tool of this name, if it is in `extra`.
pub(super) fn named(name: &str, extra: &BTreeSet<ExtraTool>) -> Option<ExtraTool> {
    extra.iter().copied().find(|tool| schemas::name(*tool) == name)
}

/// Why the tool `name` does not exist, and what to do about it. `available` are the tools that do.
pub(super) fn not_found(name: &str, available: &[Tool]) -> String {
    let disabled = schemas::ALL.map(schemas::name).into_iter().find(|disabled| *disabled == name);
    match disabled.and_then(|disabled| Some((disabled, disabled.strip_prefix("codex_")?))) {
        Some((name, word)) => present::protocol::tool_is_off(name, word),
        None => present::protocol::no_such_tool(name, available.iter().map(|tool| &*tool.name)),
    }
}

/// Executes a call of `tool`.
pub(super) async fn execute(
    tool: ExtraTool,
    broker: &Broker,
    raw: RawArguments,
    caller: Caller,
) -> Result<CallAnswer, Refused> {
    match tool {
        ExtraTool::Wait => wait(broker, raw, caller).await,
        ExtraTool::Result => result(broker, raw).await,
        ExtraTool::Sessions => sessions(broker, raw).await,
        ExtraTool::Resume => resume(broker, raw, caller).await,
        ExtraTool::Diff => changes::diff(broker, raw).await,
        ExtraTool::Undo => changes::undo(broker, raw).await,
        ExtraTool::Apply => changes::apply(broker, raw).await,
    }
}

/// `codex_wait`: answers when the tasks have ended, or at the time limit. The tasks keep running even if the call is
/// cancelled.
async fn wait(broker: &Broker, raw: RawArguments, mut caller: Caller) -> Result<CallAnswer, Refused> {
    let WaitCall { ids, until, time_limit, remarks } = WaitCall::read(raw)?;
    for id in &ids {
        broker.check_exists(id).await?;
    }
    let token = caller.context.meta.get_progress_token();
    let heartbeat = broker.config().policy.heartbeat;
    let mut progress = token.map(|token| Progress::waiting_for(&ids, caller.context.peer.clone(), token, heartbeat));
    let mut waiting: JoinSet<Result<Box<TaskRecord>, Refusal>> = JoinSet::new();
    let listener = listener(caller.transport);
    let mut reports = BTreeMap::new();
    for id in &ids {
        if let Some(report) = broker.answer_to(&listener, id, ReportedBy::Call).await {
            reports.insert(id.clone(), report);
        }
        let mut task = broker.follow(id);
        waiting.spawn(async move {
            loop {
                if let TaskUpdate::Ended(record) = task.next().await? {
                    return Ok(record);
                }
            }
        });
    }
    let mut ended = Vec::new();
    let deadline = sleep(time_limit.unwrap_or(Duration::MAX));
    tokio::pin!(deadline);
    let required_ends = match until {
        WaitUntil::All => ids.len(),
        WaitUntil::Any => 1,
    };
    while ended.len() < required_ends {
        let updates = async {
            match &mut progress {
                Some(progress) => progress.send_updates().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            joined = waiting.join_next() => match joined {
                Some(record) => {
                    let record = record.expect("following a task does not panic")?;
                    if let Some(progress) = &mut progress {
                        progress.event(&present::ended_briefly(&record));
                    }
                    ended.push(record);
                }
                None => break,
            },
            () = &mut deadline => break,
            _ = caller.cancellation.cancelled() => break,
            () = updates => {}
        }
    }
    if let Some(progress) = progress {
        progress.finish().await;
    }
    let pending: Vec<_> = ids.into_iter().filter(|id| !ended.iter().any(|record| record.id == *id)).collect();
    let mut results = BTreeMap::new();
    for record in &ended {
        results.insert(record.id.clone(), broker.result(record).await.ok().flatten());
        if let Some(report) = reports.remove(&record.id) {
            report.confirm().await;
        }
    }
    let text = present::all_ended(&ended, &pending, |record| results.get(&record.id).cloned().flatten());
    Ok(CallAnswer::served(text).with_notices(remarks))
}

/// `codex_result`: a piece of a result, and the offset of the next one.
async fn result(broker: &Broker, raw: RawArguments) -> Result<CallAnswer, Refused> {
    let ResultCall { id, offset, length, remarks } = ResultCall::read(raw)?;
    let record = broker.view(&id, 1).await?.record;
    let Some(piece) = broker.read_chunk(&record, TaskFile::Result, ByteRange { offset, length }).await? else {
        return Ok(CallAnswer::served(present::without_result(&record)));
    };
    let text = present::result_chunk(&id, offset, piece.size, piece.next, &piece.text);
    Ok(CallAnswer::served(text).with_notices(remarks))
}

/// `codex_sessions`: the tasks that can be resumed.
async fn sessions(broker: &Broker, raw: RawArguments) -> Result<CallAnswer, Refused> {
    let SessionsCall { limit, remarks } = SessionsCall::read(raw)?;
    let listing = broker.list(None, usize::MAX).await?;
    let resumable: Vec<_> = listing.records.iter().filter(|record| is_resumable(broker, record)).collect();
    let partial = listing.is_partial.then(present::notices::partial_listing).into_iter().collect();
    Ok(CallAnswer::served(present::sessions(&resumable, limit, Utc::now())).with_notices(remarks).with_notices(partial))
}

/// Whether `codex_resume` can resume the session of this task. Records of the original program do not contain a
/// backend; their tasks belong to the default backend.
fn is_resumable(broker: &Broker, record: &TaskRecord) -> bool {
    let backend = record.progress.backend.as_ref().unwrap_or(&broker.config().default_backend);
    record.progress.session_id.is_some() && record.is_final() && broker.can_resume(backend)
}

/// `codex_resume`: a new task in the session of an earlier one.
async fn resume(broker: &Broker, raw: RawArguments, caller: Caller) -> Result<CallAnswer, Refused> {
    let ResumeCall { target, call, working_directory } = ResumeCall::read(raw)?;
    let resumable = match target {
        ResumeTarget::Task(id) => broker.session_of(&id).await?,
        ResumeTarget::Session(session) => broker.session_named(&session).await?,
    };
    let Some(working_directory) = working_directory.or(resumable.working_directory) else {
        return Err(present::refusals::unknown_session(&resumable.resume.session.into()));
    };
    let task = NewTask { working_directory, backend: resumable.backend, resume: Some(resumable.resume), ..call.task };
    run(broker, task, call.answer_when, call.remarks, caller).await
}
