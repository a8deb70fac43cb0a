//! A time limit for an agent to exit after the end of its turn.

use std::time::Duration;

use crate::{AgentEvent, Exit, Step};

/// Stops an agent that does not exit by itself after the end of its turn.
///
/// Agents sometimes hang when they exit, on an MCP server that does not close, a hook, or telemetry, although their
/// work is done. A session [begins](Self::begin) the wait at the event that ends a turn, and [cancels](Self::cancel) it
/// if more work follows. When the deadline [has passed](Self::has_passed), the agent is stopped; its later output and
/// its exit code no longer count.
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
    /// A deadline for `agent`, which has `timeout` to exit.
    pub fn new(agent: &'static str, timeout: Duration) -> Self {
        Self { agent, timeout, state: DeadlineState::Idle }
    }

    /// Begins the wait, because the turn is over. Does nothing if it has already begun: mere output does not extend it.
    pub fn begin(&mut self) -> Option<Step> {
        (self.state == DeadlineState::Idle).then(|| {
            self.state = DeadlineState::Waiting;
            Step::Deadline(Some(self.timeout))
        })
    }

    /// Cancels the wait, because the agent works again.
    pub fn cancel(&mut self) -> Option<Step> {
        (self.state == DeadlineState::Waiting).then(|| {
            self.state = DeadlineState::Idle;
            Step::Deadline(None)
        })
    }

    /// The steps to take when the deadline passes, for [`AgentSession::overdue`](crate::AgentSession::overdue).
    pub fn overdue(&mut self) -> Vec<Step> {
        if self.state != DeadlineState::Waiting {
            return vec![];
        }
        self.state = DeadlineState::Passed;
        let message = format!("{} ended its turn but did not exit, so it is being stopped", self.agent);
        vec![Step::Event(AgentEvent::Warning { message }), Step::Finished]
    }

    /// Whether the agent was stopped because it did not exit.
    pub fn has_passed(&self) -> bool {
        self.state == DeadlineState::Passed
    }

    /// `exit`, or success if the agent was stopped, because its exit then means nothing.
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
        assert_eq!(deadline.begin(), None, "the wait has already begun");
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
