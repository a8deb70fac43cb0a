//! The command line of one run.

use crate::{Sandbox, advice};

/// Everything the supervisor needs to start an agent's program, except the program itself and its environment, which are
/// the [backend's](crate::AgentBackend), and the working directory, which is the request's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The arguments, without the program. Never the prompt, unless it is the only argument after `--`.
    pub args: Vec<String>,
    /// How the prompt gets to the agent.
    pub prompt: PromptDelivery,
    /// The signal at which the agent stops its own work in order.
    pub stop_signal: StopSignal,
}

/// How the prompt gets to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptDelivery {
    /// Written to stdin, which is then closed.
    Stdin,
    /// It stands in the arguments; stdin is empty and closed.
    Argument,
    /// The session sends it with [`Step::Send`](crate::Step::Send); stdin stays open until
    /// [`Step::CloseStdin`](crate::Step::CloseStdin).
    Session,
}

/// The signal at which an agent stops its own work in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Why this request cannot be given to this agent. Nothing is ever weakened so that it could.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// The sandbox cannot be enforced.
    #[error("sandbox `{sandbox}` cannot be enforced by {found}: {why}")]
    Sandbox {
        /// What was asked for.
        sandbox: Sandbox,
        /// The program and version found.
        found: String,
        /// What is missing.
        why: String,
    },
    /// An earlier session cannot be gone on with.
    #[error("session `{session}` cannot be resumed by {agent}: {why}")]
    Resume {
        /// The session asked for.
        session: String,
        /// The agent, in words for people.
        agent: String,
        /// What is in the way.
        why: String,
    },
    /// The installed version lacks a flag without which the agent cannot be driven.
    #[error("{found} lacks `{flag}`, which is needed {purpose}")]
    MissingFlag {
        /// The program and version found.
        found: String,
        /// The flag.
        flag: String,
        /// What the flag is needed for, as in "to read the prompt from stdin".
        purpose: String,
    },
    /// The prompt is longer than the agent takes.
    #[error("`task` has {length} characters, and {agent} takes at most {limit}")]
    PromptTooLong {
        /// The agent, in words for people.
        agent: String,
        /// The prompt's length in characters.
        length: usize,
        /// The most that the agent takes.
        limit: usize,
    },
    /// The prompt or another value holds something that the agent cannot be given.
    #[error("`{parameter}` cannot be given to the agent: {why}")]
    Value {
        /// The parameter of the call.
        parameter: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl Unsupported {
    /// `session` cannot be resumed by `agent`, in words for people.
    pub fn resume(session: &str, agent: &str, why: impl Into<String>) -> Self {
        Self::Resume { session: session.to_owned(), agent: agent.to_owned(), why: why.into() }
    }

    /// The agent cannot be given this `parameter` of the call.
    pub fn value(parameter: &'static str, why: impl Into<String>) -> Self {
        Self::Value { parameter, why: why.into() }
    }

    /// Advice for the caller. Installing the agent again rarely helps.
    pub fn next(&self) -> String {
        match self {
            Self::Sandbox { .. } => {
                "choose another `sandbox`, or install a version that can enforce this one".to_owned()
            }
            Self::Resume { .. } => advice::START_NEW_TASK.to_owned(),
            Self::MissingFlag { .. } => "install a newer version of the agent".to_owned(),
            Self::PromptTooLong { .. } => {
                "put the long part into a file in the working directory and name the file in `task`".to_owned()
            }
            Self::Value { parameter, .. } => format!("change `{parameter}`"),
        }
    }
}
