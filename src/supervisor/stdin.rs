//! Writing to an agent's stdin without waiting for an agent that does not read.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use connector_api::PromptDelivery;
use tokio::{io::AsyncWriteExt, process::ChildStdin, sync::mpsc, task::JoinHandle};

/// Maximum total size of messages that wait to be written, in bytes. A single message may be longer.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// Approximate memory overhead of a queued message, in bytes.
const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// The agent does not read its stdin, and too many messages are waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StdinStalled;

/// Owns the agent's stdin. Stops writing when it is dropped.
#[derive(Debug)]
pub(super) struct StdinWriter {
    to_write: Option<mpsc::UnboundedSender<Vec<u8>>>,
    writing: Option<JoinHandle<()>>,
    /// Bytes that wait to be written.
    waiting: Arc<AtomicUsize>,
}

impl StdinWriter {
    /// Writes the prompt if it is delivered on stdin, and closes stdin unless the session uses it.
    ///
    /// Most prompts fit into the pipe's buffer. They are written completely, and stdin is closed, before this returns.
    pub(super) fn begin(stdin: Option<ChildStdin>, delivery: PromptDelivery, prompt: &str) -> Self {
        let mut prompt = prompt.as_bytes();
        let stdin = match (stdin, delivery) {
            (Some(stdin), PromptDelivery::Stdin) => {
                // A child's stdin is non-blocking. If the agent has closed it, the writer task notices that below.
                prompt = &prompt[rustix::io::write(&stdin, prompt).unwrap_or(0)..];
                (!prompt.is_empty()).then_some(stdin)
            }
            (stdin, PromptDelivery::Session | PromptDelivery::Argument) => stdin,
            (None, PromptDelivery::Stdin) => None,
        };
        let waiting = Arc::default();
        let (to_write, writing) = match stdin {
            Some(stdin) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                (Some(sender), Some(tokio::spawn(write(stdin, receiver, Arc::clone(&waiting)))))
            }
            None => (None, None),
        };
        let mut writer = Self { to_write, writing, waiting };
        match delivery {
            PromptDelivery::Stdin => {
                // Cannot fail, because nothing is waiting yet.
                let _ = writer.send(prompt.to_vec());
                writer.close();
            }
            PromptDelivery::Argument => writer.close(),
            PromptDelivery::Session => {}
        }
        writer
    }

    /// Queues bytes to be written after all others.
    ///
    /// Fails if too many bytes are waiting. Otherwise, a stuck or malicious agent could fill our memory.
    pub(super) fn send(&mut self, bytes: Vec<u8>) -> Result<(), StdinStalled> {
        let Some(to_write) = &self.to_write else { return Ok(()) };
        let length = bytes.len() + MESSAGE_OVERHEAD_BYTES;
        let before = self.waiting.load(Ordering::Relaxed);
        if before > 0 && before + length > MAX_WAITING_BYTES {
            return Err(StdinStalled);
        }
        self.waiting.fetch_add(length, Ordering::Relaxed);
        // If the agent has closed its stdin, the bytes are dropped.
        if to_write.send(bytes).is_err() {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
        }
        Ok(())
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

async fn write(mut stdin: ChildStdin, mut to_write: mpsc::UnboundedReceiver<Vec<u8>>, waiting: Arc<AtomicUsize>) {
    while let Some(bytes) = to_write.recv().await {
        if stdin.write_all(&bytes).await.is_err() {
            return;
        }
        waiting.fetch_sub(bytes.len() + MESSAGE_OVERHEAD_BYTES, Ordering::Relaxed);
    }
}
