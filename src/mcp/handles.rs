//! The tasks extension `io.modelcontextprotocol/tasks`. The ID of a handle is the task ID.
//!
//! A client that declares the extension receives a handle for a task that it starts in the background; `run` decides for
//! which calls. With the handle it can ask any server on the same data directory for the state, even after a restart:
//!
//! ```text
//! client                                 server
//!   tools/call codex_agent        ──▶
//!                                 ◀──    handle: taskId 1a2b3c4d, working
//!   tasks/get 1a2b3c4d            ──▶
//!                                 ◀──    working, then completed with the result, failed, or cancelled
//! ```
//!
//! Claude Code 2.1.332 shows the state in its list of tasks and reports it to the user. So a task that failed or was
//! interrupted is `failed`, although the call itself was served. Claude Code passes only the message of the error to the
//! model, on one line; the error's data is the complete answer.
//!
//! Tasks never request input from the client, so `tasks/update` is acknowledged and ignored, as the extension
//! specifies. Records are kept, so handles have no time to live.

use rmcp::model::{
    CallToolResult, CreateTaskResult, DetailedTask, ErrorData, GetTaskResult, JsonObject, Task, TaskPayload,
    TaskStatus as State,
};
use serde_json::json;

use super::answer::CallAnswer;
use crate::{
    broker::Broker,
    present::{self, Refused},
    store::ReportedBy,
    task::{TaskId, TaskStatus, TaskView},
};

/// The code of the error in a failed task: the first of those that JSON-RPC leaves to servers.
const TASK_FAILED: i32 = -32_000;

/// Suggested interval between two `tasks/get` requests, in milliseconds. Tasks take minutes.
const POLL_MS: u64 = 2_000;

/// The handle of a task that has just been started, with its first status message.
pub(super) fn handle(id: &TaskId, message: &str) -> CreateTaskResult {
    let now = present::timestamp(chrono::Utc::now());
    let task = Task::new(id.as_str(), State::Working, now.clone(), now)
        .with_poll_interval_ms(POLL_MS)
        .with_status_message(message);
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
        .with_status_message(present::handle_state(&record, live.as_ref(), chrono::Utc::now()));
    let payload = match record.status() {
        TaskStatus::Running => TaskPayload::Working,
        TaskStatus::Completed => {
            TaskPayload::Completed { result: answer_as_json(CallAnswer::served(present::ended(&record, result))) }
        }
        TaskStatus::Failed if record.is_cancelled() => TaskPayload::Cancelled,
        TaskStatus::Failed | TaskStatus::Interrupted => {
            let message = present::ended_in_one_line(&record);
            let answer = present::ended(&record, result);
            let error =
                [("code", json!(TASK_FAILED)), ("message", json!(message)), ("data", json!({"answer": answer}))];
            TaskPayload::Failed { error: error.map(|(key, value)| (key.to_owned(), value)).into_iter().collect() }
        }
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
