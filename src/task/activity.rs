//! The kinds of activity that records and live views report.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of an agent's last activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActivityKind {
    /// It has started, and has not written anything yet.
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
