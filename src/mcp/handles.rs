//! The tasks extension `io.modelcontextprotocol/tasks`, over our own tasks: a handle's id is the task's id.
//!
//! A client that declares the extension gets a handle at once where others wait, and asks by it for the state, from any
//! server on the same data directory, also after a restart. A task never asks its client for anything: what comes in
//! `tasks/update` answers no question, and is acknowledged and dropped, as the extension has it. Records are kept, so a
//! handle has no time to live.

use rmcp::model::{
    CallToolResult, CreateTaskResult, DetailedTask, ErrorData, GetTaskResult, JsonObject, Task, TaskPayload,
    TaskStatus as State,
};

use super::answer::CallAnswer;
use crate::{
    broker::Broker,
    present::{self, Refused},
    task::{TaskId, TaskView},
};

/// How often a client should ask, in milliseconds. Tasks take minutes.
const POLL_MS: u64 = 2_000;

/// The handle of a task that was started just now.
pub(super) fn handle(id: &TaskId) -> CreateTaskResult {
    let now = present::timestamp(chrono::Utc::now());
    let task = Task::new(id.as_str(), State::Working, now.clone(), now)
        .with_poll_interval_ms(POLL_MS)
        .with_status_message(present::begun(id));
    CreateTaskResult::new(task)
}

/// `tasks/get`.
pub(super) async fn get(broker: &Broker, id: &str) -> Result<GetTaskResult, ErrorData> {
    let id = known(id)?;
    let TaskView { record, live, result, .. } =
        broker.view(&id, 1).await.map_err(|refusal| refused(&broker.explain(&refusal)))?;
    let created = present::timestamp(record.start.started_at);
    let updated = present::timestamp(
        record.completed_at().or(record.progress.last_activity_at).unwrap_or(record.start.started_at),
    );
    let task = Task::new(id.as_str(), State::Working, created, updated)
        .with_poll_interval_ms(POLL_MS)
        .with_status_message(present::state(&record, live.as_ref()));
    let payload = if !record.is_final() {
        TaskPayload::Working
    } else if record.is_cancelled() {
        TaskPayload::Cancelled
    } else {
        let answer = CallAnswer::served(present::ended(&record, result));
        TaskPayload::Completed { result: answer_as_json(answer) }
    };
    Ok(GetTaskResult::new(DetailedTask::new(task, payload)))
}

/// `tasks/cancel`: acknowledged at once; the state follows.
pub(super) async fn cancel(broker: &Broker, id: &str) -> Result<(), ErrorData> {
    let id = known(id)?;
    broker.check_exists(&id).await.map_err(|refusal| refused(&broker.explain(&refusal)))?;
    let broker = broker.clone();
    // It ends by itself, within the grace periods.
    tokio::spawn(async move {
        if let Err(refusal) = broker.cancel(&id).await {
            tracing::warn!(%refusal, task = %id, "a task was not cancelled");
        }
    });
    Ok(())
}

/// `tasks/update`.
pub(super) async fn update(broker: &Broker, id: &str) -> Result<(), ErrorData> {
    let id = known(id)?;
    broker.check_exists(&id).await.map_err(|refusal| refused(&broker.explain(&refusal)))
}

fn answer_as_json(answer: CallAnswer) -> JsonObject {
    match serde_json::to_value(CallToolResult::from(answer)) {
        Ok(serde_json::Value::Object(object)) => object,
        // A result of text and a flag is written as an object.
        Ok(_) | Err(_) => JsonObject::new(),
    }
}

fn known(id: &str) -> Result<TaskId, ErrorData> {
    TaskId::parse(id).map_err(|_| refused(&present::no_such_task(&id.into())))
}

fn refused(refused: &Refused) -> ErrorData {
    ErrorData::invalid_params(refused.in_one_line(), None)
}
