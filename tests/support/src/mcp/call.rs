//! A tool call that has been sent.

use std::time::{Duration, Instant};

use super::{
    answer::{ToolAnswer, outcome},
    inbox::Inbox,
};

/// A `tools/call` whose answer may still be to come. It may outlive its server and wait in another thread.
#[derive(Debug, Clone)]
pub struct PendingCall {
    pub(super) id: i64,
    pub(super) tool: String,
    pub(super) inbox: Inbox,
}

impl PendingCall {
    /// The id of the request, which is its progress token too.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The progress messages received until now.
    pub fn progress(&self) -> Vec<String> {
        self.inbox.lock().progress.get(&self.id).cloned().unwrap_or_default()
    }

    /// The answer, if it has come. It stays there for others to look at.
    pub fn answer(&self) -> Option<ToolAnswer> {
        let received = self.inbox.lock();
        let answer = received.answers.get(&self.id)?;
        let progress = received.progress.get(&self.id).cloned().unwrap_or_default();
        Some(ToolAnswer::new(outcome(answer), progress))
    }

    /// Waits for the answer, and hands each progress message to `on_progress` as it comes.
    ///
    /// # Panics
    ///
    /// When the server closes its stdout without an answer, or `answer_timeout` runs out.
    pub fn wait(&self, answer_timeout: Duration, mut on_progress: impl FnMut(&str)) -> ToolAnswer {
        let deadline = Instant::now() + answer_timeout;
        let mut told = 0;
        loop {
            let (next_progress, answer) = self.next_progress(deadline, told);
            told += next_progress.len();
            next_progress.iter().for_each(|message| on_progress(message));
            if let Some(answer) = answer {
                return answer;
            }
        }
    }

    /// Waits for more than the first `told` progress messages, or the answer.
    fn next_progress(&self, deadline: Instant, told: usize) -> (Vec<String>, Option<ToolAnswer>) {
        let next_progress = self.inbox.wait_for(deadline, |received| {
            let progress = received.progress.get(&self.id).map_or(&[][..], Vec::as_slice);
            let answer = received.answers.get(&self.id);
            let answer = answer.map(|answer| ToolAnswer::new(outcome(answer), progress.to_vec()));
            (answer.is_some() || progress.len() > told).then(|| (progress[told..].to_vec(), answer))
        });
        next_progress.unwrap_or_else(|| {
            panic!(
                "the call {} of tool {} was not answered: {}",
                self.id,
                self.tool,
                self.inbox.lock().silence_reason()
            )
        })
    }
}
