//! A tool call that has been sent.

use std::time::{Duration, Instant};

use super::{
    answer::{ToolAnswer, outcome},
    inbox::Inbox,
};

/// A `tools/call` that may not have been answered yet. It may outlive its server, and another thread may wait for it.
#[derive(Debug, Clone)]
pub struct PendingCall {
    pub(super) id: i64,
    pub(super) tool: String,
    pub(super) inbox: Inbox,
}

impl PendingCall {
    /// The request's ID, which is also its progress token.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The progress messages received until now.
    pub fn progress(&self) -> Vec<String> {
        self.inbox.lock().progress.get(&self.id).cloned().unwrap_or_default()
    }

    /// The answer, if it has arrived. It remains available to other callers.
    pub fn answer(&self) -> Option<ToolAnswer> {
        let received = self.inbox.lock();
        let answer = received.answers.get(&self.id)?;
        let progress = received.progress.get(&self.id).cloned().unwrap_or_default();
        Some(ToolAnswer::new(outcome(answer), progress))
    }

    /// Waits for the answer, and passes each progress message to `on_progress` as it arrives.
    ///
    /// # Panics
    ///
    /// Panics if the server closes its stdout without answering, or `answer_timeout` expires.
    pub fn wait(&self, answer_timeout: Duration, mut on_progress: impl FnMut(&str)) -> ToolAnswer {
        let deadline = Instant::now() + answer_timeout;
        let mut reported = 0;
        loop {
            let (next_progress, answer) = self.next_progress(deadline, reported);
            reported += next_progress.len();
            next_progress.iter().for_each(|message| on_progress(message));
            if let Some(answer) = answer {
                return answer;
            }
        }
    }

    /// Waits for the answer, or for more than the first `reported` progress messages.
    fn next_progress(&self, deadline: Instant, reported: usize) -> (Vec<String>, Option<ToolAnswer>) {
        let next_progress = self.inbox.wait_for(deadline, |received| {
            let progress = received.progress.get(&self.id).map_or(&[][..], Vec::as_slice);
            let answer = received.answers.get(&self.id);
            let answer = answer.map(|answer| ToolAnswer::new(outcome(answer), progress.to_vec()));
            (answer.is_some() || progress.len() > reported).then(|| (progress[reported..].to_vec(), answer))
        });
        next_progress.unwrap_or_else(|| {
            panic!("call {} of tool {} was not answered: {}", self.id, self.tool, self.inbox.lock().silence_reason())
        })
    }
}
