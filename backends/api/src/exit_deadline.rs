//! The wait for an agent to exit, once it has said its last word.

use std::time::Duration;

use crate::{AgentEvent, Exit, Step};

/// Ends an agent that does not exit by itself after the end of its turn.
///
/// Agents hang on their way out: on an MCP server that does not close, a hook, telemetry. Their work is done all the same.
/// A session begins the wait at the event that ends a turn, and cancels it when more work comes. Once the wait
/// [is over](Self::has_passed), the agent is being stopped, and nothing that it still says or exits with counts.
#[derive(Debug, Clone)]
pub struct ExitDeadline {
    agent: &'static str,
    timeout: Duration,
    state: DeadlineState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeadlineState {
    Idle,
    Waiting,
    Passed,
}

impl ExitDeadline {
    /// A deadline for `agent`, which may take `timeout` to exit.
    pub fn new(agent: &'static str, timeout: Duration) -> Self {
        Self { agent, timeout, state: DeadlineState::Idle }
    }

    /// The turn is over: begins the wait, unless it has begun already. What an agent only says meanwhile gives it no more time.
    pub fn begin(&mut self) -> Option<Step> {
        (self.state == DeadlineState::Idle).then(|| {
            self.state = DeadlineState::Waiting;
            Step::Deadline(Some(self.timeout))
        })
    }

    /// The agent works again: nothing is waited for.
    pub fn cancel(&mut self) -> Option<Step> {
        (self.state == DeadlineState::Waiting).then(|| {
            self.state = DeadlineState::Idle;
            Step::Deadline(None)
        })
    }

    /// The steps to take when the wait is over, for [`AgentSession::overdue`](crate::AgentSession::overdue).
    pub fn overdue(&mut self) -> Vec<Step> {
        if self.state != DeadlineState::Waiting {
            return vec![];
        }
        self.state = DeadlineState::Passed;
        let message = format!("{} ended its turn and did not exit; it is being stopped", self.agent);
        vec![Step::Event(AgentEvent::Warning { message }), Step::Finished]
    }

    /// Whether the agent was stopped because it did not exit.
    pub fn has_passed(&self) -> bool {
        self.state == DeadlineState::Passed
    }

    /// How the agent would have ended by itself: where it was stopped, how it ended says nothing.
    pub fn exit(&self, exit: Exit) -> Exit {
        if self.has_passed() { Exit::Code(0) } else { exit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIT_TIMEOUT: Duration = Duration::from_secs(3);

    #[test]
    fn an_agent_that_does_not_exit_is_stopped_and_its_exit_does_not_count() {
        let mut deadline = ExitDeadline::new("Agent", EXIT_TIMEOUT);
        assert_eq!(deadline.begin(), Some(Step::Deadline(Some(EXIT_TIMEOUT))));
        assert_eq!(deadline.begin(), None, "it has begun");
        assert_eq!(deadline.exit(Exit::Signal(2)), Exit::Signal(2));
        let steps = deadline.overdue();
        assert!(
            matches!(&steps[..], [Step::Event(AgentEvent::Warning { message }), Step::Finished] if message.starts_with("Agent"))
        );
        assert_eq!((deadline.has_passed(), deadline.exit(Exit::Signal(2))), (true, Exit::Code(0)));
        assert_eq!((deadline.overdue(), deadline.cancel()), (vec![], None));
    }

    #[test]
    fn an_agent_that_resumes_work_is_left_alone() {
        let mut deadline = ExitDeadline::new("Agent", EXIT_TIMEOUT);
        assert_eq!((deadline.cancel(), deadline.overdue()), (None, vec![]));
        deadline.begin();
        assert_eq!(deadline.cancel(), Some(Step::Deadline(None)));
        assert_eq!((deadline.overdue(), deadline.has_passed()), (vec![], false));
        assert_eq!(deadline.begin(), Some(Step::Deadline(Some(EXIT_TIMEOUT))), "after its next turn");
    }
}
