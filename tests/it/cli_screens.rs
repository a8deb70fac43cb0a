//! `show` and `logs -f` in real terminals of 80 and of 20 columns: every character on the screen.

use std::{fs, path::Path};

use connector_testing::eventually;
use regex::Regex;
use serde_json::{Value, json};

use crate::{
    tmux::Terminal,
    world::{ANSWER_TIMEOUT, World, and, start, task_id, wait_for_log},
};

/// Columns and rows. The narrow terminal has so many rows that it needs no pager.
const SIZES: [(u16, u16); 2] = [(80, 24), (20, 60)];

/// A time that is 0 seconds ago whenever this test runs, because it is in the future.
const TIME: &str = "2999-01-02T03:04:05Z";

/// A new terminal of this size.
fn terminal(world: &World, (columns, rows): (u16, u16)) -> Terminal {
    let terminal = Terminal::new(world);
    terminal.resize(columns, rows);
    terminal
}

/// Compares a screen with a golden file, in which the task's ID and times are replaced by others of the same width. With
/// `UPDATE_GOLDEN=1`, writes the file.
fn assert_screen(name: &str, screen: &str, id: &str) {
    let time = Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").expect("a valid pattern");
    let screen = with_fixed_id(screen, id);
    let text = format!("{}\n", time.replace_all(&screen, "2999-01-02 03:04:05").trim_end());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/fixtures/cli/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &text).expect("the source directory is writable");
    }
    assert_eq!(text, fs::read_to_string(&file).unwrap_or_default(), "{name} differs from {}", file.display());
}

/// The screen with the ID `1a2b3c4d` instead of `id`, even if the terminal breaks the line within it.
fn with_fixed_id(screen: &str, id: &str) -> String {
    let characters: Vec<_> = id.chars().map(String::from).collect();
    let broken = Regex::new(&characters.join("\n?")).expect("a valid pattern");
    let fixed = |found: &regex::Captures| {
        let mut fixed = "1a2b3c4d".chars();
        found[0]
            .chars()
            .map(|shown| if shown == '\n' { shown } else { fixed.next().unwrap_or(shown) })
            .collect::<String>()
    };
    broken.replace_all(screen, fixed).into_owned()
}

/// The text on the screen without spaces and line breaks, which depend on the width.
fn joined(screen: &str) -> String {
    screen.split_whitespace().collect()
}

/// Runs a task to its end, and replaces everything in its record that differs between runs or machines. Returns its ID.
fn fixed_task(world: &World, steps: Value, more: Value) -> String {
    let id = task_id(&world.server().call("codex_agent", world.fake(steps), |_| {}));
    eventually("the end of the run directory", ANSWER_TIMEOUT, || {
        (!world.data_dir().join("run").join(&id).exists()).then_some(())
    });
    let fixed = json!({
        "task": "write the missing tests\n\tfor the parser", "workingDirectory": "/home/user/projects/a-shop",
        "startedAt": TIME, "completedAt": TIME, "duration": 192_000, "sessionId": null, "agentVersion": "0.171.0",
    });
    let record = and(and(world.record(&id), fixed), more);
    fs::write(world.log_file(&id, "debug.json"), record.to_string()).expect("the home is writable");
    id
}

fn assert_shown(world: &World, name: &str, id: &str) {
    for size in SIZES {
        let terminal = terminal(world, size);
        terminal.enter(&format!("clear; codex-connector show {id}"));
        let screen = terminal.wait_until("a task and the prompt", |screen| {
            joined(screen).contains(id) && screen.trim_end().ends_with("\n$")
        });
        assert_screen(&format!("{name}-{}", size.0), &screen, id);
    }
}

#[test]
fn show_fits_a_completed_task_into_the_terminal() {
    let world = World::with_fake_agent().variable("TZ", "UTC");
    let said = "All tests pass.\n\n    an indented line, \u{1b}[31m red\u{202e}, that is too long for one line of 80 columns\n日本語日本語";
    let id = fixed_task(&world, json!([{"say": said}]), json!({"model": "gpt-6-sol"}));
    assert_shown(&world, "show-completed", &id);
}

#[test]
fn show_fits_a_failed_task_and_the_end_of_its_log_into_the_terminal() {
    let world = World::with_fake_agent().variable("TZ", "UTC");
    let id = fixed_task(&world, json!([{"say": "busy"}, {"exit": 3}]), json!({}));
    let long = "a line of the log that is too long for a terminal of 80 columns, and for one of 20";
    let log = format!("[{TIME}] MESSAGE: busy\n[{TIME}] STDERR: {long}\n    日本語日本語日本語\n");
    fs::write(world.log_file(&id, "log"), log).expect("the home is writable");
    assert_shown(&world, "show-failed", &id);
}

#[test]
fn a_followed_log_shows_new_lines_and_ctrl_c_only_stops_following() {
    for (columns, rows) in SIZES {
        let world = World::with_fake_agent();
        let (first, second) = (world.home().join("first"), world.home().join("second"));
        let long = "the second message: so long that a terminal of 80 columns wraps it, 日本語 included";
        let steps = json!([
            {"say": "the first message"}, {"await_file": first}, {"say": long}, {"await_file": second}, {"say": "the last one"},
        ]);
        let mut server = world.server();
        let id = start(&mut server, world.fake(steps));
        wait_for_log(&world, &id, "MESSAGE: the first message");
        let terminal = terminal(&world, (columns, rows));
        terminal.enter(&format!("clear; codex-connector logs -f {id} -n 1; echo left=$?"));
        let screen = terminal.wait_until("the last line", |screen| joined(screen).ends_with("thefirstmessage"));
        assert!(!screen.contains("second"), "{screen}");

        fs::write(first, "").expect("the home is writable");
        terminal.wait_until("a new line", |screen| joined(screen).ends_with("日本語included"));
        terminal.press_ctrl_c();
        let screen = terminal.wait_until("the prompt", |screen| screen.trim_end().ends_with("\n$"));
        assert_screen(&format!("logs-follow-{columns}"), &screen, &id);
        assert_eq!(world.record(&id)["status"], "running", "following does not cancel");

        fs::write(second, "").expect("the home is writable");
        let status = eventually("the end of the task", ANSWER_TIMEOUT, || {
            Some(world.record(&id)["status"].clone()).filter(|status| status != "running")
        });
        assert_eq!(status, "completed");
    }
}
