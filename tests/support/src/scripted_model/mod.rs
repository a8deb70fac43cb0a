//! A model provider on loopback that plays a script, for agents that speak OpenAI's, Anthropic's or Google's API.
//!
//! A model decides what an agent does; here the test decides what the model does, so that a real agent can be driven
//! through everything that may happen to it: commands, edits, failures of the provider, silence, a cut connection.
//! The provider keeps no state of a conversation: which step comes next follows from the request alone.

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

/// A running provider. It stops, with everything it was still answering, when dropped.
///
/// It runs in a thread of its own, so that it serves async tests and plain programs alike.
#[derive(Debug)]
pub struct ScriptedModel {
    address: SocketAddr,
    provider: Provider,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ScriptedModel {
    /// Starts a provider whose script stands in the prompt: the newest user message that holds `SCRIPT[…]`, a JSON
    /// list of [`ScriptStep`]s, says what to do. So does one of a few plain sentences, such as "Reply with exactly this word: `pear`"; without
    /// either the model answers `ok`.
    pub fn start() -> ScriptedModel {
        ScriptedModel::start_from(ScriptSource::Prompt)
    }

    /// Starts a provider that plays `script` after every prompt, whatever the prompt says.
    pub fn with_script(script: Vec<ScriptStep>) -> ScriptedModel {
        ScriptedModel::start_from(ScriptSource::Fixed(script))
    }

    /// What an agent that speaks one of OpenAI's APIs is configured with: `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// What one that speaks Anthropic's or Google's is configured with: `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests seen until now, oldest first.
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
            // A panic of that thread has been printed already, and a second one during a drop would abort the test.
            let _ = thread.join();
        }
    }
}

/// Serves until `stopped` resolves. Dropping the runtime aborts the answers that are still being given.
fn serve(listener: TcpListener, provider: &Provider, stopped: oneshot::Receiver<()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime for the scripted model");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a listener can be made non-blocking");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a non-blocking listener");
        tokio::select! {
            result = axum::serve(listener, provider.routes()) => result.expect("the listener keeps accepting"),
            _ = stopped => {}
        }
    });
}
