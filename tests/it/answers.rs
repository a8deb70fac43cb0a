//! The length of answers. `cargo test --test it -- answers --nocapture` prints the numbers in docs/clients.md.

use std::fs;

use connector_testing::McpServer;
use serde_json::{Value, json};

use crate::world::{World, and, start, task_id, wait_for_end, wait_for_log};

#[test]
#[expect(clippy::print_stdout, reason = "the counts are for people")]
fn answers_are_small() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let length = |server: &mut McpServer, what: &str, tool: &str, arguments: Value, most: usize| {
        let text = server.call(tool, arguments, |_| {}).text;
        let length = text.chars().count();
        // Counts the characters outside the log lines of a status, because those have the length that the agent gave
        // them.
        let log =
            text.split_once("### Recent log").and_then(|(_, rest)| rest.split_once("```\n")?.1.split_once("\n```"));
        let other_chars = length - log.map_or(0, |(lines, _)| lines.chars().count());
        println!("{what:60} {length:6} {other_chars:6}");
        assert!(
            other_chars <= most,
            "{what}: {other_chars} characters outside log lines, at most {most} allowed:\n{text}"
        );
        text
    };
    let message = "Fixed the parser and added a test. ".repeat(10);
    let success =
        world.fake(json!([{"command": {"cmd": "cargo test", "output": "ok\n".repeat(30)}}, {"say": message}]));
    length(&mut server, "a success with a message of 360 characters", "codex_agent", success, 1_200);
    length(&mut server, "a failure", "codex_agent", world.fake(json!([{"fail": "stream disconnected"}])), 1_000);
    let release = world.home().join("go");
    let lines = json!({"lines": 500, "length": 400, "stream": "stderr"});
    let steps = json!([{"flood": lines}, {"say": "busy"}, {"await_file": release}, {"say": "x".repeat(100_000)}]);
    let background = and(world.fake(steps), json!({"async": true}));
    let id = {
        let text = length(&mut server, "a start in the background", "codex_agent", background, 900);
        text.split_once("**Task ID:** ").map(|(_, rest)| rest[..8].to_owned()).expect("a task ID")
    };
    wait_for_log(&world, &id, "MESSAGE: busy");
    let of = json!({"taskId": id});
    let status = length(&mut server, "a status while it runs, 50 log lines", "codex_status", of.clone(), 1_500);
    let longest = status.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(230), "a line of {longest:?} characters");
    length(&mut server, "the same again", "codex_status", of.clone(), 1_500);
    fs::write(&release, "").expect("the home is writable");
    wait_for_end(&mut world.server(), &id);
    length(&mut server, "its end, with a result of 100,000 characters", "codex_status", of.clone(), 13_500);
    length(&mut server, "the same again", "codex_status", of.clone(), 1_500);
    for _ in 0..20 {
        let id = start(&mut server, world.fake(json!([{"say": "x"}])));
        wait_for_end(&mut server, &id);
    }
    length(&mut server, "a list of 20 tasks", "codex_tasks", json!({}), 5_000);
    length(&mut server, "a cancel of a task that had ended", "codex_cancel", of, 800);
    let long = server.call("codex_agent", world.fake(json!([{"say": "y".repeat(100_000)}])), |_| {});
    let whole = format!("resource `task://{}/result`", task_id(&long));
    assert!(long.text.chars().count() < 21_500 && long.text.contains(&whole), "{}", long.text.chars().count());
}

#[test]
fn answers_say_how_the_agent_ran_who_else_works_here_and_how_to_resume() {
    let world = World::with_fake_agent().configure("[tools]\nextra = [\"resume\"]\n");
    let mut server = world.server();
    let release = world.home().join("go");
    let waiting = json!([{"say": "busy"}, {"await_file": release}, {"say": "done"}]);
    let first = start(&mut server, world.fake(waiting));
    let second = and(world.fake(json!([{"say": "x"}])), json!({"async": true, "sandbox": "workspace-write"}));
    let started = server.call("codex_agent", second, |_| {}).text;
    let neighbor = format!("**Warning:** 1 other task is running in this repository ({first})");
    assert!(started.contains(&neighbor) && started.contains("**Sandbox:** workspace-write\n"), "{started}");
    let directory = world.project.path().canonicalize().expect("it exists");
    assert!(started.contains(&format!("**Working directory:** {}\n", directory.display())), "{started}");
    fs::write(&release, "").expect("the home is writable");
    wait_for_end(&mut world.server(), &first);
    let ended = server.call("codex_status", json!({"taskId": first}), |_| {}).text;
    let session = world.record(&first)["sessionId"].as_str().expect("the agent reports a session").to_owned();
    let by_tool =
        format!("**Resume:** call `codex_resume` with `taskId` `{first}`, or run `cd {} && ", directory.display());
    assert!(ended.contains(&by_tool) && ended.contains(&format!(" resume {session}` in a terminal\n")), "{ended}");
}
