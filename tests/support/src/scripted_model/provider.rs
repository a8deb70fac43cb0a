//! The HTTP side: one route, the requests seen, and the limits.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    answer::Answer,
    conversation::Conversation,
    script::{Script, ScriptSource},
    step::{Fail, Step},
};

/// The longest that one request is answered.
pub const MAX_REQUEST_TIME: Duration = Duration::from_secs(600);
/// How many requests one provider answers. After that every request fails: an agent is going round in circles.
pub const MAX_REQUESTS: usize = 1_000;

/// Larger than anything an agent sends in a test; Codex takes prompts up to 1 MiB.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// A request as the provider saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRequest {
    /// The model asked for.
    pub model: String,
    /// The text of the newest message that the user wrote, as it arrived.
    pub prompt: String,
    /// The whole JSON body.
    pub body: Value,
}

/// What all requests share: cloning it shares it.
#[derive(Debug, Clone)]
pub(super) struct Provider(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    source: ScriptSource,
    /// Begins every id given out, so that a session resumed with another provider sees no id twice.
    origin: u128,
    accepted: AtomicUsize,
    seen: Mutex<Vec<SeenRequest>>,
    /// How often a [`Step::Fail`] was played, by its place.
    failures: Mutex<HashMap<String, u32>>,
}

impl Provider {
    pub(super) fn new(source: ScriptSource) -> Provider {
        Provider(Arc::new(Shared {
            source,
            origin: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos()),
            accepted: AtomicUsize::new(0),
            seen: Mutex::default(),
            failures: Mutex::default(),
        }))
    }

    pub(super) fn requests(&self) -> Vec<SeenRequest> {
        lock(&self.0.seen).clone()
    }

    pub(super) fn routes(&self) -> Router {
        Router::new()
            .route("/v1/responses", post(respond))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(self.clone())
    }

    /// The failure that `steps` begin the response with, unless it has been played often enough.
    fn due_failure(&self, script: &Script, steps: &[Step]) -> Option<Fail> {
        let fail = steps.iter().find_map(|step| if let Step::Fail(fail) = step { Some(fail) } else { None })?;
        let mut failures = lock(&self.0.failures);
        let played = failures.entry(script.place()).or_insert(0);
        *played += 1;
        fail.times.is_none_or(|times| *played <= times).then(|| fail.clone())
    }
}

async fn respond(State(provider): State<Provider>, Json(body): Json<Value>) -> Response {
    let number = provider.0.accepted.fetch_add(1, Ordering::Relaxed);
    if number >= MAX_REQUESTS {
        return refusal(&format!("the scripted model answers no more than {MAX_REQUESTS} requests"));
    }
    let conversation = Conversation::of(&body);
    let prompt = conversation.prompt().map(|message| message.text).unwrap_or_default();
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    lock(&provider.0.seen).push(SeenRequest { model, prompt, body: body.clone() });

    let script = match provider.0.source.script(&conversation) {
        Ok(script) => script,
        Err(problem) => return refusal(&problem.to_string()),
    };
    let steps = script.next_steps().to_vec();
    if let Some(fail) = provider.due_failure(&script, &steps) {
        return failure(&fail);
    }

    // One event of backlog: an agent that stops reading stops the script too.
    let (sender, receiver) = mpsc::channel(1);
    let answer = Answer::new(sender, format!("{:x}_{number}", provider.0.origin), body["model"].clone());
    // Owned by the runtime of this provider: aborted when that is dropped, and never longer than the limit.
    tokio::spawn(async move {
        let playing = answer.play(&steps, Conversation::of(&body));
        // Whether the agent went away or the time was up, the stream has ended and nobody is left to be told.
        let _ = tokio::time::timeout(MAX_REQUEST_TIME, playing).await;
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(ReceiverStream::new(receiver))).into_response()
}

/// A status that agents do not retry, with a message that they pass on.
fn refusal(message: &str) -> Response {
    failure(&Fail { status: 400, message: Some(message.to_owned()), ..Fail::default() })
}

fn failure(fail: &Fail) -> Response {
    let status = StatusCode::from_u16(fail.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = fail.message.as_deref().unwrap_or("scripted failure");
    let kind = fail.kind.as_deref().unwrap_or("invalid_request_error");
    (status, Json(json!({"error": {"message": message, "type": kind, "code": fail.code}}))).into_response()
}

/// A panic while one of these locks was held leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
