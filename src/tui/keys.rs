//! The effects of the keys.

use chrono::{DateTime, Utc};
use ratatui::layout::Size;

use super::{
    dialog::{ActionRequest, Dialog, DialogKind, Phase},
    document::{Document, Scroll},
    input::Input,
    key::Key,
    layout::Focus,
    query::Tab,
    state::{Effect, Mode, State},
};
use crate::{
    present::terminal::{
        copy_rows,
        top::{self, TopAction},
    },
    task::{OperationKind, StateFilter, TaskState, TaskSummary},
};

impl State {
    /// Reacts to a key.
    pub(super) fn press(&mut self, key: Key, now: DateTime<Utc>) -> Vec<Effect> {
        self.message = None;
        let effect = match (&key, &self.mode) {
            (Key::Ctrl('c'), _) => Some(Effect::Quit),
            (Key::Ctrl('z'), _) => Some(Effect::Suspend),
            (Key::Ctrl('l'), _) => {
                self.refresh += 1;
                Some(Effect::Redraw)
            }
            (_, Mode::Browse) => self.browse(key, now),
            (_, Mode::Filter(_)) => self.type_filter(key),
            (_, Mode::Command(_)) => self.type_command(key),
            (_, Mode::Text { .. }) => self.type_text(key),
            (_, Mode::Dialog(_)) => self.confirm(&key),
        };
        self.settle(now);
        effect.into_iter().collect()
    }

    /// The terminal has another size.
    pub(super) fn resize(&mut self, size: Size, now: DateTime<Utc>) {
        self.size = size;
        self.settle(now);
    }

    fn browse(&mut self, key: Key, now: DateTime<Utc>) -> Option<Effect> {
        if let Some(scroll) = scroll_of(&key) {
            self.scroll(scroll);
            return None;
        }
        match key {
            Key::Char('q') => return Some(Effect::Quit),
            Key::Enter => self.open(self.tab),
            Key::Escape => self.go_back(),
            Key::Tab => self.open(self.tab.moved(1)),
            Key::BackTab => self.open(self.tab.moved(Tab::ALL.len() - 1)),
            Key::Char(digit @ '1'..='5') => self.open(Tab::ALL[digit as usize - '1' as usize]),
            Key::Char('/') => {
                self.focus = Focus::List;
                self.mode = Mode::Filter(Input::new(&self.words));
            }
            Key::Char('f') => self.filter_state(next_filter(self.state_filter)),
            Key::Char('a') => {
                self.is_everywhere = !self.is_everywhere;
                self.list.clear();
            }
            Key::Char(':') => self.mode = Mode::Command(Input::default()),
            Key::Char('r') => self.type_text_after(&["run", "-d"]),
            Key::Char('s') => {
                if let Some(task) = self.ended_task() {
                    let id = task.record.id.to_string();
                    self.type_text_after(&["resume", "-d", &id]);
                }
            }
            Key::Char('x') => return self.ask_to_cancel(now),
            Key::Char('u') => return self.check(OperationKind::Undo),
            Key::Char('U') => return self.check(OperationKind::Redo),
            Key::Char('A') => return self.check(OperationKind::Apply),
            Key::Char('y') => {
                if let Some(task) = self.list.selected_task() {
                    let next = self.next_steps(&task.summary);
                    let rows = copy_rows(&task.summary, &next, self.surroundings.symbols);
                    self.mode = Mode::Dialog(Dialog::text(top::COPY_TITLE, rows));
                }
            }
            Key::Char('?') => self.mode = Mode::Dialog(Dialog::text(top::HELP_TITLE, top::help_rows())),
            Key::Char(_) | Key::Ctrl(_) | Key::Backspace | Key::Delete | Key::Left | Key::Right | Key::Paste(_) => {}
            // These scroll.
            Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::Home | Key::End => {}
        }
        None
    }

    fn scroll(&mut self, scroll: Scroll) {
        match self.focus {
            Focus::List => self.list.scroll(scroll, self.list_height()),
            Focus::Task => {
                let view = self.body_view();
                let was_at_start = self.pane.document.is_at_start();
                self.pane.document.scroll(scroll, view);
                let goes_up = matches!(scroll, Scroll::Up | Scroll::PageUp | Scroll::Start);
                // At the beginning, a further key reads what is before it.
                if goes_up && (was_at_start || scroll == Scroll::Start) && self.pane.has_earlier {
                    self.pane.has_earlier = false;
                    self.pane.depth += 1;
                }
            }
        }
    }

    fn open(&mut self, tab: Tab) {
        if self.list.selected_task().is_some() {
            (self.tab, self.focus) = (tab, Focus::Task);
        }
    }

    fn go_back(&mut self) {
        if self.focus == Focus::Task {
            self.focus = Focus::List;
        } else if !self.words.is_empty() {
            self.words.clear();
            self.list.set_words("");
        } else if self.state_filter.is_some() {
            self.filter_state(None);
        }
    }

    fn filter_state(&mut self, state: Option<StateFilter>) {
        self.focus = Focus::List;
        self.state_filter = state;
        self.list.clear();
    }

    /// The selected task if it has ended; otherwise a message says that it has not.
    fn ended_task(&mut self) -> Option<TaskSummary> {
        let task = &self.list.selected_task()?.summary;
        if task.state == TaskState::Ended {
            return Some(task.clone());
        }
        self.message = Some(top::still_runs(&task.record.id));
        None
    }

    fn ask_to_cancel(&mut self, now: DateTime<Utc>) -> Option<Effect> {
        let task = &self.list.selected_task()?.summary;
        if task.state == TaskState::Ended {
            self.message = Some(top::has_ended(&task.record.id));
            return None;
        }
        let request = ActionRequest { action: TopAction::Cancel, id: task.record.id.clone() };
        let rows = top::cancel_rows(task, self.surroundings.symbols, now);
        self.mode = Mode::Dialog(dialog(request, Phase::Ready, rows));
        None
    }

    fn check(&mut self, kind: OperationKind) -> Option<Effect> {
        let id = self.ended_task()?.record.id;
        let request = ActionRequest { action: TopAction::Operate(kind), id };
        let rows = vec![top::checking(self.surroundings.symbols)];
        self.mode = Mode::Dialog(dialog(request.clone(), Phase::Checking, rows));
        Some(Effect::Check(request))
    }

    fn confirm(&mut self, key: &Key) -> Option<Effect> {
        let view = self.dialog_view();
        let Mode::Dialog(dialog) = &mut self.mode else { return None };
        if let Some(scroll) = scroll_of(key) {
            dialog.document.scroll(scroll, view);
            return None;
        }
        match (key, dialog.action()) {
            (Key::Enter, Some((request, Phase::Ready))) => {
                let request = request.clone();
                dialog.advance(Phase::Acting, vec![top::acting(request.action, self.surroundings.symbols)]);
                Some(Effect::Act(request))
            }
            (Key::Enter, Some((_, Phase::Checking | Phase::Acting))) => None,
            (Key::Escape | Key::Enter | Key::Char('q' | '?'), _) => {
                self.mode = Mode::Browse;
                None
            }
            (_, _) => None,
        }
    }

    fn type_filter(&mut self, key: Key) -> Option<Effect> {
        let Mode::Filter(input) = &mut self.mode else { return None };
        match key {
            Key::Enter => self.mode = Mode::Browse,
            Key::Escape => {
                self.words.clear();
                self.mode = Mode::Browse;
            }
            Key::Backspace if input.text().is_empty() => self.mode = Mode::Browse,
            Key::Up | Key::Down | Key::PageUp | Key::PageDown => {
                if let Some(scroll) = scroll_of(&key) {
                    self.list.scroll(scroll, self.list_height());
                }
                return None;
            }
            key => {
                edit(input, key);
                self.words = input.text().to_owned();
            }
        }
        self.list.set_words(&self.words);
        None
    }

    fn type_text_after(&mut self, command: &[&str]) {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        self.mode = Mode::Text { command, input: Input::default() };
    }

    /// A key while the text of a command is typed. The text is passed on as one word, so nothing in it has a meaning.
    fn type_text(&mut self, key: Key) -> Option<Effect> {
        let Mode::Text { command, input } = &mut self.mode else { return None };
        match key {
            Key::Enter if input.text().trim().is_empty() => None,
            Key::Enter => {
                let text = ["--".to_owned(), input.text().to_owned()];
                let words = std::mem::take(command).into_iter().chain(text).collect();
                self.mode = Mode::Browse;
                Some(Effect::Run(words))
            }
            Key::Escape => {
                self.mode = Mode::Browse;
                None
            }
            Key::Backspace if input.text().is_empty() => {
                self.mode = Mode::Browse;
                None
            }
            key => {
                edit(input, key);
                None
            }
        }
    }

    fn type_command(&mut self, key: Key) -> Option<Effect> {
        let Mode::Command(input) = &mut self.mode else { return None };
        match key {
            Key::Enter => match words_of(input.text()) {
                Some(words) => {
                    self.mode = Mode::Browse;
                    match words.first().map(String::as_str) {
                        None => None,
                        Some("q" | "quit") => Some(Effect::Quit),
                        Some(_) => Some(Effect::Run(words)),
                    }
                }
                None => {
                    self.message = Some(top::command_problem(top::UNCLOSED_QUOTE));
                    None
                }
            },
            Key::Escape => {
                self.mode = Mode::Browse;
                None
            }
            Key::Backspace if input.text().is_empty() => {
                self.mode = Mode::Browse;
                None
            }
            key => {
                edit(input, key);
                None
            }
        }
    }
}

/// The dialog about an action.
fn dialog(request: ActionRequest, phase: Phase, rows: Vec<crate::present::terminal::Line>) -> Dialog {
    let title = top::action_command(request.action, &request.id);
    Dialog { title, kind: DialogKind::Action { request, phase }, document: Document::new(rows) }
}

/// The words of a command, without the name of this program; `None` if a quotation mark is not closed.
fn words_of(line: &str) -> Option<Vec<String>> {
    let mut words = shlex::split(line)?;
    if words.first().is_some_and(|word| word == "codex-connector") {
        words.remove(0);
    }
    Some(words)
}

fn next_filter(current: Option<StateFilter>) -> Option<StateFilter> {
    let next =
        current.map_or(0, |current| StateFilter::ALL.iter().position(|it| *it == current).map_or(0, |at| at + 1));
    StateFilter::ALL.get(next).copied()
}

/// The movement of a key.
fn scroll_of(key: &Key) -> Option<Scroll> {
    Some(match key {
        Key::Up | Key::Char('k') => Scroll::Up,
        Key::Down | Key::Char('j') => Scroll::Down,
        Key::PageUp | Key::Ctrl('b') => Scroll::PageUp,
        Key::PageDown | Key::Ctrl('f') | Key::Char(' ') => Scroll::PageDown,
        Key::Home | Key::Char('g') => Scroll::Start,
        Key::End | Key::Char('G') => Scroll::End,
        _ => return None,
    })
}

/// Changes a line that is typed.
fn edit(input: &mut Input, key: Key) {
    match key {
        Key::Char(letter) => input.insert(letter.encode_utf8(&mut [0; 4])),
        Key::Paste(text) => input.insert(&text),
        Key::Backspace | Key::Ctrl('h') => input.backspace(),
        Key::Delete | Key::Ctrl('d') => input.delete(),
        Key::Left | Key::Ctrl('b') => input.left(),
        Key::Right | Key::Ctrl('f') => input.right(),
        Key::Home | Key::Ctrl('a') => input.home(),
        Key::End | Key::Ctrl('e') => input.end(),
        Key::Ctrl('u') => input.clear_before(),
        Key::Ctrl('w') => input.delete_word(),
        _ => {}
    }
}
