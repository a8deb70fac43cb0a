//! Claude Code channels: sends a message into the conversation when a background task has ended.
//!
//! Disabled by default. Claude Code accepts such messages only from servers that the user named when starting it. Each
//! message is sent by a separate future, which ends with the connection. So a client that does not read cannot delay
//! anything else.

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::{
    Peer, RoleServer,
    model::{CustomNotification, ServerNotification},
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    broker::{Broker, TaskUpdate},
    present,
    store::ReportedBy,
    task::TaskId,
};

/// The name of the capability, among the experimental ones.
pub(super) const CAPABILITY: &str = "claude/channel";

const METHOD: &str = "notifications/claude/channel";

/// The futures that wait for tasks to end. They are aborted when this is dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct Channel(Arc<Mutex<JoinSet<()>>>);

impl Channel {
    /// Sends a message to the client when the task has ended, unless the end is reported in another way.
    pub(super) fn announce_end(&self, id: &TaskId, broker: &Broker, peer: Peer<RoleServer>) {
        let mut task = broker.follow(id);
        let broker = broker.clone();
        let announcement = async move {
            let record = loop {
                match task.next().await {
                    Ok(TaskUpdate::Ended(record)) => break record,
                    Ok(TaskUpdate::Event(_) | TaskUpdate::Offline { .. }) => {}
                    Err(refusal) => return tracing::warn!(%refusal, "cannot announce the end of a task"),
                }
            };
            let Some(report) = broker.announce(&record.id, ReportedBy::Channel).await else { return };
            let result = broker.result(&record).await.ok().flatten();
            let text = present::brief(&record, result);
            let meta = json!({"task_id": record.id, "status": record.status()});
            let message = CustomNotification::new(METHOD, Some(json!({"content": text, "meta": meta})));
            match peer.send_notification(ServerNotification::CustomNotification(message)).await {
                Ok(()) => report.confirm().await,
                Err(error) => tracing::debug!(%error, "the end of a task was not announced"),
            }
        };
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.try_join_next().is_some() {}
        waiting.spawn(announcement);
    }
}
