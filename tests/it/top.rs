//! `top` in real terminals, driven by keys.

use std::fs;

use connector_testing::{eventually, processes::is_alive};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::{
    cli_changes::{edited, world},
    cli_read::printed,
    tmux::Terminal,
    world::{ANSWER_TIMEOUT, World, pid_in, start, wait_for_log},
};

/// Columns and rows: one part at a time, and the list next to the task.
const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];

fn terminal(world: &World, (columns, rows): (u16, u16)) -> Terminal {
    let terminal = Terminal::new(world);
    terminal.resize(columns, rows);
    terminal
}

/// Opens `top`. Its exit code is printed behind `left=`, and the number of terminal settings that are normal again.
fn open(terminal: &Terminal, first_words: &str) {
    terminal.enter("clear; echo before; codex-connector top; echo left=$? $(stty -a | grep -c ' icanon')");
    terminal.wait_for(first_words);
}

fn assert_restored(terminal: &Terminal, code: u8) {
    let screen = terminal.wait_for(&format!("left={code} 1"));
    assert!(screen.contains("before"), "the screen from before is back: {screen}");
}

#[test]
fn keys_select_open_filter_cancel_and_undo_tasks() {
    for size in SIZES {
        let world = world();
        let ended = edited(&world);
        let mut server = world.server();
        let steps = json!([{"say": "I have begun"}, {"await_file": world.home().join("never")}]);
        let running = start(&mut server, world.fake(steps));
        wait_for_log(&world, &running, "I have begun");
        let terminal = terminal(&world, size);
        open(&terminal, "1 running · 2 tasks");
        let screen = terminal.wait_for("says: I have begun");
        assert!(screen.contains(&running) && screen.contains(&ended) && screen.contains("? keys"), "{screen}");

        terminal.press("Down");
        terminal.press("2");
        terminal.wait_for("+ONE");
        terminal.press("3");
        terminal.wait_for("MESSAGE: done");
        terminal.press("4");
        terminal.wait_until("the result", |screen| screen.contains("done") && !screen.contains("MESSAGE"));
        terminal.press("5");
        terminal.wait_for("danger-full-access");
        terminal.press("Tab");
        terminal.wait_for("says: done");
        terminal.press("Escape");

        terminal.type_text("/");
        terminal.type_text(&running);
        let screen = terminal.wait_for("1 hidden");
        assert!(screen.contains(&running) && !screen.contains(&ended), "{screen}");
        terminal.press("Enter");
        terminal.press("x");
        terminal.wait_for(&format!("codex-connector cancel {running}"));
        assert_eq!(world.record(&running)["status"], "running", "nothing happens before Enter");
        terminal.press("Enter");
        terminal.wait_for(&format!("■ {running} cancelled"));
        assert_eq!(world.record(&running)["failureReason"], "Cancelled by user");
        terminal.press("Escape");
        terminal.wait_for("1 hidden");
        terminal.press("Escape");

        terminal.wait_for(&ended);
        terminal.press("G");
        terminal.press("u");
        let screen = terminal.wait_for("Would revert the changes");
        assert!(screen.contains(&format!("codex-connector undo {ended}")), "{screen}");
        assert!(world.project.read("new.txt").is_some());
        terminal.press("Enter");
        terminal.wait_for("Reverted the changes");
        assert_eq!(world.project.read("new.txt"), None);
        terminal.press("Escape");
        terminal.press("q");
        assert_restored(&terminal, 0);
    }
}

#[test]
fn new_tasks_and_new_steps_appear_without_a_key() {
    let world = World::with_fake_agent();
    let terminal = terminal(&world, (200, 60));
    open(&terminal, "No tasks here yet");
    let go = world.home().join("go");
    let steps = json!([{"say": "the first words"}, {"await_file": go}, {"say": "the last words"}]);
    let mut server = world.server();
    let id = start(&mut server, world.fake(steps));
    terminal.wait_for("the first words");
    fs::write(go, "").expect("the home is writable");
    let screen = terminal.wait_until("the end", |screen| screen.contains("the last words") && screen.contains("✓"));
    assert!(screen.contains(&id), "{screen}");
    terminal.press_ctrl_c();
    assert_restored(&terminal, 0);
}

#[test]
fn a_command_uses_the_terminal_until_enter() {
    let world = world();
    let id = edited(&world);
    let terminal = terminal(&world, (80, 24));
    open(&terminal, &id);
    terminal.type_text(":show --nosuch");
    terminal.press("Enter");
    let screen = terminal.wait_for("Press Enter to return");
    assert!(screen.contains("unexpected argument '--nosuch'") && screen.contains("Exit code 2."), "{screen}");
    terminal.press("Enter");
    terminal.wait_for("? keys");
    terminal.press("s");
    terminal.wait_for(&format!("resume -d {id}: "));
    terminal.press("Escape");
    terminal.wait_for("? keys");
    terminal.press("C-z");
    terminal.wait_for("Stopped");
    terminal.enter("fg");
    terminal.wait_for("? keys");
    terminal.press("q");
    terminal.wait_until("the prompt", |screen| screen.trim_end().ends_with("\n$") && !screen.contains("? keys"));
}

#[test]
fn signals_and_any_size_leave_a_usable_terminal() {
    let world = world();
    edited(&world);
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 0)] {
        let terminal = terminal(&world, (80, 24));
        let file = world.home().join("pid");
        let script = format!("sh -c 'echo $$ >{}; exec codex-connector top'", file.display());
        terminal.enter(&format!("clear; echo before; {script}; echo left=$? $(stty -a | grep -c ' icanon')"));
        terminal.wait_for("? keys");
        for (columns, rows) in [(10, 3), (1, 1), (300, 100), (80, 24)] {
            terminal.resize(columns, rows);
        }
        terminal.wait_for("? keys");
        let pid = Pid::from_raw(i32::try_from(pid_in(&file)).expect("an ID of a process")).expect("it is not 0");
        kill_process(pid, signal).expect("it runs");
        let screen = terminal.wait_for(&format!("left={code} 1"));
        assert!(screen.contains("before"), "the screen from before is back: {screen}");
    }
}

#[test]
fn without_a_terminal_it_prints_the_list_of_ls() {
    let world = world();
    edited(&world);
    let list = printed(&world, &["ls"]);
    assert!(list.contains("completed"), "{list}");
    assert_eq!(printed(&world, &["top"]), list);
    assert_eq!(printed(&world, &["top", "--all"]), printed(&world, &["ls", "--all"]));
    let terminal = terminal(&world, (80, 24));
    terminal.enter("clear; TERM=dumb codex-connector top; echo left=$?");
    let screen = terminal.wait_for("left=0");
    assert!(screen.contains("1 task here") && !screen.contains("? keys"), "{screen}");
}

#[test]
fn a_terminal_that_is_closed_ends_it() {
    let world = world();
    let terminal = terminal(&world, (80, 24));
    let file = world.home().join("pid");
    terminal.enter(&format!("sh -c 'echo $$ >{}; exec codex-connector top'", file.display()));
    terminal.wait_for("? keys");
    let pid = pid_in(&file);
    terminal.close();
    eventually("the end of the process", ANSWER_TIMEOUT, || (!is_alive(pid)).then_some(()));
}
