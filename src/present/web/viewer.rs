//! The person who sees a page, and the elements that change while it is open.

use crate::task::Message;

/// The person who sees a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Viewer {
    /// The token that every form of this session contains; empty without a session, and then there are no forms.
    pub(crate) csrf: String,
    /// Whether this server allows actions.
    pub(crate) can_act: bool,
    /// The entry of the navigation to which the page belongs.
    pub(crate) nav: NavItem,
    /// Sentences about the last action, which are shown once.
    pub(crate) notices: Vec<Message>,
}

/// An entry of the navigation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum NavItem {
    /// The page belongs to none.
    #[default]
    None,
    /// Tasks, and the pages of each task.
    Tasks,
    /// Usage.
    Usage,
    /// Check.
    Check,
}

/// An element whose content changes while a page is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ElementId {
    /// Says whether the page is connected. Only the script writes to it.
    Connection,
    /// The numbers of tasks by state.
    Counts,
    /// The list of tasks.
    Tasks,
    /// Tasks that ran at the same time.
    Axis,
    /// The head of a task.
    Head,
    /// The timeline bar of a task.
    Bar,
    /// The current step of a task.
    Step,
    /// The list of what an agent did. New entries are added at its end.
    Activity,
}

impl ElementId {
    /// The attribute `id`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Counts => "counts",
            Self::Tasks => "tasks",
            Self::Axis => "axis",
            Self::Head => "head",
            Self::Bar => "bar",
            Self::Step => "step",
            Self::Activity => "activity",
        }
    }
}
