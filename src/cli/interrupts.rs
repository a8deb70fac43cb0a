//! Ctrl-C.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{exit::Exit, output::fail};

/// Presses of Ctrl-C, which no longer end this process by themselves.
#[derive(Debug)]
pub(super) struct Interrupts(Signal);

impl Interrupts {
    /// Must be called inside a runtime. Prints the problem if there is one.
    pub(super) fn watched() -> Result<Self, Exit> {
        signal(SignalKind::interrupt()).map(Self).map_err(|error| {
            fail(error.to_string());
            Exit::Failed
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}
