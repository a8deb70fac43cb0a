//! The verbs for people in a real terminal of 80×24 characters.

use std::fs;

use connector_testing::eventually;
use serde_json::{Value, json};

use crate::{
    tmux::Terminal,
    world::{ANSWER_TIMEOUT, World, wait_for_log},
};

/// The only task's ID, as soon as it has a record.
fn only_id(world: &World) -> String {
    eventually("a record", ANSWER_TIMEOUT, || {
        let files = fs::read_dir(world.data_dir().join("logs")).ok()?.flatten();
        files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".debug.json")?.to_owned())).next()
    })
}

/// Waits for the end of the task, and returns its record.
fn ended(world: &World, id: &str) -> Value {
    eventually("the end of the task", ANSWER_TIMEOUT, || {
        Some(world.record(id)).filter(|record| record["status"] != "running")
    })
}

/// A file with a prompt that makes the fake agent play these steps, in the project.
fn prompt(world: &World, steps: Value) {
    fs::write(world.project.path().join("task"), format!("FAKE{steps}")).expect("the project is writable");
}

/// The rows that show a running task.
fn live_rows(screen: &str) -> usize {
    screen.lines().filter(|line| line.starts_with('●')).count()
}

/// The row that shows a running task.
fn live_line(screen: &str) -> String {
    screen.lines().find(|line| line.starts_with('●')).unwrap_or_default().to_owned()
}

#[test]
fn run_redraws_one_line_below_the_messages_also_when_the_terminal_becomes_narrow() {
    let world = World::with_fake_agent();
    let release = world.home().join("go");
    let command = json!({"cmd": "cargo test", "output": "ok", "exit": 0});
    prompt(
        &world,
        json!([{"say": "a first message"}, {"command": command}, {"await_file": release}, {"say": "the last one"}]),
    );
    let terminal = Terminal::new(&world);
    terminal.enter("codex-connector run -f task; echo left=$?");
    let screen = terminal.wait_for("ran: cargo test");
    let id = only_id(&world);
    assert!(screen.contains(&format!("Task {id} · codex · danger-full-access · ")), "{screen}");
    assert!(screen.contains("\n  a first message\n"), "{screen}");
    assert!(screen.contains(&format!("● {id} codex  ")), "{screen}");
    let first = live_line(&screen);
    terminal.wait_until("a redrawn time", |screen| live_rows(screen) == 1 && live_line(screen) != first);
    terminal.resize(20, 24);
    let narrow = format!("● {id}  ");
    terminal.wait_until("a short line", |screen| {
        live_rows(screen) == 1 && screen.lines().any(|line| line.starts_with(&narrow) && line.ends_with('…'))
    });
    terminal.resize(80, 24);
    terminal.wait_until("one line again", |screen| live_rows(screen) == 1 && screen.contains("ran: cargo test"));
    fs::write(release, "").expect("the home is writable");
    let screen = terminal.wait_for("left=0");
    assert!(screen.contains(&format!("✓ {id} completed in ")) && live_rows(&screen) == 0, "{screen}");
    assert_eq!(screen.matches("the last one").count(), 1, "the result is shown once: {screen}");
    assert!(screen.contains("\nthe last one\n"), "{screen}");
    assert_eq!(screen.matches("a first message").count(), 1, "{screen}");
}

#[test]
fn the_first_ctrl_c_cancels_the_task_and_says_so() {
    let world = World::with_fake_agent();
    prompt(&world, json!([{"say": "busy"}, {"hang": true}]));
    let terminal = Terminal::new(&world);
    terminal.enter("codex-connector run -f task; echo left=$?");
    terminal.wait_for("says: busy");
    terminal.press_ctrl_c();
    let screen = terminal.wait_for("left=130");
    let id = only_id(&world);
    assert!(screen.contains(&format!("Cancelling task {id}. Press Ctrl-C again to leave at once.")), "{screen}");
    assert!(screen.contains(&format!("■ {id} cancelled in ")), "{screen}");
    assert_eq!(ended(&world, &id)["failureReason"], "Cancelled by user");
}

#[test]
fn the_second_ctrl_c_leaves_before_the_agent_has_ended() {
    let world = World::with_fake_agent().configure("[stopping]\ninterrupt_grace = \"8s\"\n");
    prompt(&world, json!([{"ignore": ["INT"]}, {"say": "busy"}, {"hang": true}]));
    let terminal = Terminal::new(&world);
    terminal.enter("codex-connector run -f task; echo left=$?");
    terminal.wait_for("says: busy");
    terminal.press_ctrl_c();
    terminal.wait_for("Cancelling task");
    let id = only_id(&world);
    terminal.press_ctrl_c();
    terminal.wait_for("left=130");
    assert_eq!(world.record(&id)["status"], "running", "it left after the end of the task");
    assert_eq!(ended(&world, &id)["failureReason"], "Cancelled by user");
}

#[test]
fn a_foreground_task_ends_with_its_terminal_and_a_detached_one_does_not() {
    for (option, status) in [("", "interrupted"), ("--detach", "completed")] {
        let world = World::with_fake_agent();
        let release = world.home().join("go");
        prompt(&world, json!([{"say": "busy"}, {"await_file": release}, {"say": "done"}]));
        let terminal = Terminal::new(&world);
        terminal.enter(&format!("codex-connector run {option} -f task"));
        let id = only_id(&world);
        if option.is_empty() {
            terminal.wait_for("says: busy");
        } else {
            let screen = terminal.wait_for(&format!("Watch it: codex-connector watch {id}"));
            assert!(screen.contains(&format!("\n{id}\n")), "{screen}");
        }
        terminal.close();
        if option.is_empty() {
            ended(&world, &id);
        }
        fs::write(release, "").expect("the home is writable");
        assert_eq!(ended(&world, &id)["status"], status, "{option}");
    }
}

#[test]
fn lists_and_watchers_fit_the_terminal_and_ctrl_c_only_stops_watching() {
    let world = World::with_fake_agent();
    let release = world.home().join("go");
    prompt(&world, json!([{"say": "busy with a long sentence"}, {"await_file": release}, {"say": "done"}]));
    let terminal = Terminal::new(&world);
    terminal.enter("codex-connector run -d -f task 2>/dev/null");
    let id = only_id(&world);
    wait_for_log(&world, &id, "MESSAGE: busy");
    terminal.enter("clear; codex-connector ls");
    let screen = terminal.wait_for("   └ says: busy with a long sentence");
    assert!(screen.contains(&format!("●  {id}  running  codex  FAKE[{{")), "{screen}");
    assert!(screen.contains("1 task here (1 not finished)"), "{screen}");

    terminal.enter("clear; codex-connector ls -w; echo left=$?");
    let first = live_line(&terminal.wait_until("a list", |screen| live_rows(screen) == 1));
    terminal.wait_until("a redrawn list", |screen| live_rows(screen) == 1 && live_line(screen) != first);
    terminal.resize(20, 24);
    terminal.wait_until("a narrow list", |screen| {
        live_rows(screen) == 1 && screen.lines().any(|line| line.starts_with("   └ ") && line.ends_with('…'))
    });
    terminal.resize(80, 24);
    terminal.press_ctrl_c();
    terminal.wait_for("left=0");

    terminal.enter("clear; codex-connector watch; echo left=$?");
    let line = format!("● {id} codex  ");
    terminal.wait_until("a watched task", |screen| {
        live_rows(screen) == 1 && screen.contains(&line) && screen.contains("says: busy")
    });
    terminal.press_ctrl_c();
    terminal.wait_for("left=0");
    assert_eq!(world.record(&id)["status"], "running", "watching does not cancel");

    terminal.enter("clear; codex-connector watch @1; echo left=$?");
    terminal.wait_until("a watched task", |screen| screen.contains(&line) && screen.contains("says: busy"));
    fs::write(release, "").expect("the home is writable");
    let screen = terminal.wait_for("left=0");
    assert!(screen.contains(&format!("✓ {id} codex  ")) && live_rows(&screen) == 0, "{screen}");
    terminal.enter("clear; codex-connector wait; echo left=$?");
    terminal.wait_for("No unfinished tasks here.");
}

#[test]
fn without_arguments_in_a_terminal_it_prints_four_lines_of_help() {
    let world = World::with_fake_agent();
    let terminal = Terminal::new(&world);
    terminal.resize(200, 24);
    terminal.enter("clear; codex-connector 2>help; echo left=$?; wc -l <help; cat help");
    let screen = terminal.wait_for("`codex-connector help` lists all commands.");
    assert!(screen.starts_with("left=2\n4\n"), "{screen}");
}
