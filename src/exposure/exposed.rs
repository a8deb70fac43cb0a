//! The refusal of a task because its agent could change a file that is trusted later.

use std::{fmt, path::PathBuf};

use crate::task::TrustedKind;

/// A file or directory that later tasks or servers trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProtectedKind {
    Data,
    Log,
    /// A symbolic link in the data directory.
    Link,
    Trusted(TrustedKind),
    /// The directory with an agent's settings, named by this variable.
    Home(&'static str),
}

/// How the agent can reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// The protected directory contains this working directory.
    Around(PathBuf),
    /// The protected path is in `root`, or leads `through` a path in it.
    Within { area: Area, root: PathBuf, through: Option<PathBuf> },
    /// The protected path is relative, and agents resolve it in their working directory.
    Relative,
}

/// A directory that the sandbox leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    Working,
    Temporary,
    Repository,
}

/// A file or directory that later tasks or servers trust is open to the agent. `Display` names it and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} the {kind}, {}, {reach}", kind.danger(reach), path.display())]
pub struct Exposed {
    pub(super) kind: ProtectedKind,
    pub(super) path: PathBuf,
    pub(super) reach: Reach,
}

impl Exposed {
    /// The next step for the user.
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
            Reach::Around(_) => format!("choose a working directory outside the {kind}"),
            Reach::Within { area: Area::Working | Area::Repository, root, .. } => format!(
                "choose a working directory without the {kind}, such as a single project, or {set} outside {}",
                root.display()
            ),
            Reach::Within { area: Area::Temporary, root, .. } => format!("{set} outside {}", root.display()),
        };
        match self.reach {
            Reach::Relative => fix,
            Reach::Around(_) | Reach::Within { .. } => format!("{fix}, or use sandbox `read-only`"),
        }
    }
}

impl ProtectedKind {
    /// The danger, as the beginning of a message about it.
    fn danger(self, reach: &Reach) -> &'static str {
        match (self, reach) {
            (_, Reach::Relative) => "the agent would read its own settings from the project:",
            (Self::Data | Self::Log | Self::Link | Self::Trusted(TrustedKind::Config), _) => {
                "sandbox `workspace-write` would let the agent change the files of codex-connector:"
            }
            (Self::Trusted(TrustedKind::Program), _) => {
                "sandbox `workspace-write` would let the agent change a program that runs outside of the sandbox:"
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
            Self::Home(variable) => write!(f, "directory in `{variable}`"),
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
