//! The HTTP side: the routes, the requests seen, and the limits.

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

/// The longest that one request is answered.
pub const MAX_REQUEST_TIME: Duration = Duration::from_secs(600);
/// How many requests one provider answers. After that every request fails: an agent is going round in circles.
pub const MAX_REQUESTS: usize = 1_000;

/// Larger than anything an agent sends in a test; Codex takes prompts up to 1 MiB.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Models whose names begin like this do not exist.
const UNKNOWN_MODEL: &str = "no-such-model";

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
pub(super) struct Provider(Arc<ProviderState>);

#[derive(Debug)]
struct ProviderState {
    source: ScriptSource,
    /// Begins every id given out, so that a session resumed with another provider sees no id twice.
    origin: u128,
    accepted: AtomicUsize,
    seen: Mutex<Vec<SeenRequest>>,
    /// How often a [`ScriptStep::Fail`] was played, by its place.
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
        // One event of backlog: an agent that stops reading stops the script too.
        let (sender, receiver) = mpsc::channel(1);
        // Owned by the runtime of this provider: aborted when that is dropped, and never longer than the limit.
        tokio::spawn(async move {
            let playing = StreamedResponse::new(sender, api, writer).play(&steps, &conversation);
            // Whether the agent went away or the time was up, the stream has ended and nobody is left to be told.
            let _ = tokio::time::timeout(MAX_REQUEST_TIME, playing).await;
        });
        ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(ReceiverStream::new(receiver))).into_response()
    }

    /// The failure that `steps` begin the response with, unless it has been played often enough.
    fn due_failure(&self, script: &Script, steps: &[ScriptStep]) -> Option<Fail> {
        let fail = steps.iter().find_map(|step| if let ScriptStep::Fail(fail) = step { Some(fail) } else { None })?;
        let mut failures = lock(&self.0.failures);
        let played = failures.entry(script.place()).or_insert(0);
        *played += 1;
        fail.times.is_none_or(|times| *played <= times).then(|| fail.clone())
    }
}

/// Google's API has the model and what is to be done with it in the path.
async fn generate(State(provider): State<Provider>, Path(call): Path<String>, Json(mut body): Json<Value>) -> Response {
    let (model, verb) = call.split_once(':').unwrap_or((&call, ""));
    body["model"] = model.into();
    match verb {
        "streamGenerateContent" => provider.respond(Api::Gemini, body).await,
        "countTokens" => Json(json!({"totalTokens": 1})).into_response(),
        _ => refusal(Api::Gemini, &format!("the scripted model does not know {verb:?}")),
    }
}

/// A status that agents do not retry, with a message that they pass on.
fn refusal(api: Api, message: &str) -> Response {
    failure(api, &Fail { status: 400, message: Some(message.to_owned()), ..Fail::default() })
}

fn failure(api: Api, fail: &Fail) -> Response {
    let status = StatusCode::from_u16(fail.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(api.failure(fail))).into_response()
}

/// A panic while one of these locks was held leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
