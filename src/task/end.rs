//! How a task ends, in the documented wording.

use std::{fmt, time::Duration};

use super::span;

/// Why a task did not complete. `Display` gives the documented string, character for character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureReason {
    /// A signal that we did not send ended the agent.
    KilledBy {
        /// The signal's number.
        signal: i32,
    },
    /// The task reached its time limit, or the limit on silence.
    Timeout {
        /// How long the task ran, or was silent.
        elapsed: Duration,
        /// The limit that applied.
        limit: Duration,
    },
    /// The agent exited by itself with a non-zero exit code.
    ExitedWith {
        /// Its exit code.
        code: i32,
    },
    /// The agent reported that it failed, but did not exit.
    AgentFailed,
    /// The agent could not be started.
    SpawnFailed {
        /// The operating system's name for the error, such as `ENOENT`.
        errno: String,
    },
    /// The task was cancelled.
    Cancelled,
    /// The task lost its server, its supervisor or its machine.
    ServerRestarted,
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KilledBy { signal } => write!(f, "Killed by {}", signal_name(*signal)),
            Self::Timeout { elapsed, limit } => {
                write!(f, "Timeout after {} (limit: {})", span(*elapsed), span(*limit))
            }
            Self::ExitedWith { code } => write!(f, "Exited with code {code}"),
            Self::AgentFailed => f.write_str("Agent reported a failure"),
            Self::SpawnFailed { errno } => write!(f, "Process error: {errno} (spawn failed)"),
            Self::Cancelled => f.write_str("Cancelled by user"),
            Self::ServerRestarted => f.write_str("Server restarted while task was running"),
        }
    }
}

/// Why a running agent is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// The task was cancelled.
    Cancelled,
    /// The task reached its time limit.
    TimedOut {
        /// The time limit.
        limit: Duration,
    },
    /// The agent wrote nothing for too long.
    Silent {
        /// How long it may stay silent.
        limit: Duration,
    },
    /// The agent only waited for the network for too long.
    Offline {
        /// How long it may wait.
        limit: Duration,
    },
    /// The server has exited.
    ServerGone,
    /// The supervisor itself received a signal to exit.
    Terminated,
    /// The session reported that the work is done, but the program keeps running.
    Finished,
    /// The agent's working directory, or its path, now leads outside `ceiling.roots`.
    Displaced,
}

/// The name of a signal as in `SIGTERM`, or `signal 99` for one without a name.
pub(crate) fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        #[cfg(target_os = "linux")]
        7 => "SIGBUS",
        #[cfg(target_os = "linux")]
        10 => "SIGUSR1",
        #[cfg(target_os = "linux")]
        12 => "SIGUSR2",
        #[cfg(target_os = "linux")]
        24 => "SIGXCPU",
        #[cfg(target_os = "linux")]
        25 => "SIGXFSZ",
        #[cfg(target_os = "linux")]
        31 => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_reasons_match_the_documentation_exactly() {
        let five = Duration::from_secs(300);
        for (reason, written) in [
            (FailureReason::KilledBy { signal: 15 }, "Killed by SIGTERM"),
            (FailureReason::KilledBy { signal: 9 }, "Killed by SIGKILL"),
            (FailureReason::Timeout { elapsed: five, limit: five }, "Timeout after 5m 0s (limit: 5m 0s)"),
            (FailureReason::ExitedWith { code: 1 }, "Exited with code 1"),
            (FailureReason::SpawnFailed { errno: "ENOENT".into() }, "Process error: ENOENT (spawn failed)"),
            (FailureReason::AgentFailed, "Agent reported a failure"),
            (FailureReason::Cancelled, "Cancelled by user"),
            (FailureReason::ServerRestarted, "Server restarted while task was running"),
        ] {
            assert_eq!(reason.to_string(), written);
        }
    }
}
