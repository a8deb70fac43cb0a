//! The two streams that an agent writes to.

/// The stream that a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputStream {
    Stdout,
    Stderr,
}

impl OutputStream {
    /// The label of the stream's raw lines in the log.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Stdout => "STDOUT: ",
            Self::Stderr => "STDERR: ",
        }
    }
}
