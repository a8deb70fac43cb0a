//! The tasks extension `io.modelcontextprotocol/tasks`. The ID of a handle is the task ID.
//!
//! A client that declares the extension receives a handle at once instead of waiting for the result. With the handle it
//! can ask any server on the same data directory for the state, even after a restart:
//!
//! ```text
//! client                                 server
//!   tools/call codex_agent        ──▶
//!                                 ◀──    handle: taskId 1a2b3c4d, working
//!   tasks/get 1a2b3c4d            ──▶
//!                                 ◀──    working, then completed with the result, or cancelled
//! ```
//!
//! Tasks never request input from the client, so `tasks/update` is acknowledged and ignored, as the extension
//! specifies. Records are kept, so handles have no time to live.

use rmcp::model::{
    CallToolResult, CreateTaskResult, DetailedTask, ErrorData, GetTaskResult, JsonObject, Task, TaskPayload,
    TaskStatus as State,
};

use super::answer::CallAnswer;
use crate::{
    broker::Broker,
    present::{self, Refused},
    store::ReportedBy,
    task::{TaskId, TaskView},
};

/// Suggested interval between two `tasks/get` requests, in milliseconds. Tasks take minutes.
const POLL_MS: u64 = 2_000;

/// The handle of a task that has just been started.
pub(super) fn handle(id: &TaskId) -> CreateTaskResult {
    let now = present::timestamp(chrono::Utc::now());
    let task = Task::new(id.as_str(), State::Working, now.clone(), now)
        .with_poll_interval_ms(POLL_MS)
        .with_status_message(present::begun(id));
    CreateTaskResult::new(task)
}

/// `tasks/get`.
pub(super) async fn get(broker: &Broker, id: &str) -> Result<GetTaskResult, ErrorData> {
    let id = parse_id(id)?;
    let TaskView { record, live, result, .. } =
        broker.view(&id, 1).await.map_err(|refusal| refused(&broker.explain(&refusal)))?;
    broker.answered_submitter(&record, ReportedBy::Handle).await;
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

/// `tasks/cancel`: acknowledged at once; the task stops in the background.
pub(super) async fn cancel(broker: &Broker, id: &str) -> Result<(), ErrorData> {
    let id = parse_id(id)?;
    broker.check_exists(&id).await.map_err(|refusal| refused(&broker.explain(&refusal)))?;
    let broker = broker.clone();
    // Nobody needs to abort this future: it ends within the grace periods.
    tokio::spawn(async move {
        if let Err(refusal) = broker.cancel(&id).await {
            tracing::warn!(%refusal, task = %id, "cannot cancel a task");
        }
    });
    Ok(())
}

/// `tasks/update`.
pub(super) async fn update(broker: &Broker, id: &str) -> Result<(), ErrorData> {
    let id = parse_id(id)?;
    broker.check_exists(&id).await.map_err(|refusal| refused(&broker.explain(&refusal)))
}

fn answer_as_json(answer: CallAnswer) -> JsonObject {
    match serde_json::to_value(CallToolResult::from(answer)) {
        Ok(serde_json::Value::Object(object)) => object,
        // Unreachable: a result with text and a flag serializes as an object.
        Ok(_) | Err(_) => JsonObject::new(),
    }
}

fn parse_id(id: &str) -> Result<TaskId, ErrorData> {
    TaskId::parse(id).map_err(|problem| refused(&present::not_a_task_id(&problem)))
}

fn refused(refused: &Refused) -> ErrorData {
    ErrorData::invalid_params(refused.in_one_line(), None)
}
