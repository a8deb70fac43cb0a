//! A model provider on loopback that plays a script, for agents that use OpenAI's, Anthropic's or Google's API.
//!
//! A model decides what an agent does, and here the test decides what the model does. This puts a real agent into
//! every situation of interest: commands, edits, provider failures, silence, a cut connection. The provider keeps no
//! state of a conversation: the request alone determines the next step.
//!
//! For example, a prompt that contains `SCRIPT[{"shell": "make"}, {"say": "done"}]` makes the agent run `make`; when
//! it returns the output, the model says `done`.

mod answer;
mod api;
mod conversation;
mod obedience;
mod provider;
mod script;
mod step;
mod toolbox;

use std::{
    net::{SocketAddr, TcpListener},
    thread::JoinHandle,
};

use tokio::sync::oneshot;

pub use provider::{MAX_REQUEST_TIME, MAX_REQUESTS, SeenRequest};
pub use step::{Fail, FileText, ScriptStep, ScriptedUsage, StreamError, ToolCall};

use provider::Provider;
use script::ScriptSource;

/// A running provider. When dropped, it stops and aborts all answers in progress.
///
/// It runs in a separate thread, so it serves both async tests and plain programs.
#[derive(Debug)]
pub struct ScriptedModel {
    address: SocketAddr,
    provider: Provider,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ScriptedModel {
    /// Starts a provider that takes its script from the prompt: the newest user message that contains `SCRIPT[…]`, a
    /// JSON list of [`ScriptStep`]s. A few plain sentences work too, such as "Reply with exactly this word: `pear`".
    /// With neither, the model answers `ok`.
    pub fn start() -> ScriptedModel {
        ScriptedModel::start_from(ScriptSource::Prompt)
    }

    /// Starts a provider that plays `script` after every prompt and ignores the prompt's text.
    pub fn with_script(script: Vec<ScriptStep>) -> ScriptedModel {
        ScriptedModel::start_from(ScriptSource::Fixed(script))
    }

    /// The base URL for OpenAI's APIs: `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// The base URL for Anthropic's and Google's APIs: `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests received so far, oldest first.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.provider.requests()
    }

    fn start_from(source: ScriptSource) -> ScriptedModel {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (stop, stopped) = oneshot::channel();
        let provider = Provider::new(source);
        let serving = provider.clone();
        let thread = std::thread::Builder::new()
            .name("scripted-model".into())
            .spawn(move || serve(listener, &serving, stopped))
            .expect("a thread for the scripted model");
        ScriptedModel { address, provider, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // That thread has already printed its panic, and a second panic during a drop would abort the test.
            let _ = thread.join();
        }
    }
}

/// Serves until `stopped` resolves. Dropping the runtime aborts the answers in progress.
fn serve(listener: TcpListener, provider: &Provider, stopped: oneshot::Receiver<()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime for the scripted model");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a listener can be made non-blocking");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a non-blocking listener");
        tokio::select! {
            result = axum::serve(listener, provider.routes()) => result.expect("the listener accepts connections"),
            _ = stopped => {}
        }
    });
}
