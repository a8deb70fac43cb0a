//! The command line of one run.

use crate::{Sandbox, advice};

/// The arguments of an agent's program, and how to use it. The program and its environment come from the
/// [backend](crate::AgentBackend), the working directory from the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The arguments, without the program. They may contain the prompt only as the last argument, after `--`.
    pub args: Vec<String>,
    /// How the prompt reaches the agent.
    pub prompt: PromptDelivery,
    /// The signal that asks the agent to stop.
    pub stop_signal: StopSignal,
}

/// How the prompt reaches the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptDelivery {
    /// Written to stdin, which is then closed.
    Stdin,
    /// It is the last argument; stdin is empty and closed.
    Argument,
    /// The session sends it with [`Step::Send`](crate::Step::Send); stdin stays open until
    /// [`Step::CloseStdin`](crate::Step::CloseStdin).
    Session,
}

/// The signal that asks an agent to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT, like Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// The reason why an agent cannot do exactly what a request asks for. The request is then refused, never weakened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// The sandbox cannot be enforced.
    #[error("sandbox `{sandbox}` cannot be enforced by {found}: {why}")]
    Sandbox {
        /// The sandbox requested.
        sandbox: Sandbox,
        /// The program and version found.
        found: String,
        /// The reason.
        why: String,
    },
    /// The backend's configuration lacks a setting that this value of a parameter needs.
    #[error("{problem}: this backend has no `{setting}` in its settings")]
    NotConfigured {
        /// The parameter of the call.
        parameter: &'static str,
        /// The agent cannot do this, in a few words.
        problem: String,
        /// The setting: a key in the backend's section of config.toml.
        setting: String,
    },
    /// An earlier session cannot be resumed.
    #[error("session `{session}` cannot be resumed by {agent}: {why}")]
    Resume {
        /// The session requested.
        session: String,
        /// The agent's name in messages.
        agent: String,
        /// The obstacle.
        why: String,
    },
    /// The installed version lacks a flag that the backend needs.
    #[error("{found} lacks `{flag}`, which is needed {purpose}")]
    MissingFlag {
        /// The program and version found.
        found: String,
        /// The flag.
        flag: String,
        /// The purpose of the flag, such as "to read the prompt from stdin".
        purpose: String,
    },
    /// The prompt is longer than the agent accepts.
    #[error("`task` has {length} characters, but {agent} accepts at most {limit}")]
    PromptTooLong {
        /// The agent's name in messages.
        agent: String,
        /// The prompt's length in characters.
        length: usize,
        /// The maximum length that the agent accepts, in characters.
        limit: usize,
    },
    /// The agent cannot receive this prompt or this value of another parameter.
    #[error("`{parameter}` cannot be passed to the agent: {why}")]
    Value {
        /// The parameter of the call.
        parameter: &'static str,
        /// The problem with the value.
        why: String,
    },
}

impl Unsupported {
    /// `session` cannot be resumed by `agent`, the agent's name in messages.
    pub fn resume(session: &str, agent: &str, why: impl Into<String>) -> Self {
        Self::Resume { session: session.to_owned(), agent: agent.to_owned(), why: why.into() }
    }

    /// The `setting` that tells `agent`, the agent's name in messages, to enforce this sandbox is missing.
    pub fn sandbox_not_configured(sandbox: Sandbox, agent: &str, setting: impl Into<String>) -> Self {
        let problem = format!("sandbox `{sandbox}` cannot be enforced by {agent}");
        Self::NotConfigured { parameter: "sandbox", problem, setting: setting.into() }
    }

    /// The `setting` that tells `agent`, the agent's name in messages, which model to use is missing.
    pub fn model_not_configured(agent: &str, setting: impl Into<String>) -> Self {
        let problem = format!("`model` cannot be passed to {agent}");
        Self::NotConfigured { parameter: "model", problem, setting: setting.into() }
    }

    /// The agent cannot receive this `parameter` of the call.
    pub fn value(parameter: &'static str, why: impl Into<String>) -> Self {
        Self::Value { parameter, why: why.into() }
    }

    /// Advice for the caller. Reinstalling the agent rarely helps, so most of it is about the call.
    pub fn next(&self) -> String {
        match self {
            Self::Sandbox { .. } => {
                "choose another `sandbox`, or install a version that can enforce this one".to_owned()
            }
            Self::NotConfigured { parameter: "model", setting, .. } => {
                format!("omit `model`, or add `{setting}` to the settings of this backend in config.toml")
            }
            Self::NotConfigured { parameter, setting, .. } => {
                format!(
                    "choose another `{parameter}`, or add `{setting}` to the settings of this backend in config.toml"
                )
            }
            Self::Resume { .. } => advice::START_NEW_TASK.to_owned(),
            Self::MissingFlag { .. } => "install a newer version of the agent".to_owned(),
            Self::PromptTooLong { .. } => {
                "write the long part to a file in the working directory, and name the file in `task`".to_owned()
            }
            Self::Value { parameter, .. } => format!("change `{parameter}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_setting_is_the_next_step() {
        let sandbox = Unsupported::sandbox_not_configured(Sandbox::ReadOnly, "`x`", "sandboxes.read-only");
        let model = Unsupported::model_not_configured("`x`", "model_args");
        assert_eq!(
            sandbox.to_string(),
            "sandbox `read-only` cannot be enforced by `x`: this backend has no `sandboxes.read-only` in its settings"
        );
        assert_eq!(
            sandbox.next(),
            "choose another `sandbox`, or add `sandboxes.read-only` to the settings of this backend in config.toml"
        );
        assert_eq!(model.next(), "omit `model`, or add `model_args` to the settings of this backend in config.toml");
    }
}
