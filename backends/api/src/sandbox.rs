//! Limits on an agent's access.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Limits on an agent's access. The strictest is the smallest, so `<=` compares with a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// The agent may read files, but not change any.
    ReadOnly,
    /// The agent may change files in the working directory.
    WorkspaceWrite,
    /// No sandbox at all.
    DangerFullAccess,
}

impl Sandbox {
    /// All sandboxes, strictest first.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::WorkspaceWrite, Self::DangerFullAccess];

    /// The value of the tool parameter `sandbox`.
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

/// A word that is not the name of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown sandbox `{0}`: expected `read-only`, `workspace-write` or `danger-full-access`")]
pub struct UnknownSandbox(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sandbox_parses_from_its_name() {
        for sandbox in Sandbox::ALL {
            assert_eq!(sandbox.as_str().parse(), Ok(sandbox));
            assert_eq!(serde_json::json!(sandbox), sandbox.as_str());
        }
        assert!("full-auto".parse::<Sandbox>().is_err());
    }

    #[test]
    fn a_stricter_sandbox_is_smaller() {
        assert!(Sandbox::ReadOnly < Sandbox::WorkspaceWrite && Sandbox::WorkspaceWrite < Sandbox::DangerFullAccess);
    }
}
