//! One answer, built from the steps of a script.

use std::{io, time::Duration};

use axum::body::Bytes;
use tokio::sync::mpsc;

use super::{
    api::{Api, ResponseWriter},
    conversation::Conversation,
    step::{ScriptStep, StreamError},
    toolbox::{self, ModelToolCall},
};

/// A part of an HTTP response's body. An error cuts the connection.
pub(super) type Chunk = Result<Bytes, io::Error>;

/// An answer that is being sent.
pub(super) struct StreamedResponse {
    stream: mpsc::Sender<Chunk>,
    api: Api,
    writer: Box<dyn ResponseWriter>,
}

/// The agent closed the connection.
#[derive(Debug)]
pub(super) struct Disconnected;

/// Whether the stream continues after a step.
#[derive(Debug, PartialEq, Eq)]
enum StreamState {
    Open,
    Ended,
}

impl StreamedResponse {
    /// An answer on `stream`.
    pub(super) fn new(stream: mpsc::Sender<Chunk>, api: Api, writer: Box<dyn ResponseWriter>) -> StreamedResponse {
        StreamedResponse { stream, api, writer }
    }

    /// Plays `steps` to the agent that sent `conversation`.
    pub(super) async fn play(mut self, steps: &[ScriptStep], conversation: &Conversation) -> Result<(), Disconnected> {
        let beginning = self.writer.begin();
        self.send(beginning).await?;
        for step in steps {
            if self.step(step, conversation).await? == StreamState::Ended {
                return Ok(());
            }
        }
        let end = self.writer.end();
        self.send(end).await
    }

    async fn step(&mut self, step: &ScriptStep, conversation: &Conversation) -> Result<StreamState, Disconnected> {
        let call = match step {
            ScriptStep::Say(text) => {
                let chunk = self.writer.say(text);
                return self.send(chunk).await.map(|()| StreamState::Open);
            }
            ScriptStep::Think(text) => {
                let chunk = self.writer.think(text);
                return self.send(chunk).await.map(|()| StreamState::Open);
            }
            ScriptStep::Sleep(seconds) => {
                return self.pause(Duration::from_secs_f64(seconds.max(0.0))).await.map(|()| StreamState::Open);
            }
            // If the agent does not end the request, the time limit does.
            ScriptStep::Hang => return self.pause(Duration::MAX).await.map(|()| StreamState::Open),
            // These two were handled before the answer began.
            ScriptStep::Fail(_) | ScriptStep::Usage(_) => return Ok(StreamState::Open),
            ScriptStep::Error(error) => return self.break_off(error).await,
            ScriptStep::Drop => {
                let cut = io::Error::new(io::ErrorKind::ConnectionAborted, "the script cuts the connection");
                self.stream.send(Err(cut)).await.map_err(|_| Disconnected)?;
                return Ok(StreamState::Ended);
            }
            ScriptStep::Shell(command) => toolbox::shell(command, self.api, conversation),
            ScriptStep::Patch(patch) => toolbox::patch(patch, self.api, conversation),
            ScriptStep::Write(file) => toolbox::write(file, self.api, conversation),
            ScriptStep::Tool(call) => toolbox::mcp(call, conversation),
        };
        match call {
            Some(call) => self.call(&call).await,
            None => {
                let message =
                    format!("{step:?} needs a tool, but the agent offers only: {}", conversation.tool_names());
                self.break_off(&StreamError { message, code: "invalid_prompt".into() }).await
            }
        }
    }

    async fn call(&mut self, call: &ModelToolCall) -> Result<StreamState, Disconnected> {
        let chunk = self.writer.call(call);
        self.send(chunk).await.map(|()| StreamState::Open)
    }

    async fn break_off(&mut self, error: &StreamError) -> Result<StreamState, Disconnected> {
        let chunk = self.writer.break_off(error);
        self.send(chunk).await.map(|()| StreamState::Ended)
    }

    async fn pause(&mut self, duration: Duration) -> Result<(), Disconnected> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            () = self.stream.closed() => Err(Disconnected),
        }
    }

    async fn send(&mut self, chunk: String) -> Result<(), Disconnected> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.stream.send(Ok(chunk.into())).await.map_err(|_| Disconnected)
    }
}
