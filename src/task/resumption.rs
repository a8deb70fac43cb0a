//! How the session of an ended task can be continued.

/// The ways to continue a task's session, as far as they exist here.
///
/// Not part of a record's file, because it depends on the configuration of the process that shows the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resumption {
    /// Whether the tool `codex_resume` is on and can resume the session.
    pub by_tool: bool,
    /// A shell command that continues the session in a terminal.
    pub command: Option<String>,
}
