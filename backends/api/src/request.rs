//! What a user asks of an agent.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

/// One piece of work for an agent, already validated: every backend gets the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentRequest {
    /// The task in the user's words, byte for byte.
    pub prompt: String,
    /// Where the agent works: an absolute path to a directory.
    pub working_directory: PathBuf,
    /// What the agent may touch.
    pub sandbox: Sandbox,
    /// The model asked for in this call; without one the backend's own configuration decides.
    pub model: Option<String>,
    /// The agent's own id of an earlier session that it goes on with; without one it begins a new one. Sandbox and model
    /// are set anew all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
}

/// What an agent may touch, weakest first, so that `<=` compares with a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// Read files; change nothing.
    ReadOnly,
    /// Change files in the working directory.
    WorkspaceWrite,
    /// No sandbox at all.
    DangerFullAccess,
}

impl Sandbox {
    /// Every sandbox, weakest first.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::WorkspaceWrite, Self::DangerFullAccess];

    /// The documented word, as in the tool's parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::WorkspaceWrite => "workspace-write",
            Self::DangerFullAccess => "danger-full-access",
        }
    }
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Sandbox {
    type Err = UnknownSandbox;

    fn from_str(word: &str) -> Result<Self, UnknownSandbox> {
        Self::ALL.into_iter().find(|sandbox| sandbox.as_str() == word).ok_or_else(|| UnknownSandbox(word.to_owned()))
    }
}

/// A word that names no sandbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown sandbox `{0}`: it takes `read-only`, `workspace-write` or `danger-full-access`")]
pub struct UnknownSandbox(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sandbox_reads_back_from_its_word() {
        for sandbox in Sandbox::ALL {
            assert_eq!(sandbox.as_str().parse(), Ok(sandbox));
            assert_eq!(serde_json::json!(sandbox), sandbox.as_str());
        }
        assert!("full-auto".parse::<Sandbox>().is_err());
    }

    #[test]
    fn a_sandbox_compares_by_what_it_allows() {
        assert!(Sandbox::ReadOnly < Sandbox::WorkspaceWrite && Sandbox::WorkspaceWrite < Sandbox::DangerFullAccess);
    }
}
