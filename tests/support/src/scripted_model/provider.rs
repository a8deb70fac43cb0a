//! The HTTP side: the routes, the received requests, and the limits.

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
    extract::{DefaultBodyLimit, Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    answer::StreamedResponse,
    api::{Api, ResponseInfo},
    script::{Script, ScriptSource},
    step::{Fail, ScriptStep, ScriptedUsage},
};

/// Time limit for answering one request.
pub const MAX_REQUEST_TIME: Duration = Duration::from_secs(600);
/// Maximum number of requests that one provider answers. After that, every request fails, because the agent must be in
/// a loop.
pub const MAX_REQUESTS: usize = 1_000;

/// More than any agent sends in a test; Codex accepts prompts of up to 1 MiB.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Models whose names begin with this do not exist.
const UNKNOWN_MODEL: &str = "no-such-model";

/// A request as the provider received it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRequest {
    /// The requested model.
    pub model: String,
    /// The text of the newest message that the user wrote, as it arrived.
    pub prompt: String,
    /// The whole JSON body.
    pub body: Value,
}

/// State shared by all requests; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Provider(Arc<ProviderState>);

#[derive(Debug)]
struct ProviderState {
    source: ScriptSource,
    /// The start of every ID sent, so that no ID appears twice if a session is resumed with another provider.
    origin: u128,
    accepted: AtomicUsize,
    seen: Mutex<Vec<SeenRequest>>,
    /// How often each [`ScriptStep::Fail`] was played, by its position.
    failures: Mutex<HashMap<String, u32>>,
}

impl Provider {
    pub(super) fn new(source: ScriptSource) -> Provider {
        Provider(Arc::new(ProviderState {
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
            .route(
                "/v1/responses",
                post(|State(provider): State<Provider>, Json(body)| provider.respond(Api::Responses, body)),
            )
            .route(
                "/v1/chat/completions",
                post(|State(provider): State<Provider>, Json(body)| provider.respond(Api::ChatCompletions, body)),
            )
            .route(
                "/v1/messages",
                post(|State(provider): State<Provider>, Json(body)| provider.respond(Api::Messages, body)),
            )
            .route("/v1/messages/count_tokens", post(|| async { Json(json!({"input_tokens": 1})) }))
            .route("/v1beta/models/{call}", post(generate))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(self.clone())
    }

    /// Answers one request.
    async fn respond(self, api: Api, body: Value) -> Response {
        let number = self.0.accepted.fetch_add(1, Ordering::Relaxed);
        if number >= MAX_REQUESTS {
            return refusal(api, &format!("the scripted model answers no more than {MAX_REQUESTS} requests"));
        }
        let conversation = api.conversation(&body);
        let prompt = conversation.prompt().map(|message| message.text.to_owned()).unwrap_or_default();
        let model = body["model"].as_str().unwrap_or_default().to_owned();
        lock(&self.0.seen).push(SeenRequest { model: model.clone(), prompt, body });
        if model.starts_with(UNKNOWN_MODEL) {
            return refusal(api, &format!("the model `{model}` does not exist"));
        }

        let steps = if conversation.tools.is_empty() && api.has_side_requests() {
            vec![ScriptStep::Say("ok".into())]
        } else {
            let script = match self.0.source.script(&conversation) {
                Ok(script) => script,
                Err(problem) => return refusal(api, &problem.to_string()),
            };
            let steps = script.next_steps().to_vec();
            if let Some(fail) = self.due_failure(&script, &steps) {
                return failure(api, &fail);
            }
            steps
        };

        let counted =
            steps.iter().rev().find_map(|step| if let ScriptStep::Usage(usage) = step { Some(*usage) } else { None });
        let id = format!("{:x}_{number}", self.0.origin);
        let writer = api.writer(ResponseInfo { id, model, usage: counted.unwrap_or_else(ScriptedUsage::default) });
        // A backlog of one event: if the agent stops reading, the script stops too.
        let (sender, receiver) = mpsc::channel(1);
        // The provider's runtime owns this task: dropping the runtime aborts it, and the time limit bounds it.
        tokio::spawn(async move {
            let playing = StreamedResponse::new(sender, api, writer).play(&steps, &conversation);
            // If the agent disconnected or the time limit passed, the stream has ended and there is no one to report
            // to.
            let _ = tokio::time::timeout(MAX_REQUEST_TIME, playing).await;
        });
        ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(ReceiverStream::new(receiver))).into_response()
    }

    /// The failure at the start of this response, unless it has been played often enough.
    fn due_failure(&self, script: &Script, steps: &[ScriptStep]) -> Option<Fail> {
        let fail = steps.iter().find_map(|step| if let ScriptStep::Fail(fail) = step { Some(fail) } else { None })?;
        let mut failures = lock(&self.0.failures);
        let played = failures.entry(script.position_key()).or_insert(0);
        *played += 1;
        fail.times.is_none_or(|times| *played <= times).then(|| fail.clone())
    }
}

/// Google's API has the model and the method in the path.
async fn generate(State(provider): State<Provider>, Path(call): Path<String>, Json(mut body): Json<Value>) -> Response {
    let (model, verb) = call.split_once(':').unwrap_or((&call, ""));
    body["model"] = model.into();
    match verb {
        "streamGenerateContent" => provider.respond(Api::Gemini, body).await,
        "countTokens" => Json(json!({"totalTokens": 1})).into_response(),
        _ => refusal(Api::Gemini, &format!("the scripted model does not know {verb:?}")),
    }
}

/// A failure that agents do not retry and whose message they pass on.
fn refusal(api: Api, message: &str) -> Response {
    failure(api, &Fail { status: 400, message: Some(message.to_owned()), ..Fail::default() })
}

fn failure(api: Api, fail: &Fail) -> Response {
    let status = StatusCode::from_u16(fail.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(api.failure(fail))).into_response()
}

/// A panic while one of these locks is held leaves no inconsistent state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
