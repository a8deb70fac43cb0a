//! Screens, compared with golden files in `tests/it/fixtures/top`. With `UPDATE_GOLDEN=1`, writes them.

use std::{fs, path::Path};

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    style::{Color, Modifier},
};
use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::{
    dialog::ActionRequest,
    draw::draw,
    fixture::*,
    key::Key,
    pane::{Content, Details},
    query::Tab,
    state::{News, State},
};
use crate::{
    present::{
        hostile_tests::HOSTILE,
        terminal::{Line, Symbols, Tone, activity_rows, log_row, patch_rows, result_rows, top},
    },
    task::{CommandOutcome, LogTail, ResultText, TaskSummary, TaskView, TimelineEvent, Trouble, Untrusted},
    visible::{is_invisible, is_terminal_control},
};

/// The sizes of every screen.
const SIZES: [(u16, u16); 3] = [(80, 24), (200, 60), (10, 3)];

fn drawn(state: &State) -> Buffer {
    let mut terminal =
        Terminal::new(TestBackend::new(state.size.width, state.size.height)).expect("memory is a terminal");
    terminal.draw(|frame| draw(frame, state, now())).expect("memory can be drawn to");
    terminal.backend().buffer().clone()
}

/// The rows of a screen. Checks that each is exactly as wide as the screen.
fn rows(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    let row = |y| {
        let (mut text, mut x) = (String::new(), 0);
        while x < area.width {
            let symbol = buffer[(x, y)].symbol();
            text.push_str(symbol);
            x += u16::try_from(symbol.width().max(1)).expect("a character is narrow");
        }
        assert_eq!(x, area.width, "a wide character is cut in two: {text}");
        text
    };
    (0..area.height).map(row).collect()
}

fn screen(state: &State) -> String {
    rows(&drawn(state)).iter().map(|row| format!("{}\n", row.trim_end())).collect()
}

fn assert_golden(name: &str, state: &State) {
    let text = screen(state);
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/it/fixtures/top/{name}-{}x{}.txt", state.size.width, state.size.height));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(file.parent().expect("it has a parent")).expect("the source directory is writable");
        fs::write(&file, &text).expect("the source directory is writable");
    }
    assert_eq!(text, fs::read_to_string(&file).unwrap_or_default(), "{name} differs from {}", file.display());
}

fn press(state: &mut State, keys: &[Key]) {
    keys.iter().for_each(|key| drop(state.press(key.clone(), now())));
}

fn type_text(state: &mut State, text: &str) {
    text.chars().for_each(|letter| drop(state.press(Key::Char(letter), now())));
}

/// The content of a tab with these texts from outside.
fn content(tab: Tab, task: &TaskSummary, text: &str, symbols: Symbols) -> Content {
    let zone = |at: chrono::DateTime<chrono::Utc>| at.fixed_offset();
    let events = [
        TimelineEvent::Started {
            backend: connector_api::BackendName::new("codex").expect("a valid name"),
            version: None,
            attempt: 1,
        },
        TimelineEvent::Message { text: format!("I will look.\n  {text}") },
        TimelineEvent::CommandStarted { command: "/bin/bash -lc 'cargo test -p parser'".to_owned() },
        TimelineEvent::CommandFinished {
            command: format!("cargo test {text}"),
            status: CommandOutcome::Failed,
            exit_code: Some(101),
            took: None,
            output: format!("test failed\n{text}"),
        },
    ];
    let lines: Vec<Line> = match tab {
        Tab::Activity => {
            let entries = (1..).zip(events).map(|(seq, event)| entry(seq, event));
            entries.flat_map(|entry| activity_rows(&entry, symbols, zone)).collect()
        }
        Tab::Diff => {
            let patch = format!("diff --git a/a.rs b/a.rs\n--- a/a.rs\n+++ b/a.rs\n@@ -1 +1 @@\n-old\n+new {text}\n");
            patch_rows(&Untrusted::from(patch)).collect()
        }
        Tab::Log => {
            let line = format!("[2026-01-02T03:04:05.678Z] MESSAGE: {text}");
            let at = crate::store::time_of(line.as_bytes());
            line.lines().map(|line| log_row(line.as_bytes(), at, zone)).collect()
        }
        Tab::Result => {
            let result = ResultText { head: text.into(), left_out: 5, tail: text.into() };
            result_rows(&result, symbols)
        }
        Tab::Details => {
            let view = TaskView {
                record: task.record.clone(),
                live: None,
                tail: LogTail { lines: text.lines().map(Untrusted::from).collect(), has_more: false },
                result: Some(ResultText { head: text.into(), left_out: 0, tail: "".into() }),
            };
            let next = crate::present::terminal::NextSteps { can_resume: true, agent_command: None };
            return Content::Details(Box::new(Details { summary: task.clone(), view, next }));
        }
    };
    Content::Whole { lines, has_earlier: false }
}

/// Opens a tab of the selected task, with these texts from outside.
fn open(state: &mut State, tab: Tab, text: &str) {
    state.press(Key::Char(char::from(b'1' + u8::try_from(tab.place()).expect("there are few"))), now());
    let query = state.wanted_pane().expect("a task is open");
    let task = state.list.selected_task().expect("a task is selected").summary.clone();
    let content = content(tab, &task, text, state.surroundings.symbols);
    state.receive(News::Pane { query, content });
    state.settle(now());
}

#[test]
fn every_tab_fits_every_size() {
    for (width, height) in SIZES {
        for (tab, name) in Tab::ALL.into_iter().zip(top::TABS) {
            let mut state = state(width, height);
            open(&mut state, tab, "All tests pass, and 日本語 too.");
            assert_golden(name, &state);
        }
    }
}

#[test]
fn the_list_its_filters_and_dialogs_fit_every_size() {
    for (width, height) in SIZES {
        assert_golden("unread", &unread(width, height));
        assert_golden("empty", &state_with(width, height, Vec::new()));
        assert_golden("list", &state(width, height));
        let mut filtered = state(width, height);
        type_text(&mut filtered, "/tests completed");
        assert_golden("filter-typed", &filtered);
        press(&mut filtered, &[Key::Enter]);
        assert_golden("filter", &filtered);
        let mut by_state = state(width, height);
        type_text(&mut by_state, "ff");
        receive_list(&mut by_state, vec![with_step(running("aaaaaaa5"), "make")]);
        assert_golden("state", &by_state);
        for (name, key) in [("help", '?'), ("cancel", 'x'), ("copy", 'y'), ("command", 's')] {
            let mut state = state(width, height);
            if name == "copy" || name == "command" {
                press(&mut state, &[Key::End]);
            }
            type_text(&mut state, &key.to_string());
            assert_golden(name, &state);
        }
        let mut undo = state(width, height);
        press(&mut undo, &[Key::End, Key::Char('u')]);
        assert_golden("undo-checking", &undo);
        let request =
            ActionRequest { action: top::TopAction::Operate(crate::task::OperationKind::Undo), id: id("aaaaaaa1") };
        let found = top::text_rows("Would revert the changes of task aaaaaaa1 in 1 file:\n  src/parser.rs");
        undo.receive(News::Checked { request, found: Ok(found) });
        assert_golden("undo", &undo);
    }
}

#[test]
fn the_end_of_a_long_list_says_how_many_tasks_are_older() {
    let mut state = unread(80, 24);
    let mut found = list(tasks());
    found.total = 100_000;
    state.receive(News::Listed { query: state.wanted_list(), found, counts: None });
    assert!(screen(&state).contains("\n99995 older tasks: codex-connector ls -n NUMBER\n"), "{}", screen(&state));
}

#[test]
fn hostile_texts_stay_texts_and_keep_the_columns() {
    for text in HOSTILE {
        for (width, height) in SIZES {
            let mut hostile = with_step(running("aaaaaaa2"), text);
            hostile.record = record("aaaaaaa2", json!({"task": text, "model": text, "workingDirectory": text}));
            hostile.trouble = Some(Trouble { text: text.into(), offline_since: None });
            let failed = ended("aaaaaaa1", json!({"status": "failed", "failureReason": text, "task": text}));
            for tab in Tab::ALL {
                let mut state = state_with(width, height, vec![hostile.clone(), failed.clone()]);
                open(&mut state, tab, text);
                assert_safe(&state);
                press(&mut state, &[Key::Escape, Key::Down]);
                open(&mut state, tab, text);
                assert_safe(&state);
            }
            for keys in ["x", "y", "/"] {
                let mut state = state_with(width, height, vec![hostile.clone()]);
                type_text(&mut state, keys);
                press(&mut state, &[Key::Paste(text.to_owned())]);
                assert_safe(&state);
            }
        }
    }
}

fn assert_safe(state: &State) {
    for row in rows(&drawn(state)) {
        let bad = row.chars().find(|letter| is_terminal_control(*letter) || is_invisible(*letter));
        assert_eq!(bad, None, "{row:?}");
    }
}

#[test]
fn colors_are_those_of_the_terminal_and_none_are_used_if_none_are_wanted() {
    for has_color in [true, false] {
        let mut state = state(200, 60);
        state.surroundings.has_color = has_color;
        open(&mut state, Tab::Diff, "text");
        let buffer = drawn(&state);
        let cells = || buffer.content().iter();
        assert!(cells().all(|cell| cell.bg == Color::Reset), "no background");
        let named = [Color::Reset, Color::Green, Color::Red, Color::Cyan, Color::Yellow];
        assert!(cells().all(|cell| named.contains(&cell.fg)));
        assert_eq!(cells().any(|cell| cell.fg != Color::Reset), has_color);
        assert!(cells().any(|cell| cell.modifier.contains(Modifier::REVERSED)), "the selection is visible");
        let allowed = if has_color { Modifier::all() } else { Modifier::BOLD | Modifier::REVERSED };
        assert!(cells().all(|cell| allowed.contains(cell.modifier)));
    }
}

#[test]
fn in_an_ascii_locale_everything_of_ours_is_ascii() {
    for (width, height) in SIZES {
        let tasks = || vec![with_step(running("aaaaaaa5"), "make"), ended("aaaaaaa1", json!({}))];
        for tab in Tab::ALL {
            let mut state = state_with(width, height, tasks());
            state.surroundings.symbols = Symbols::Ascii;
            open(&mut state, tab, &"one\n".repeat(30));
            assert!(screen(&state).is_ascii(), "{}", screen(&state));
        }
        for keys in ["", "/a", "f", "?", "x", "jy", "ju", "js"] {
            let mut state = state_with(width, height, tasks());
            state.surroundings.symbols = Symbols::Ascii;
            type_text(&mut state, keys);
            assert!(screen(&state).is_ascii(), "{keys}: {}", screen(&state));
        }
    }
}

#[test]
fn no_keys_in_no_size_end_the_program() {
    let keys = "jkgGfa/xyuUAsr:?12345 \u{1b}\r\t\u{7f}é";
    let keys: Vec<_> = keys
        .chars()
        .map(|letter| match letter {
            '\u{1b}' => Key::Escape,
            '\r' => Key::Enter,
            '\t' => Key::Tab,
            '\u{7f}' => Key::Backspace,
            letter => Key::Char(letter),
        })
        .chain([Key::PageDown, Key::PageUp, Key::Left, Key::Right, Key::Delete, Key::Ctrl('u'), Key::Ctrl('l')])
        .collect();
    let mut random = 1_u64;
    for (width, height) in [(0, 0), (1, 1), (2, 2), (10, 3), (99, 5), (100, 4), (300, 100)] {
        let mut state = state(width, height);
        for _ in 0..400 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(random >> 33).expect("it is small") % keys.len();
            state.press(keys[at].clone(), now());
            if at.is_multiple_of(5) {
                receive_list(&mut state, if at.is_multiple_of(2) { tasks() } else { Vec::new() });
            }
            if let Some(query) = state.wanted_pane() {
                let lines = vec![Line::default().with_exact(Tone::Plain, "日本語 a long line of text"); at];
                state.receive(News::Pane { query, content: Content::Whole { lines, has_earlier: true } });
            }
            drop(drawn(&state));
        }
    }
}
