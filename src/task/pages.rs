//! Parts of a task's timeline and log, for people who page through them.

use super::{TimelineEntry, Untrusted};

/// Consecutive entries of a timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActivityPage {
    /// The entries, oldest first.
    pub entries: Vec<TimelineEntry>,
    /// Whether there are entries before them.
    pub has_earlier: bool,
}

/// Consecutive lines of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The lines, oldest first.
    pub lines: Vec<PageLine>,
    /// Offset of the first line, in bytes. The page before ends here. 0 if there is none.
    pub start: u64,
    /// Offset of the end of the last line, in bytes.
    pub end: u64,
    /// Size of the whole log, in bytes.
    pub size: u64,
}

/// A line of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageLine {
    /// The line, or its beginning if it is very long. Without a line ending.
    pub text: Untrusted,
    /// The number of bytes that were omitted at its end.
    pub omitted: u64,
}
