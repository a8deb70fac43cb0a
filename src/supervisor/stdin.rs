//! Writing to an agent's stdin without waiting for an agent that does not read.

use connector_api::PromptDelivery;
use tokio::{io::AsyncWriteExt, process::ChildStdin, sync::mpsc, task::JoinHandle};

/// Owns the agent's stdin. Stops writing when it is dropped.
#[derive(Debug)]
pub(super) struct StdinWriter {
    to_write: Option<mpsc::UnboundedSender<Vec<u8>>>,
    writing: Option<JoinHandle<()>>,
}

impl StdinWriter {
    /// Writes the prompt where it is delivered on stdin, and closes stdin unless the session wants it.
    ///
    /// Most prompts fit into the pipe: such a prompt, and its end, are there for the agent when this returns.
    pub(super) fn begin(stdin: Option<ChildStdin>, delivery: PromptDelivery, prompt: &str) -> Self {
        let mut prompt = prompt.as_bytes();
        let stdin = match (stdin, delivery) {
            (Some(stdin), PromptDelivery::Stdin) => {
                // A child's stdin does not block here; an agent that has closed it is found out about below.
                prompt = &prompt[rustix::io::write(&stdin, prompt).unwrap_or(0)..];
                (!prompt.is_empty()).then_some(stdin)
            }
            (stdin, PromptDelivery::Session | PromptDelivery::Argument) => stdin,
            (None, PromptDelivery::Stdin) => None,
        };
        let (to_write, writing) = match stdin {
            Some(stdin) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                (Some(sender), Some(tokio::spawn(write(stdin, receiver))))
            }
            None => (None, None),
        };
        let mut writer = Self { to_write, writing };
        match delivery {
            PromptDelivery::Stdin => {
                writer.send(prompt.to_vec());
                writer.close();
            }
            PromptDelivery::Argument => writer.close(),
            PromptDelivery::Session => {}
        }
        writer
    }

    /// Writes these bytes after all others.
    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        if let Some(to_write) = &self.to_write {
            // The other end is gone when the agent closed its stdin: it does not want to know.
            let _ = to_write.send(bytes);
        }
    }

    /// Closes stdin once everything is written.
    pub(super) fn close(&mut self) {
        self.to_write = None;
    }
}

impl Drop for StdinWriter {
    fn drop(&mut self) {
        if let Some(writing) = &self.writing {
            writing.abort();
        }
    }
}

async fn write(mut stdin: ChildStdin, mut to_write: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = to_write.recv().await {
        if stdin.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
