//! `top`: its own texts, such as headings, hints, questions and messages.

use chrono::{DateTime, Utc};

use super::{Line, Screen, Symbols, Tone, length, live::steps_of, state::elapsed};
use crate::task::{OperationKind, StateFilter, TaskCounts, TaskId, TaskState, TaskSummary};

/// The tabs of a task.
pub(crate) const TABS: [&str; 5] = ["activity", "diff", "log", "result", "details"];

/// The meaning of the keys at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopView {
    /// A list alone, or next to a task.
    List,
    /// A task alone.
    Task,
    /// A filter is being typed.
    Filter,
    /// A command is being typed.
    Command,
    /// An action has to be confirmed.
    Confirm,
    /// Nothing can be confirmed yet, or any more.
    Dialog,
}

/// All keys, in the order of the help.
const KEYS: [(&str, &str); 24] = [
    ("Up Down j k", "select a task, or scroll"),
    ("PgUp PgDn", "one page up or down"),
    ("Home End g G", "to the beginning or the end"),
    ("Enter", "open the selected task"),
    ("Esc", "go back; clear the filter"),
    ("1 2 3 4 5", "activity, diff, log, result, details"),
    ("Tab Shift-Tab", "next or previous tab"),
    ("/", "filter by words in the prompt, ID, agent or state"),
    ("f", "show only one state or outcome; press again for the next"),
    ("a", "tasks of all repositories, or only of this one"),
    ("x", "cancel the task"),
    ("u", "undo its changes"),
    ("U", "redo them"),
    ("A", "apply the changes from its worktree"),
    ("s", "say more: resume its session with another prompt"),
    ("r", "run a new task"),
    ("y", "show its ID and commands to copy"),
    (":", "type any command of codex-connector"),
    ("Ctrl-L", "read everything again and redraw"),
    ("Ctrl-Z", "suspend; `fg` continues"),
    ("?", "this help"),
    ("q Ctrl-C", "quit"),
    ("", ""),
    ("", "Each is shown as a command first; Enter runs it, Esc does not."),
];

/// Hints for one view, the most important ones first.
fn hints(view: TopView) -> &'static [(&'static str, &'static str)] {
    match view {
        TopView::List => &[
            ("Enter", "open"),
            ("/", "filter"),
            ("x", "cancel"),
            ("u", "undo"),
            (":", "command"),
            ("a", "all"),
            ("f", "state"),
            ("1-5", "tab"),
            ("A", "apply"),
            ("s", "say"),
            ("r", "run"),
            ("y", "copy"),
        ],
        TopView::Task => &[
            ("Esc", "back"),
            ("1-5", "tab"),
            ("x", "cancel"),
            ("u", "undo"),
            ("A", "apply"),
            ("s", "say"),
            (":", "command"),
            ("U", "redo"),
            ("r", "run"),
            ("y", "copy"),
        ],
        TopView::Filter => &[("Enter", "keep the filter"), ("Esc", "clear it")],
        TopView::Command => &[("Enter", "run"), ("Esc", "back")],
        TopView::Confirm => &[("Enter", "run it"), ("Esc", "back")],
        TopView::Dialog => &[("Esc", "back")],
    }
}

/// The last line of the screen: as many hints as fit into this width.
pub(crate) fn hint_line(view: TopView, width: usize) -> Line {
    let one = |(key, word): (&str, &str)| {
        Line::of(Tone::Strong, key).with(Tone::Plain, " ").with(Tone::Faint, word).with_exact(Tone::Plain, "  ")
    };
    let last = match view {
        TopView::List | TopView::Task => one(("?", "keys")).then(one(("q", "quit"))),
        TopView::Filter | TopView::Command | TopView::Confirm | TopView::Dialog => Line::default(),
    };
    let mut line = Line::default();
    for hint in hints(view).iter().copied().map(one) {
        // At least one hint is shown, even if it has to be cut.
        let is_first = line.width() + last.width() == 0;
        if !is_first && line.width() + hint.width() + last.width() > width + 2 {
            break;
        }
        line = line.then(hint);
    }
    line.then(last)
}

/// All keys.
pub(crate) fn help_rows() -> Vec<Line> {
    let widest = KEYS.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    KEYS.iter()
        .map(|(key, meaning)| Line::of(Tone::Strong, *key).padded(widest + 2).with(Tone::Plain, *meaning))
        .collect()
}

/// The title of the help.
pub(crate) const HELP_TITLE: &str = "Keys";

/// The title above the ID and the commands of a task.
pub(crate) const COPY_TITLE: &str = "To copy";

/// The first line of the screen: where the tasks are from, and how many there are.
pub(crate) fn top_line(repository: Option<&str>, counts: Option<&TaskCounts>, width: usize, symbols: Symbols) -> Line {
    let place = match repository {
        Some(repository) => Line::of(Tone::Strong, "here: ").with(Tone::Plain, repository),
        None => Line::of(Tone::Strong, "all repositories"),
    };
    let numbers = counts.map_or_else(Line::default, |counts| count_words(counts, symbols));
    let room = width.saturating_sub(numbers.width() + 2);
    if room < 12 {
        return place.cut(width, symbols);
    }
    let shown = place.cut(room, symbols);
    shown.padded(width.saturating_sub(numbers.width())).then(numbers)
}

fn count_words(counts: &TaskCounts, symbols: Symbols) -> Line {
    let parts = [
        (Tone::Active, counts.running, "running"),
        (Tone::Faint, counts.queued, "queued"),
        (Tone::Bad, counts.failed, "failed"),
        (Tone::Bad, counts.timed_out, "timed out"),
    ];
    let mut line = Line::default();
    for (tone, number, word) in parts.into_iter().filter(|(_, number, _)| *number > 0) {
        line = line.with(tone, &format!("{number} {word}")).with(Tone::Faint, symbols.dot());
    }
    let total = counts.total();
    line.with(Tone::Plain, &if total == 1 { "1 task".to_owned() } else { format!("{total} tasks") })
}

/// A filter of the list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilterLine<'a> {
    /// The words that were typed.
    pub(crate) words: &'a str,
    /// The state or outcome.
    pub(crate) state: Option<StateFilter>,
    /// The number of tasks that are shown.
    pub(crate) shown: usize,
    /// The number of tasks that were read and do not have the words.
    pub(crate) hidden: usize,
    /// The number of older tasks that were not read.
    pub(crate) unread: usize,
}

/// The line that says that the list is filtered; `None` if it is not.
pub(crate) fn filter_line(filter: FilterLine<'_>, symbols: Symbols) -> Option<Line> {
    let FilterLine { words, state, shown, hidden, unread } = filter;
    let mut line = Line::of(Tone::Attention, "Only ");
    if let Some(state) = state {
        line = line.with(Tone::Strong, state.as_str()).with(Tone::Attention, " tasks");
    } else {
        line = line.with(Tone::Attention, "tasks");
    }
    if !words.trim().is_empty() {
        line = line.with(Tone::Attention, " with ").with(Tone::Strong, words);
    }
    if state.is_none() && words.trim().is_empty() {
        return None;
    }
    let mut numbers = format!(": {shown}");
    if !words.trim().is_empty() {
        numbers += &format!("{}{hidden} hidden", symbols.dot());
        if unread > 0 {
            numbers += &format!("{}{unread} older ones not searched", symbols.dot());
        }
    }
    Some(line.with(Tone::Attention, &numbers).with(Tone::Faint, " (Esc clears)"))
}

/// Instead of a list without tasks.
pub(crate) fn empty_rows(is_filtered: bool, is_everywhere: bool) -> Vec<Line> {
    let (first, second) = match (is_filtered, is_everywhere) {
        (true, _) => ("No task matches the filter.", "Esc clears it."),
        (false, true) => ("No tasks yet.", "r runs one."),
        (false, false) => ("No tasks here yet.", "a shows those of all repositories, r runs one."),
    };
    [first, second].map(|text| Line::of(Tone::Faint, text)).to_vec()
}

/// Below the last task: how many older ones are not listed, or that some may be missing.
pub(crate) fn older_row(unread: usize, is_partial: bool) -> Option<Line> {
    match (unread, is_partial) {
        (0, false) => None,
        (0, true) => Some(note("Older tasks may be missing.")),
        (1, _) => Some(note("1 older task: codex-connector ls -n NUMBER")),
        (_, _) => Some(note(&format!("{unread} older tasks: codex-connector ls -n NUMBER"))),
    }
}

/// A short message in place of a content.
pub(crate) fn note(text: &str) -> Line {
    Line::of(Tone::Faint, text)
}

/// While the list is read for the first time.
pub(crate) fn reading(symbols: Symbols) -> Line {
    note(symbols.choose("reading…", "reading..."))
}

/// While git computes a diff.
pub(crate) fn computing(symbols: Symbols) -> Line {
    note(symbols.choose("computing…", "computing..."))
}

/// Instead of a result that does not exist.
pub(crate) fn no_result_yet(is_final: bool) -> Line {
    note(if is_final { "The task ended without a result." } else { "No result yet." })
}

/// Instead of an empty log or activity.
pub(crate) fn nothing_yet() -> Line {
    note("Nothing yet.")
}

/// No task is selected.
pub(crate) fn no_selection() -> Line {
    note("No task is selected.")
}

/// One of our texts, or that of a refusal, as lines.
pub(crate) fn text_rows(text: &str) -> Vec<Line> {
    text.trim_end().lines().map(|line| Line::default().with_exact(Tone::Plain, line)).collect()
}

/// An action that a person has to confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopAction {
    /// Stops a task.
    Cancel,
    /// Reverts, repeats or applies changes.
    Operate(OperationKind),
}

impl TopAction {
    /// The verb.
    fn verb(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Operate(OperationKind::Undo) => "undo",
            Self::Operate(OperationKind::Redo) => "redo",
            Self::Operate(OperationKind::Apply) => "apply",
        }
    }
}

/// The command of an action.
pub(crate) fn action_command(action: TopAction, id: &TaskId) -> String {
    format!("codex-connector {} {id}", action.verb())
}

/// The effects of a cancellation, for a person who has to confirm it.
pub(crate) fn cancel_rows(task: &TaskSummary, symbols: Symbols, now: DateTime<Utc>) -> Vec<Line> {
    let screen = Screen { width: None, has_color: false, symbols };
    let time = length(elapsed(task, now));
    let state = match task.state {
        TaskState::Queued => format!("It has been waiting for {time}."),
        TaskState::Running | TaskState::Ended => format!("It has been running for {time}."),
    };
    let mut rows =
        vec![Line::of(Tone::Plain, "Stops the agent and everything that it started."), Line::of(Tone::Plain, &state)];
    if let Some(step) = steps_of(task, screen, now) {
        rows.push(Line::of(Tone::Plain, "Now: ").then(step));
    }
    rows.push(Line::of(Tone::Plain, "Changes that it has already made to files stay."));
    rows
}

/// While a check or an action runs.
pub(crate) fn checking(symbols: Symbols) -> Line {
    note(symbols.choose("checking what it would do…", "checking what it would do..."))
}

/// While an action runs.
pub(crate) fn acting(action: TopAction, symbols: Symbols) -> Line {
    match action {
        TopAction::Cancel => note(symbols.choose("stopping…", "stopping...")),
        TopAction::Operate(_) => note(symbols.choose("writing…", "writing...")),
    }
}

/// A task that has ended cannot be cancelled.
pub(crate) fn has_ended(id: &TaskId) -> Line {
    Line::of(Tone::Attention, &format!("Task {id} has already ended."))
}

/// A task that has not ended has nothing to undo, redo, apply or resume yet.
pub(crate) fn still_runs(id: &TaskId) -> Line {
    Line::of(Tone::Attention, &format!("Task {id} is still running; x cancels it."))
}

/// The words before a text that a person types as the end of a command.
pub(crate) fn text_prompt(command: &[String]) -> String {
    format!("{}: ", command.join(" "))
}

/// The command line ends inside a quotation.
pub(crate) const UNCLOSED_QUOTE: &str = "a quotation mark is not closed";

/// The command line cannot be run.
pub(crate) fn command_problem(problem: &str) -> Line {
    Line::of(Tone::Bad, problem)
}

/// Below the output of a command.
pub(crate) fn press_enter(code: Option<i32>) -> String {
    match code {
        Some(0) => "\nPress Enter to return. ".to_owned(),
        Some(code) => format!("\nExit code {code}. Press Enter to return. "),
        None => "\nStopped by a signal. Press Enter to return. ".to_owned(),
    }
}

/// The position in a long text.
pub(crate) fn position(line: usize, lines: usize, is_at_end: bool) -> Line {
    let text = if is_at_end { "end".to_owned() } else { format!("{line}/{lines}") };
    Line::of(Tone::Faint, &text)
}

/// A piece of the line between the list and the task.
pub(crate) fn divider(symbols: Symbols) -> Line {
    Line::of(Tone::Faint, symbols.choose("│", "|"))
}

/// The end of a line that is too long to be shown.
pub(crate) fn line_is_cut(bytes: u64, symbols: Symbols) -> Line {
    let text = format!(" {} {bytes} more bytes", symbols.choose("…", "..."));
    Line::of(Tone::Attention, &text)
}

/// Instead of a patch without any file.
pub(crate) fn no_changes() -> Line {
    note("No changes.")
}

/// Instead of the output of a command that could not be started.
pub(crate) fn not_run(error: &impl std::fmt::Display) -> String {
    format!("cannot run it: {error}\nPress Enter to return. ")
}
