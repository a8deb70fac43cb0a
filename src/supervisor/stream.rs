//! The two streams that an agent writes to.

/// Where a line of the agent came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputStream {
    Stdout,
    Stderr,
}

impl OutputStream {
    /// How a raw line of the stream begins in the log.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Stdout => "STDOUT: ",
            Self::Stderr => "STDERR: ",
        }
    }
}
