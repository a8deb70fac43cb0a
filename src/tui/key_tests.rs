//! The effects of keys.

use serde_json::json;

use super::{
    dialog::{ActionRequest, Phase},
    fixture::*,
    key::Key,
    layout::Focus,
    pane::Content,
    query::Tab,
    state::{Effect, Mode, News, State},
};
use crate::{
    present::terminal::{
        Line, Tone,
        top::{self, TopAction},
    },
    task::{OperationKind, Outcome, StateFilter, TaskState, TimelineEvent},
};

fn press(state: &mut State, key: Key) -> Option<Effect> {
    let mut effects = state.press(key, now());
    assert!(effects.len() <= 1);
    effects.pop()
}

fn type_text(state: &mut State, text: &str) -> Option<Effect> {
    text.chars().filter_map(|letter| press(state, Key::Char(letter))).last()
}

fn selected(state: &State) -> String {
    state.list.selected_task().map(|task| task.summary.record.id.to_string()).unwrap_or_default()
}

fn phase(state: &State) -> Option<Phase> {
    match &state.mode {
        Mode::Dialog(dialog) => dialog.action().map(|(_, phase)| phase),
        Mode::Browse | Mode::Filter(_) | Mode::Command(_) | Mode::Text { .. } => None,
    }
}

fn lines(count: usize) -> Vec<Line> {
    (0..count).map(|number| Line::of(Tone::Plain, &number.to_string())).collect()
}

#[test]
fn enter_opens_the_selected_task_and_escape_goes_back() {
    let mut state = state(80, 24);
    assert_eq!(state.wanted_pane(), None, "a tab that is not visible is not read");
    type_text(&mut state, "jj");
    assert_eq!(selected(&state), "aaaaaaa3");
    press(&mut state, Key::Enter);
    let wanted = state.wanted_pane().expect("a tab is visible");
    assert_eq!((wanted.id.as_str(), wanted.tab, wanted.has_ended), ("aaaaaaa3", Tab::Activity, true));
    for (key, tab) in [(Key::Tab, Tab::Diff), (Key::BackTab, Tab::Activity), (Key::BackTab, Tab::Details)] {
        press(&mut state, key);
        assert_eq!(state.wanted_pane().map(|wanted| wanted.tab), Some(tab));
    }
    press(&mut state, Key::Escape);
    assert_eq!((state.focus, state.wanted_pane()), (Focus::List, None));
    type_text(&mut state, "3");
    assert_eq!(state.wanted_pane().map(|wanted| wanted.tab), Some(Tab::Log));
}

#[test]
fn a_wide_screen_reads_the_open_tab_of_the_selected_task() {
    let mut state = state(200, 60);
    assert_eq!(state.wanted_pane().map(|wanted| wanted.id), Some(id("aaaaaaa5")));
    type_text(&mut state, "G");
    assert_eq!(state.wanted_pane().map(|wanted| wanted.id), Some(id("aaaaaaa1")));
}

#[test]
fn only_tasks_on_the_screen_that_have_not_ended_are_followed() {
    let mut state = state(80, 24);
    assert_eq!(state.wanted_live(), [id("aaaaaaa4"), id("aaaaaaa5")]);
    let event = TimelineEvent::CommandStarted { command: "make".to_owned() };
    state.receive(News::Entries(id("aaaaaaa5"), vec![entry(7, event)]));
    state.receive(News::Ended(Box::new(ended("aaaaaaa4", json!({})).record)));
    assert_eq!(state.wanted_live(), [id("aaaaaaa5")]);
    let step = state.list.selected_task().and_then(|task| task.summary.step.clone());
    assert_eq!(step.map(|step| step.seq), Some(7));
}

#[test]
fn words_filter_while_they_are_typed_and_escape_clears_them() {
    let mut state = state(80, 24);
    type_text(&mut state, "/gemini fail");
    assert_eq!((state.list.len(), selected(&state).as_str()), (1, "aaaaaaa3"));
    assert!(state.wanted_list().limit > 1_000, "older tasks are searched too");
    press(&mut state, Key::Enter);
    assert!(matches!(state.mode, Mode::Browse) && state.filter_line().is_some());
    press(&mut state, Key::Escape);
    assert_eq!((state.list.len(), state.filter_line()), (5, None));
    type_text(&mut state, "/xyz");
    press(&mut state, Key::Escape);
    assert_eq!(state.list.len(), 5);
}

#[test]
fn the_state_filter_changes_the_list_that_is_read_and_a_late_answer_is_ignored() {
    let mut state = state(80, 24);
    let before = state.wanted_list();
    type_text(&mut state, "ff");
    assert_eq!(state.wanted_list().state, Some(StateFilter::State(TaskState::Running)));
    state.receive(News::Listed { query: before, found: list(tasks()), counts: None });
    assert_eq!(state.list.len(), 0);
    for _ in 0..5 {
        type_text(&mut state, "f");
    }
    assert_eq!(state.wanted_list().state, Some(StateFilter::Outcome(Outcome::TimedOut)));
    type_text(&mut state, "ff");
    assert_eq!(state.wanted_list().state, None);
    type_text(&mut state, "a");
    assert!(state.wanted_list().is_everywhere);
}

#[test]
fn more_tasks_are_read_when_the_end_is_near() {
    let ids: Vec<_> = (0..200).map(|number| format!("aaaaa{number:03}")).collect();
    let mut state = unread(80, 24);
    let first = state.wanted_list();
    let mut found = found(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    found.total = 100_000;
    state.receive(News::Listed { query: first.clone(), found, counts: None });
    state.settle(now());
    assert_eq!(state.wanted_list(), first);
    press(&mut state, Key::End);
    assert_eq!(state.wanted_list().limit, 2 * first.limit);
}

#[test]
fn a_running_task_is_cancelled_only_after_enter() {
    let mut state = state(80, 24);
    assert_eq!(type_text(&mut state, "x"), None);
    assert_eq!(phase(&state), Some(Phase::Ready));
    press(&mut state, Key::Escape);
    assert_eq!((phase(&state), press(&mut state, Key::Enter)), (None, None));
    press(&mut state, Key::Escape);
    type_text(&mut state, "x");
    let request = ActionRequest { action: TopAction::Cancel, id: id("aaaaaaa5") };
    assert_eq!(press(&mut state, Key::Enter), Some(Effect::Act(request.clone())));
    assert_eq!(press(&mut state, Key::Enter), None, "it already runs");
    state.receive(News::Done { request, lines: lines(1) });
    assert_eq!(phase(&state), Some(Phase::Over));
    press(&mut state, Key::Enter);
    assert!(matches!(state.mode, Mode::Browse));
}

#[test]
fn undo_is_checked_first_and_a_refusal_cannot_be_confirmed() {
    let mut state = state(80, 24);
    assert_eq!(type_text(&mut state, "u"), None);
    assert_eq!(state.message, Some(top::still_runs(&id("aaaaaaa5"))));
    press(&mut state, Key::End);
    let request = ActionRequest { action: TopAction::Operate(OperationKind::Undo), id: id("aaaaaaa1") };
    for found in [Err(lines(2)), Ok(lines(2))] {
        assert_eq!(type_text(&mut state, "u"), Some(Effect::Check(request.clone())));
        assert_eq!(press(&mut state, Key::Enter), None, "nobody knows yet what it would do");
        let may_act = found.is_ok();
        state.receive(News::Checked { request: request.clone(), found });
        let effect = press(&mut state, Key::Enter);
        assert_eq!(effect, may_act.then(|| Effect::Act(request.clone())));
    }
    press(&mut state, Key::Escape);
    state.receive(News::Done { request, lines: lines(1) });
    assert_eq!(state.message, lines(1).pop(), "the result of an action is reported even if its dialog is closed");
    assert_eq!(state.refresh, 1, "an action changes what is shown");
}

#[test]
fn a_command_is_split_like_in_a_shell_and_a_text_is_not() {
    let run = |text: &str| {
        let mut state = state(80, 24);
        press(&mut state, Key::End);
        type_text(&mut state, text);
        press(&mut state, Key::Enter)
    };
    let words = |words: &[&str]| Some(Effect::Run(words.iter().map(|word| (*word).to_owned()).collect()));
    assert_eq!(run(":show 'a b' c"), words(&["show", "a b", "c"]));
    assert_eq!(run(":codex-connector ls"), words(&["ls"]));
    assert_eq!(run(":show \"a"), None, "a quotation mark is not closed");
    assert_eq!(run("s\"x\" again"), words(&["resume", "-d", "aaaaaaa1", "--", "\"x\" again"]));
    assert_eq!(run("r--it's  \"new\" $HOME"), words(&["run", "-d", "--", "--it's  \"new\" $HOME"]));
    assert_eq!(run("r "), None, "there is no text");
    assert_eq!((run(":"), run(":q")), (None, Some(Effect::Quit)));
}

#[test]
fn a_further_key_at_the_beginning_of_a_log_reads_what_is_before_it() {
    let mut state = state(80, 24);
    type_text(&mut state, "3");
    let query = state.wanted_pane().expect("a tab is visible");
    let content = Content::Whole { lines: lines(100), has_earlier: true };
    state.receive(News::Pane { query: query.clone(), content });
    press(&mut state, Key::PageUp);
    assert_eq!(state.wanted_pane().map(|wanted| wanted.depth), Some(0));
    type_text(&mut state, "g");
    let deeper = state.wanted_pane().expect("a tab is visible");
    assert_eq!(deeper.depth, 1);
    let shown = |state: &State| state.pane.document.visible(state.body_view()).remove(0).text();
    let before = shown(&state);
    let more = lines(50).into_iter().chain(lines(100)).collect();
    state.receive(News::Pane { query: deeper, content: Content::Whole { lines: more, has_earlier: false } });
    assert_eq!(shown(&state), before, "the same lines are on the screen");
    state.receive(News::Pane { query, content: Content::More(lines(1)) });
    type_text(&mut state, "1");
    assert!(!state.pane.is_read, "another tab begins empty");
}

#[test]
fn every_way_to_quit_works() {
    for key in [Key::Char('q'), Key::Ctrl('c')] {
        assert_eq!(press(&mut state(80, 24), key), Some(Effect::Quit));
    }
    let mut state = state(80, 24);
    type_text(&mut state, "/a");
    assert_eq!(press(&mut state, Key::Ctrl('c')), Some(Effect::Quit));
    assert_eq!(press(&mut state, Key::Ctrl('z')), Some(Effect::Suspend));
}
