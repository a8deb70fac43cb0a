//! One answer, as the steps of a script make it.

use std::{io, time::Duration};

use axum::body::Bytes;
use tokio::sync::mpsc;

use super::{
    api::{Api, Voice},
    conversation::Conversation,
    step::{Step, StreamError},
    toolbox::{self, Call},
};

/// What the body of an HTTP response is made of; an error cuts the connection.
pub(super) type Chunk = Result<Bytes, io::Error>;

/// An answer being given.
pub(super) struct Answer {
    stream: mpsc::Sender<Chunk>,
    api: Api,
    voice: Box<dyn Voice>,
}

/// The agent closed the connection.
#[derive(Debug)]
pub(super) struct Gone;

/// Whether the stream goes on after a step.
#[derive(Debug, PartialEq, Eq)]
enum Stream {
    Open,
    Ended,
}

impl Answer {
    /// An answer on `stream`.
    pub(super) fn new(stream: mpsc::Sender<Chunk>, api: Api, voice: Box<dyn Voice>) -> Answer {
        Answer { stream, api, voice }
    }

    /// Plays `steps` to the agent that sent `conversation`.
    pub(super) async fn play(mut self, steps: &[Step], conversation: &Conversation) -> Result<(), Gone> {
        let beginning = self.voice.begin();
        self.send(beginning).await?;
        for step in steps {
            if self.step(step, conversation).await? == Stream::Ended {
                return Ok(());
            }
        }
        let end = self.voice.end();
        self.send(end).await
    }

    async fn step(&mut self, step: &Step, conversation: &Conversation) -> Result<Stream, Gone> {
        let call = match step {
            Step::Say(text) => {
                let piece = self.voice.say(text);
                return self.send(piece).await.map(|()| Stream::Open);
            }
            Step::Think(text) => {
                let piece = self.voice.think(text);
                return self.send(piece).await.map(|()| Stream::Open);
            }
            Step::Sleep(seconds) => {
                return self.pause(Duration::from_secs_f64(seconds.max(0.0))).await.map(|()| Stream::Open);
            }
            // The limit on a request ends it, if the agent does not.
            Step::Hang => return self.pause(Duration::MAX).await.map(|()| Stream::Open),
            // These two were looked at before the answer began.
            Step::Fail(_) | Step::Usage(_) => return Ok(Stream::Open),
            Step::Error(error) => return self.break_off(error).await,
            Step::Drop => {
                let cut = io::Error::new(io::ErrorKind::ConnectionAborted, "the script cuts the connection");
                self.stream.send(Err(cut)).await.map_err(|_| Gone)?;
                return Ok(Stream::Ended);
            }
            Step::Shell(command) => toolbox::shell(command, self.api, conversation),
            Step::Patch(patch) => toolbox::patch(patch, self.api, conversation),
            Step::Write(file) => toolbox::write(file, self.api, conversation),
            Step::Tool(call) => toolbox::mcp(call, conversation),
        };
        match call {
            Some(call) => self.call(&call).await,
            None => {
                let message = format!("{step:?} needs a tool, but offered are: {}", conversation.tool_names());
                self.break_off(&StreamError { message, code: "invalid_prompt".into() }).await
            }
        }
    }

    async fn call(&mut self, call: &Call) -> Result<Stream, Gone> {
        let piece = self.voice.call(call);
        self.send(piece).await.map(|()| Stream::Open)
    }

    async fn break_off(&mut self, error: &StreamError) -> Result<Stream, Gone> {
        let piece = self.voice.break_off(error);
        self.send(piece).await.map(|()| Stream::Ended)
    }

    async fn pause(&mut self, length: Duration) -> Result<(), Gone> {
        tokio::select! {
            () = tokio::time::sleep(length) => Ok(()),
            () = self.stream.closed() => Err(Gone),
        }
    }

    async fn send(&mut self, piece: String) -> Result<(), Gone> {
        if piece.is_empty() {
            return Ok(());
        }
        self.stream.send(Ok(piece.into())).await.map_err(|_| Gone)
    }
}
