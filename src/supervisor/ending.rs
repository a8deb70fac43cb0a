//! Determines a task's end from the agent's verdict and the reason why we stopped it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use connector_api::{AgentFailure, Cause, Exit, Outcome, Verdict, Warning};

use crate::{
    task::{
        Changes, EndStatus, FailureReason, StopCause, SubmittedBy, Submitter, TaskEnd, TaskRecord, Untrusted,
        cut_middle, signal_name, span,
    },
    workspace::NamedFiles,
};

/// Maximum length of an answer or an error message in the record, in characters.
const MAX_TEXT_CHARS: usize = 40_000;

/// Maximum number of warnings in a record.
const MAX_WARNINGS: usize = 10;

/// Maximum length of a warning's message and of its advice, in characters.
const MAX_WARNING_CHARS: usize = 1_000;

/// Everything that determines how a task ended.
#[derive(Debug)]
pub(super) struct RunEnd {
    /// How the agent's process ended; `None` if no process was started, or if even SIGKILL did not end it.
    pub(super) exit: Option<Exit>,
    /// The session's verdict.
    pub(super) verdict: Verdict,
    /// Warnings from the session and from the supervisor.
    pub(super) warnings: Vec<Warning>,
    /// Whether the agent reported that it completed its turn.
    pub(super) has_completed: bool,
    /// Why we stopped it, and how long it had run by then; `None` if it ended by itself.
    pub(super) stopped: Option<(StopCause, Duration)>,
    /// How the working directory violated `ceiling.roots`, if it did. Such a task has failed, whatever the agent
    /// reports.
    pub(super) violation: Option<Warning>,
    /// Why the agent was never started; `None` if it was.
    pub(super) not_started: Option<NotStarted>,
    /// The files that the agent's events name, as the agent writes them.
    pub(super) named_files: NamedFiles,
    /// The task's changes, if they are known.
    pub(super) changes: Option<Changes>,
}

/// Why an agent was never started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotStarted {
    /// Its program cannot be used.
    Unusable {
        /// The errno name, such as `ENOENT`, or the closest one.
        errno: String,
    },
    /// It cannot do exactly what the task asks: enforce the sandbox, resume the session, or take the prompt.
    Refused,
    /// The task asks for more than the ceiling allows.
    Forbidden,
    /// The working directory no longer exists or can no longer be entered. No other agent could work there either.
    NoDirectory {
        /// The errno name.
        errno: String,
    },
}

impl NotStarted {
    /// The errno name for the documented failure reason.
    fn errno(&self) -> &str {
        match self {
            Self::Unusable { errno } | Self::NoDirectory { errno } => errno,
            Self::Refused => "ENOTSUP",
            Self::Forbidden => "EACCES",
        }
    }
}

/// Why a backend did not do the task, if another backend may do it instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It cannot work at all now.
    Unable(String),
    /// It can work, but cannot do what this task asks.
    Unsuitable(String),
}

impl RunEnd {
    /// The end of a task whose agent's program cannot be used.
    pub(super) fn unusable(errno: &str, said: String, advice: Option<String>) -> Self {
        Self::not_started(NotStarted::Unusable { errno: errno.to_owned() }, said, advice)
    }

    /// The end of a task whose agent was never started.
    pub(super) fn not_started(why: NotStarted, said: String, advice: Option<String>) -> Self {
        Self { not_started: Some(why), ..Self::failed(None, said, advice) }
    }

    /// The end of a task that was stopped after `elapsed`, before the agent started.
    pub(super) fn stop_requested(cause: StopCause, elapsed: Duration) -> Self {
        let end = Self::failed(None, "the task was stopped before the agent started".to_owned(), None);
        Self { stopped: Some((cause, elapsed)), ..end }
    }

    /// The end of a task whose agent ended before it received any work.
    pub(super) fn failed(exit: Option<Exit>, said: String, advice: Option<String>) -> Self {
        let outcome = Outcome::Failed(AgentFailure { message: said, advice, cause: None });
        let verdict = Verdict { outcome, answer: None, session_id: None, usage: None };
        Self {
            exit,
            verdict,
            warnings: vec![],
            has_completed: false,
            stopped: None,
            violation: None,
            not_started: None,
            named_files: NamedFiles::new(),
            changes: None,
        }
    }

    /// Why this backend did not do the task; `None` if no other backend may do it instead.
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        let (Outcome::Failed(failure) | Outcome::CommandLineRefused(failure)) = &self.verdict.outcome else {
            return None;
        };
        if self.violation.is_some() || self.stopped.is_some_and(|(cause, _)| cause != StopCause::Finished) {
            return None;
        }
        match &self.not_started {
            Some(NotStarted::NoDirectory { .. }) => None,
            Some(NotStarted::Refused | NotStarted::Forbidden) => Some(Obstacle::Unsuitable(failure.message.clone())),
            Some(NotStarted::Unusable { .. }) => Some(Obstacle::Unable(failure.message.clone())),
            None if self.has_completed => None,
            None => match failure.cause? {
                Cause::NotLoggedIn | Cause::OutOfQuota | Cause::Capacity => {
                    Some(Obstacle::Unable(failure.message.clone()))
                }
                Cause::Network => None,
            },
        }
    }

    /// The documented status and reason.
    fn conclusion(&self) -> (EndStatus, Option<FailureReason>) {
        if let Some(why) = &self.not_started {
            return (EndStatus::Failed, Some(FailureReason::SpawnFailed { errno: why.errno().to_owned() }));
        }
        match self.stopped {
            Some((StopCause::Cancelled, _)) => (EndStatus::Failed, Some(FailureReason::Cancelled)),
            Some((StopCause::TimedOut { limit }, elapsed)) => {
                (EndStatus::Failed, Some(FailureReason::Timeout { elapsed, limit }))
            }
            Some((StopCause::Silent { limit } | StopCause::Offline { limit }, _)) => {
                (EndStatus::Failed, Some(FailureReason::Timeout { elapsed: limit, limit }))
            }
            Some((StopCause::ServerGone | StopCause::Terminated, _)) => {
                (EndStatus::Interrupted, Some(FailureReason::ServerRestarted))
            }
            // The warning about the violation explains the rest.
            Some((StopCause::Displaced, _)) => (EndStatus::Failed, Some(self.exit_reason())),
            Some((StopCause::Finished, _)) | None if self.violation.is_some() => {
                (EndStatus::Failed, Some(self.exit_reason()))
            }
            Some((StopCause::Finished, _)) => match &self.verdict.outcome {
                Outcome::Completed => (EndStatus::Completed, None),
                // The agent failed before we stopped it, so its failure is the reason.
                Outcome::Failed(_) | Outcome::CommandLineRefused(_) => {
                    (EndStatus::Failed, Some(FailureReason::AgentFailed))
                }
            },
            None => match (&self.verdict.outcome, self.exit) {
                (Outcome::Completed, Some(Exit::Code(_)) | None) => (EndStatus::Completed, None),
                // If a signal killed the agent, the processes it left behind may have written the rest of the output.
                // Such a verdict does not count.
                (Outcome::Completed, Some(Exit::Signal(_)))
                | (Outcome::Failed(_) | Outcome::CommandLineRefused(_), Some(_) | None) => {
                    (EndStatus::Failed, Some(self.exit_reason()))
                }
            },
        }
    }

    /// The failure reason that names the agent's exit.
    fn exit_reason(&self) -> FailureReason {
        match self.exit {
            Some(Exit::Signal(signal)) => FailureReason::KilledBy { signal },
            Some(Exit::Code(code)) => FailureReason::ExitedWith { code },
            None => FailureReason::KilledBy { signal: 9 },
        }
    }

    /// Whether the agent completed its turn, but then exited with a non-zero code or was killed by a signal.
    fn failed_after_its_turn(&self) -> bool {
        let failed = self.conclusion().0 != EndStatus::Completed;
        let exited = self.exit.is_some_and(|exit| exit != Exit::Code(0));
        self.has_completed && failed && exited && self.stopped.is_none() && self.not_started.is_none()
    }

    /// Writes the end to the record of a task that ran for `elapsed`. `trouble` is the problem from which the agent
    /// last tried to recover.
    pub(super) fn write_into(
        self,
        record: &mut TaskRecord,
        trouble: Option<String>,
        now: DateTime<Utc>,
        elapsed: Duration,
    ) {
        let (status, reason) = self.conclusion();
        let mut end = TaskEnd::new(status, reason, now, elapsed);
        end.turn_completed = self.failed_after_its_turn();
        end.exit_code = self.exit.and_then(|exit| match exit {
            Exit::Code(code) => Some(code),
            Exit::Signal(_) => None,
        });
        end.exit_signal = self.exit.and_then(|exit| match exit {
            Exit::Code(_) => None,
            Exit::Signal(signal) => Some(signal_name(signal)),
        });
        let mut unexplained = None;
        match self.verdict.outcome {
            Outcome::Completed => {}
            Outcome::Failed(failure) | Outcome::CommandLineRefused(failure) => {
                // If we stopped the agent, its error message is only about the stop. Its last problem explains more.
                match self.stopped {
                    // The message is about the exit, not about the work.
                    None if end.turn_completed => {}
                    None | Some((StopCause::Finished, _)) if failure.is_unexplained() => {
                        unexplained = Some(Warning { message: failure.message, advice: None });
                        end.advice = failure.advice.map(Untrusted::from);
                    }
                    None | Some((StopCause::Finished, _)) => {
                        end.agent_said = Some(cut_middle(&failure.message, MAX_TEXT_CHARS).into());
                        end.advice = failure.advice.map(Untrusted::from);
                    }
                    Some((StopCause::TimedOut { .. } | StopCause::Silent { .. } | StopCause::Offline { .. }, _)) => {
                        let advice = trouble.as_ref().map(|_| AFTER_TROUBLE.to_owned().into());
                        (end.agent_said, end.advice) = (trouble.map(Untrusted::from), advice);
                    }
                    Some((
                        StopCause::Cancelled | StopCause::ServerGone | StopCause::Terminated | StopCause::Displaced,
                        _,
                    )) => {}
                }
            }
        }
        let stopped = self.stopped.and_then(|(cause, _)| explanation(cause, &record.start.submitter));
        let has_answer = self.verdict.answer.as_ref().is_some_and(|answer| !answer.trim().is_empty());
        let no_answer = (!has_answer && (status == EndStatus::Completed || end.turn_completed)).then(no_answer);
        let first = [stopped, self.violation, unexplained, no_answer].into_iter().flatten();
        end.warnings = first.chain(self.warnings).take(MAX_WARNINGS).map(bounded).collect();
        end.result = self.verdict.answer.map(|answer| cut_middle(&answer, MAX_TEXT_CHARS).into());
        // The record of a resumed task already contains the session, so keep that if the agent reported none.
        if let Some(session) = self.verdict.session_id {
            record.progress.session_id = Some(session.into());
        }
        end.usage = self.verdict.usage;
        end.changes = self.changes;
        record.end = Some(end);
    }
}

/// Advice for a task that was stopped while its agent tried to recover from a problem.
const AFTER_TROUBLE: &str =
    "the agent could not recover from this problem in time: solve it, then start the task again";

/// Why a task was interrupted, or given up, in plain words next to the documented reason; `None` if it was stopped for
/// another reason.
fn explanation(cause: StopCause, submitter: &Submitter) -> Option<Warning> {
    let setting = "set `on_server_exit = \"continue\"` under `[tasks]`";
    match cause {
        StopCause::ServerGone => {
            let (who, remedy) = match (submitter.by, &submitter.session) {
                (Some(SubmittedBy::Terminal | SubmittedBy::Detached), _) => (
                    "the command in a terminal that had started it exited".to_owned(),
                    format!("start it with `--detach`, or {setting}"),
                ),
                (Some(SubmittedBy::Call | SubmittedBy::Async | SubmittedBy::Handle) | None, Some(session)) => (
                    format!("the Claude Code session that had started it, {session}, ended or restarted its server"),
                    setting.to_owned(),
                ),
                (Some(SubmittedBy::Call | SubmittedBy::Async | SubmittedBy::Handle) | None, None) => (
                    "the MCP server that had started it exited, as it does when its client exits".to_owned(),
                    setting.to_owned(),
                ),
            };
            let message = format!("the task was stopped because {who}");
            Some(Warning { message, advice: Some(format!("to let later tasks continue in this case, {remedy}")) })
        }
        StopCause::Terminated => Some(Warning {
            message: "the task was stopped because its supervisor received a signal to exit, for example at a shutdown"
                .to_owned(),
            advice: None,
        }),
        StopCause::Offline { limit } => Some(Warning {
            message: format!(
                "the task was stopped because its agent had only been waiting for the network for {}, the limit that \
                 `give_up_offline` sets",
                span(limit)
            ),
            advice: Some("resume its session, or start it again, when the network works".to_owned()),
        }),
        StopCause::Cancelled
        | StopCause::TimedOut { .. }
        | StopCause::Silent { .. }
        | StopCause::Finished
        | StopCause::Displaced => None,
    }
}

fn no_answer() -> Warning {
    Warning {
        message: "the agent ended without a final message".to_owned(),
        advice: Some("see the log for what it did, or resume the session and ask for a summary".to_owned()),
    }
}

fn bounded(warning: Warning) -> Warning {
    let cut = |text: String| cut_middle(&text, MAX_WARNING_CHARS);
    Warning { message: cut(warning.message), advice: warning.advice.map(cut) }
}

#[cfg(test)]
#[path = "ending_tests.rs"]
mod tests;
