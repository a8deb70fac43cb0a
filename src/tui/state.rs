//! Everything that the screen shows, and what news change in it.

use chrono::{DateTime, Utc};
use connector_api::BackendName;
use ratatui::layout::Size;

use super::{
    dialog::{ActionRequest, Dialog, Phase},
    document::View,
    input::Input,
    layout::{Focus, Layout},
    list::TaskList,
    pane::{Content, Pane},
    query::{ListQuery, PaneQuery, Tab},
};
use crate::{
    present::terminal::{Line, LocalTime, NextSteps, Symbols, show_rows, top},
    task::{StateFilter, Summaries, TaskCounts, TaskId, TaskRecord, TaskState, TaskSummary, TimelineEntry},
};

/// The number of tasks that are read at first, and each time that the end of the list is near.
const LIST_STEP: usize = 200;

/// Maximum number of tasks that are read. The other ones can be found with `ls`.
const MAX_LIST: usize = 2_000;

/// The list is extended if the selection is this near to its end.
const NEAR_END: usize = 50;

/// The properties of the terminal and of the place where the program runs.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// The repository of the current directory, as a person would write it.
    pub(super) here: String,
    pub(super) symbols: Symbols,
    pub(super) has_color: bool,
    pub(super) zone: LocalTime,
    /// The backends whose sessions can be resumed.
    pub(super) resumable: Vec<BackendName>,
}

/// The state of the screen.
#[derive(Debug)]
pub(super) struct State {
    pub(super) surroundings: Surroundings,
    pub(super) size: Size,
    pub(super) is_everywhere: bool,
    pub(super) state_filter: Option<StateFilter>,
    pub(super) words: String,
    pub(super) list: TaskList,
    pub(super) focus: Focus,
    pub(super) tab: Tab,
    pub(super) pane: Pane,
    pub(super) mode: Mode,
    /// A message in place of the hints, until the next key.
    pub(super) message: Option<Line>,
    limit: usize,
    pub(super) refresh: u32,
}

/// The use of the keys.
#[derive(Debug)]
pub(super) enum Mode {
    /// Looking at tasks.
    Browse,
    /// Typing words of the filter.
    Filter(Input),
    /// Typing a command.
    Command(Input),
    /// Typing the text that a command ends with.
    Text {
        /// The words of the command before the text.
        command: Vec<String>,
        /// The text, which is one word of the command whatever it contains.
        input: Input,
    },
    /// Reading or confirming something.
    Dialog(Dialog),
}

/// Something that the keys ask for and that needs I/O.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Quit,
    Suspend,
    /// Draw every character again.
    Redraw,
    /// Run this program with these words.
    Run(Vec<String>),
    /// Find out what an action would do.
    Check(ActionRequest),
    /// Do it.
    Act(ActionRequest),
}

/// Something that was read or done.
#[derive(Debug)]
pub(super) enum News {
    Listed {
        query: ListQuery,
        found: Summaries,
        counts: Option<TaskCounts>,
    },
    /// Something could not be read.
    Problem(Line),
    /// New entries in the timeline of a task.
    Entries(TaskId, Vec<TimelineEntry>),
    /// A task has ended.
    Ended(Box<TaskRecord>),
    Pane {
        query: PaneQuery,
        content: Content,
    },
    /// The files that an action would change, or why it is refused.
    Checked {
        request: ActionRequest,
        found: Result<Vec<Line>, Vec<Line>>,
    },
    /// The result of an action, or why it was refused.
    Done {
        request: ActionRequest,
        lines: Vec<Line>,
    },
}

impl State {
    /// An empty screen. `is_everywhere` says whether to list the tasks of all repositories.
    pub(super) fn new(surroundings: Surroundings, size: Size, is_everywhere: bool) -> Self {
        Self {
            surroundings,
            size,
            is_everywhere,
            state_filter: None,
            words: String::new(),
            list: TaskList::default(),
            focus: Focus::List,
            tab: Tab::Activity,
            pane: Pane::default(),
            mode: Mode::Browse,
            message: None,
            limit: LIST_STEP,
            refresh: 0,
        }
    }

    /// Where the parts of the screen are.
    pub(super) fn layout(&self) -> Layout {
        Layout::of(self.size, self.focus, self.filter_line().is_some())
    }

    /// The line about the filter, if there is one.
    pub(super) fn filter_line(&self) -> Option<Line> {
        let filter = top::FilterLine {
            words: &self.words,
            state: self.state_filter,
            shown: self.list.len(),
            hidden: self.list.hidden(),
            unread: self.list.unread(),
        };
        top::filter_line(filter, self.surroundings.symbols)
    }

    /// The number of rows of the list.
    pub(super) fn list_height(&self) -> usize {
        usize::from(self.layout().list.height)
    }

    /// The part of the screen that shows the open tab.
    pub(super) fn body_view(&self) -> View {
        let body = self.layout().body;
        View { width: body.width.into(), height: body.height.into() }
    }

    /// The part of the screen that shows a dialog, below its title.
    pub(super) fn dialog_view(&self) -> View {
        let dialog = self.layout().dialog;
        View { width: dialog.width.into(), height: usize::from(dialog.height).saturating_sub(2).max(1) }
    }

    /// The list that is needed.
    pub(super) fn wanted_list(&self) -> ListQuery {
        let limit = if self.words.trim().is_empty() { self.limit } else { MAX_LIST };
        ListQuery { is_everywhere: self.is_everywhere, state: self.state_filter, limit, refresh: self.refresh }
    }

    /// The content that is needed; `None` if no tab is visible.
    pub(super) fn wanted_pane(&self) -> Option<PaneQuery> {
        let (id, tab) = self.open_tab()?;
        let has_ended = self.list.selected_task()?.summary.state == TaskState::Ended;
        Some(PaneQuery { id, tab, has_ended, depth: self.pane.depth, refresh: self.refresh })
    }

    /// The tasks whose steps are needed.
    pub(super) fn wanted_live(&self) -> Vec<TaskId> {
        self.list.live(self.list_height())
    }

    fn open_tab(&self) -> Option<(TaskId, Tab)> {
        let task = self.list.selected_task().filter(|_| !self.layout().body.is_empty())?;
        Some((task.summary.record.id.clone(), self.tab))
    }

    /// Makes everything consistent after a key, news or a new size.
    pub(super) fn settle(&mut self, now: DateTime<Utc>) {
        if self.list.len() == 0 && self.list.is_read && !self.layout().is_split() {
            self.focus = Focus::List;
        }
        self.list.keep_visible(self.list_height());
        let is_near_end = self.list.selected_place() + NEAR_END >= self.limit;
        if is_near_end && self.list.read() >= self.limit && self.list.unread() > 0 {
            self.limit = (self.limit + LIST_STEP).min(MAX_LIST);
        }
        self.pane.open(self.open_tab());
        if let Some(details) = &self.pane.details {
            let Surroundings { symbols, zone, .. } = self.surroundings;
            let width = self.body_view().width;
            let rows = show_rows(&details.summary, &details.view, &details.next, (width, symbols), zone, now);
            self.pane.document.replace(rows);
        }
    }

    /// The commands that can follow a task.
    pub(super) fn next_steps(&self, task: &TaskSummary) -> NextSteps {
        let backend = task.record.progress.backend.as_ref();
        NextSteps {
            can_resume: backend.is_some_and(|backend| self.surroundings.resumable.contains(backend)),
            agent_command: task.record.resumption.command.clone(),
        }
    }

    /// Shows news.
    pub(super) fn receive(&mut self, news: News) {
        match news {
            News::Listed { query, found, counts } => {
                let wanted = self.wanted_list();
                // A shorter list than the wanted one is better than none.
                if (ListQuery { limit: wanted.limit, refresh: wanted.refresh, ..query }) == wanted {
                    self.list.replace(found, counts);
                }
            }
            News::Problem(line) => self.message = Some(line),
            News::Entries(id, entries) => {
                if let Some(task) = self.list.task_mut(&id) {
                    entries.iter().for_each(|entry| task.apply(entry));
                }
            }
            News::Ended(record) => {
                if let Some(task) = self.list.task_mut(&record.id) {
                    task.end(*record);
                }
            }
            News::Pane { query, content } => self.pane.receive(&query, content),
            News::Checked { request, found } => {
                if let Some(dialog) = self.dialog_of(&request, Phase::Checking) {
                    match found {
                        Ok(lines) => dialog.advance(Phase::Ready, lines),
                        Err(lines) => dialog.advance(Phase::Over, lines),
                    }
                }
            }
            News::Done { request, lines } => {
                // The action may have changed everything that is shown.
                self.refresh += 1;
                match self.dialog_of(&request, Phase::Acting) {
                    Some(dialog) => dialog.advance(Phase::Over, lines),
                    None => self.message = lines.into_iter().next(),
                }
            }
        }
    }

    /// The dialog about this action, if it is open and has got that far.
    fn dialog_of(&mut self, request: &ActionRequest, phase: Phase) -> Option<&mut Dialog> {
        match &mut self.mode {
            Mode::Dialog(dialog) if dialog.action() == Some((request, phase)) => Some(dialog),
            Mode::Dialog(_) | Mode::Browse | Mode::Filter(_) | Mode::Command(_) | Mode::Text { .. } => None,
        }
    }
}
