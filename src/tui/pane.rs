//! The selected task, with the content of one tab.

use super::{
    document::Document,
    query::{PaneQuery, Tab},
};
use crate::{
    present::terminal::{Line, NextSteps},
    task::{TaskId, TaskSummary, TaskView},
};

/// Maximum number of lines of an activity or a log. Earlier ones are removed while new ones arrive.
pub(super) const MAX_LINES: usize = 20_000;

/// The content of the open tab.
#[derive(Debug, Default)]
pub(super) struct Pane {
    of: Option<(TaskId, Tab)>,
    /// How far back a long text was read.
    pub(super) depth: u32,
    pub(super) document: Document,
    /// Everything about the task, from which the tab with the details is made, because that depends on the width.
    pub(super) details: Option<Box<Details>>,
    /// Whether the content has arrived.
    pub(super) is_read: bool,
    /// Whether there may be something before it.
    pub(super) has_earlier: bool,
}

/// Everything about a task.
#[derive(Debug, Clone)]
pub(super) struct Details {
    pub(super) summary: TaskSummary,
    pub(super) view: TaskView,
    pub(super) next: NextSteps,
}

/// Content that was read for a tab.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// All of it, or the end of a long text, and whether there may be something before it.
    Whole {
        lines: Vec<Line>,
        has_earlier: bool,
    },
    /// Lines that were added since.
    More(Vec<Line>),
    Details(Box<Details>),
}

impl Pane {
    /// Prepares for the content of a tab. Earlier content is forgotten, unless it is of the same tab.
    pub(super) fn open(&mut self, wanted: Option<(TaskId, Tab)>) {
        if self.of != wanted {
            *self = Self { of: wanted, ..Self::default() };
        }
    }

    /// Shows what was read.
    pub(super) fn receive(&mut self, query: &PaneQuery, content: Content) {
        if self.of.as_ref() != Some(&(query.id.clone(), query.tab)) {
            return;
        }
        let was_read = std::mem::replace(&mut self.is_read, true);
        match content {
            Content::Whole { lines, has_earlier } => {
                self.has_earlier = has_earlier;
                let is_stream = matches!(query.tab, Tab::Activity | Tab::Log);
                match (was_read, is_stream) {
                    (true, true) => self.document.replace_with_earlier(lines),
                    (true, false) => self.document.replace(lines),
                    (false, true) => self.document = Document::at_end(lines),
                    (false, false) => self.document = Document::new(lines),
                }
            }
            Content::More(lines) => self.document.extend(lines, MAX_LINES),
            Content::Details(details) => self.details = Some(details),
        }
    }
}
