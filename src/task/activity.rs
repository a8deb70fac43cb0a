//! The kinds of activity that a live view and a record name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of an agent's last activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActivityKind {
    /// It was started, and wrote nothing yet.
    Started,
    /// It wrote to stdout.
    Stdout,
    /// It wrote to stderr.
    Stderr,
}

impl fmt::Display for ActivityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "started",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}
