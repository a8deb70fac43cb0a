//! A task on a live display, kept up to date by the entries of its timeline.

use connector_api::Usage;

use super::{TaskRecord, TaskState, TaskSummary, TimelineEntry, TimelineEvent, Trouble, WarningSource};

/// A task that is being watched.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveTask {
    /// The task. Its `step` can also be about the task itself, such as the reason why it is being stopped.
    pub summary: TaskSummary,
    /// Tokens that a running task has used so far, if its agent reported them.
    pub usage: Option<Usage>,
}

impl LiveTask {
    /// A task as it was found.
    pub fn new(summary: TaskSummary) -> Self {
        Self { summary, usage: None }
    }

    /// Applies a new entry of the task's timeline.
    pub fn apply(&mut self, entry: &TimelineEntry) {
        let TaskSummary { record, state, step, trouble } = &mut self.summary;
        match &entry.event {
            TimelineEvent::Queued { .. } => *state = TaskState::Queued,
            TimelineEvent::Started { backend, version, attempt: _ } => {
                *state = TaskState::Running;
                record.progress.backend = Some(backend.clone());
                record.progress.agent_version = version.clone().map(Into::into);
            }
            TimelineEvent::Session { id } => record.progress.session_id = Some(id.clone().into()),
            TimelineEvent::Usage { usage } => self.usage = Some(*usage),
            TimelineEvent::Warning { source: WarningSource::AgentTrouble, text, offline } => {
                let since = trouble.as_ref().and_then(|trouble| trouble.offline_since).unwrap_or(entry.at);
                *trouble = Some(Trouble { text: text.clone().into(), offline_since: offline.then_some(since) });
            }
            TimelineEvent::Message { .. }
            | TimelineEvent::Reasoning { .. }
            | TimelineEvent::CommandStarted { .. }
            | TimelineEvent::CommandFinished { .. }
            | TimelineEvent::FilesChanged { .. }
            | TimelineEvent::Tool { .. }
            | TimelineEvent::Plan { .. }
            | TimelineEvent::Warning { .. }
            | TimelineEvent::Fallback { .. }
            | TimelineEvent::Stopping { .. } => {
                *trouble = None;
                *step = Some(entry.clone());
            }
            TimelineEvent::Output { .. }
            | TimelineEvent::Silence { .. }
            | TimelineEvent::Changes { .. }
            | TimelineEvent::Ended { .. }
            | TimelineEvent::Omitted { .. }
            | TimelineEvent::Unknown { .. } => {}
        }
    }

    /// The task has ended with this record.
    pub fn end(&mut self, record: TaskRecord) {
        self.summary = TaskSummary::ended(record);
    }

    /// Input and output tokens together: those of the run if it has ended, otherwise those so far.
    pub fn tokens(&self) -> Option<u64> {
        let recorded = self.summary.record.end.as_ref().and_then(|end| end.usage);
        recorded.or(self.usage).map(|usage| usage.input_tokens.saturating_add(usage.output_tokens))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use connector_api::BackendName;

    use super::*;

    fn queued() -> LiveTask {
        let record = serde_json::from_value(serde_json::json!({
            "id": "1a2b3c4d", "status": "running", "startedAt": "2026-01-02T03:04:05Z"
        }));
        let record = record.expect("a record needs no more");
        LiveTask::new(TaskSummary { record, state: TaskState::Queued, step: None, trouble: None })
    }

    fn at(second: i64, event: TimelineEvent) -> TimelineEntry {
        TimelineEntry { seq: 1, at: DateTime::from_timestamp(second, 0).expect("a valid time"), event }
    }

    fn trouble(offline: bool) -> TimelineEvent {
        TimelineEvent::Warning { source: WarningSource::AgentTrouble, text: "no".to_owned(), offline }
    }

    #[test]
    fn entries_change_the_state_the_step_and_the_trouble() {
        let mut task = queued();
        let mut apply = |event| {
            task.apply(&at(0, event));
            let TaskSummary { state, step, trouble, .. } = &task.summary;
            (*state, step.as_ref().map(|step| step.event.kind().to_owned()), trouble.is_some())
        };
        let backend = BackendName::new("codex").expect("a valid name");
        let started = TimelineEvent::Started { backend, version: None, attempt: 1 };
        assert_eq!(apply(started), (TaskState::Running, None, false));
        let message = || TimelineEvent::Message { text: "hello".to_owned() };
        let step = Some("message".to_owned());
        assert_eq!(apply(message()), (TaskState::Running, step.clone(), false));
        assert_eq!(apply(trouble(false)), (TaskState::Running, step.clone(), true));
        assert_eq!(apply(TimelineEvent::Output { text: "x".to_owned() }), (TaskState::Running, step.clone(), true));
        assert_eq!(apply(message()), (TaskState::Running, step, false));
        let usage = Usage { input_tokens: 3, output_tokens: 4, ..Usage::default() };
        apply(TimelineEvent::Usage { usage });
        assert_eq!(task.tokens(), Some(7));
    }

    #[test]
    fn a_wait_for_the_network_begins_with_the_first_of_its_warnings() {
        let mut task = queued();
        let mut since = |second, event| {
            task.apply(&at(second, event));
            task.summary.trouble.as_ref().and_then(|trouble| trouble.offline_since).map(|since| since.timestamp())
        };
        assert_eq!(since(1, trouble(false)), None);
        assert_eq!(since(2, trouble(true)), Some(2));
        assert_eq!(since(3, trouble(true)), Some(2));
        assert_eq!(since(4, trouble(false)), None, "the agent has reached the network");
        assert_eq!(since(5, trouble(true)), Some(5));
        assert_eq!(since(6, TimelineEvent::Message { text: "hello".to_owned() }), None);
    }
}
