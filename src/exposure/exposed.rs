//! A reason to refuse a task, in words: something that is trusted later is open to the agent.

use std::{fmt, path::PathBuf};

use crate::task::TrustedKind;

/// Something that a later task or server trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProtectedKind {
    Data,
    Log,
    /// A symbolic link in the data directory.
    Link,
    Trusted(TrustedKind),
    /// The directory with an agent's settings that this variable names.
    Home(&'static str),
}

/// How the agent can reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// It contains the working directory.
    Around(PathBuf),
    /// The path of ours is in `root`, or passes `through` a place in it.
    Within { area: Area, root: PathBuf, through: Option<PathBuf> },
    /// It is a relative path, which an agent resolves in its working directory.
    Relative,
}

/// Directories that the sandbox leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    Working,
    Temporary,
    Repository,
}

/// Something that a later task or server trusts is open to the agent. `Display` says what, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} the {kind}, {}, {reach}", kind.danger(reach), path.display())]
pub struct Exposed {
    pub(super) kind: ProtectedKind,
    pub(super) path: PathBuf,
    pub(super) reach: Reach,
}

impl Exposed {
    /// How to fix it.
    pub fn next(&self) -> String {
        let kind = self.kind;
        let set = match kind {
            ProtectedKind::Data => "set `data_dir` in config.toml (or --data-dir) to a directory",
            ProtectedKind::Log => "set `log_dir` in config.toml (or --set log_dir=DIR) to a directory",
            ProtectedKind::Link => "replace it with a directory, or with a link to one",
            ProtectedKind::Trusted(TrustedKind::Config) => {
                "move the file (--config, or CODEX_CONNECTOR_CONFIG) to a directory"
            }
            ProtectedKind::Trusted(TrustedKind::Program) => "install the program in a directory",
            ProtectedKind::Home(_) => "set the variable to a directory",
        };
        let fix = match &self.reach {
            Reach::Relative => {
                "set the variable to an absolute path, for the server or in `[agent_env] set` of config.toml".into()
            }
            Reach::Around(_) => format!("work in a directory outside of the {kind}"),
            Reach::Within { area: Area::Working | Area::Repository, root, .. } => format!(
                "work in a directory that does not contain the {kind}, such as a single project, or {set} outside of {}",
                root.display()
            ),
            Reach::Within { area: Area::Temporary, root, .. } => format!("{set} outside of {}", root.display()),
        };
        match self.reach {
            Reach::Relative => fix,
            Reach::Around(_) | Reach::Within { .. } => format!("{fix}, or ask for `read-only`"),
        }
    }
}

impl ProtectedKind {
    /// The beginning of a sentence about it.
    fn danger(self, reach: &Reach) -> &'static str {
        match (self, reach) {
            (_, Reach::Relative) => "the agent would take its own settings from the project:",
            (Self::Data | Self::Log | Self::Link | Self::Trusted(TrustedKind::Config), _) => {
                "sandbox `workspace-write` would let the agent change the files of codex-connector:"
            }
            (Self::Trusted(TrustedKind::Program), _) => {
                "sandbox `workspace-write` would let the agent change what runs outside of the sandbox:"
            }
            (Self::Home(_), _) => "sandbox `workspace-write` would let the agent change its own settings:",
        }
    }
}

impl fmt::Display for ProtectedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data => f.write_str("data directory"),
            Self::Log => f.write_str("log directory"),
            Self::Link => f.write_str("link in the data directory"),
            Self::Trusted(TrustedKind::Config) => f.write_str("configuration file"),
            Self::Trusted(TrustedKind::Program) => f.write_str("program"),
            Self::Home(variable) => write!(f, "directory of `{variable}`"),
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relative => f.write_str("is a relative path"),
            Self::Around(working) => write!(f, "contains the working directory, {}", working.display()),
            Self::Within { area, root, through } => {
                match through {
                    Some(place) => write!(f, "is reached through {}, in ", place.display())?,
                    None => f.write_str("is in ")?,
                }
                match area {
                    Area::Working => write!(f, "the working directory, {}", root.display()),
                    Area::Temporary => write!(f, "{}, which this sandbox leaves open", root.display()),
                    Area::Repository => write!(f, "the working directory's repository, {}", root.display()),
                }
            }
        }
    }
}
