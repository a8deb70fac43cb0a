//! Limits on what an agent may touch.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Limits on an agent's access, strictest first, so that `<=` compares with a ceiling.
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
    fn every_sandbox_parses_from_its_name() {
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
