//! The actions of the web UI, each with and without `--actions`.

use connector_testing::{McpServer, eventually};
use serde_json::{Value, json};

use crate::{
    web_client::{Browser, WebServer},
    world::{ANSWER_TIMEOUT, World, start, task_id, wait_for_log},
};

/// A world with a committed file.
fn world() -> World {
    let world = World::with_fake_agent();
    world.project.write("a.txt", "one\n");
    world.project.git(&["add", "a.txt"]);
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
    world.project.git(&[&identity[..], &["commit", "--quiet", "-m", "second"]].concat());
    world
}

/// Runs a task to its end, and returns its ID once its files are complete.
fn ended(world: &World, server: &mut McpServer, steps: Value) -> String {
    let id = task_id(&server.call("codex_agent", world.fake(steps), |_| {}));
    eventually("the end of the run directory", ANSWER_TIMEOUT, || {
        (!world.data_dir().join("run").join(&id).exists()).then_some(())
    });
    id
}

/// Sends the form of an action, and returns the address of the page that it leads to.
fn act(browser: &Browser, id: &str, action: &str, more: &str) -> String {
    let fields = format!("csrf={}{more}", browser.csrf());
    let done = browser.send(&browser.form(&format!("/tasks/{id}/{action}"), &fields));
    assert_eq!(done.status, 303, "{action}: {done:?}");
    done.header("location").expect("a redirect has an address").to_owned()
}

#[test]
fn without_actions_each_one_is_refused_with_its_command() {
    let world = world();
    let mut mcp = world.server();
    let id = start(&mut mcp, world.fake(json!([{"write": {"path": "a.txt", "text": "two\n"}}, {"hang": true}])));
    let server = WebServer::start(&world, &[]);
    let browser = server.browser();
    let csrf = browser.csrf();
    for action in ["cancel", "undo", "redo", "apply", "resume"] {
        let path = format!("/tasks/{id}/{action}");
        let form = browser.form(&path, &format!("csrf={csrf}&prompt=go"));
        for refused in [browser.send(&form), browser.get(&path)] {
            let command = format!("codex-connector {action} {id}");
            assert!(refused.status == 403 && refused.body.contains(&command), "{action}: {refused:?}");
        }
    }
    let page = browser.get(&format!("/tasks/{id}")).body;
    assert!(!page.contains("/cancel"), "the page has no actions: {page}");
    assert_eq!(world.record(&id)["status"], "running");
    mcp.call("codex_cancel", json!({"taskId": id}), |_| {});
}

#[test]
fn cancel_stops_a_task_and_says_so_once() {
    let world = world();
    let mut mcp = world.server();
    let id = start(&mut mcp, world.fake(json!([{"say": "busy"}, {"hang": true}])));
    wait_for_log(&world, &id, "MESSAGE: busy");
    let server = WebServer::start(&world, &["--actions"]);
    let browser = server.browser();
    let asked = browser.get(&format!("/tasks/{id}/cancel"));
    assert!(asked.status == 200 && asked.body.contains("name=\"csrf\""), "{asked:?}");
    assert_eq!(world.record(&id)["status"], "running", "GET changes nothing");
    assert_eq!(act(&browser, &id, "cancel", ""), format!("/tasks/{id}"));
    assert_eq!(world.record(&id)["failureReason"], "Cancelled by user");
    let notice = format!("Task {id} was cancelled");
    let shown = |browser: &Browser| text(&browser.get(&format!("/tasks/{id}")).body).contains(&notice);
    assert!(shown(&browser) && !shown(&browser), "it is shown once");
    act(&browser, &id, "cancel", "");
    assert!(text(&browser.get(&format!("/tasks/{id}")).body).contains("had already ended"));
}

/// The text of a page, without its elements.
fn text(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text += part.split_once('>').map_or(part, |(_, after)| after);
    }
    text
}

#[test]
fn undo_and_redo_change_files_and_a_conflict_is_explained() {
    let world = world();
    let id = ended(&world, &mut world.server(), json!([{"write": {"path": "a.txt", "text": "two\n"}}]));
    let server = WebServer::start(&world, &["--actions"]);
    let browser = server.browser();
    act(&browser, &id, "undo", "");
    assert_eq!(world.project.read("a.txt").as_deref(), Some("one\n"));
    let page = text(&browser.get(&format!("/tasks/{id}")).body);
    assert!(page.contains(&format!("Reverted the changes of task {id}")), "{page}");
    act(&browser, &id, "redo", "");
    assert_eq!(world.project.read("a.txt").as_deref(), Some("two\n"));

    world.project.write("a.txt", "three\n");
    let form = browser.form(&format!("/tasks/{id}/undo"), &format!("csrf={}", browser.csrf()));
    let refused = browser.send(&form);
    let words = text(&refused.body);
    assert!(refused.status == 409 && words.contains("a.txt") && words.contains("Next:"), "{refused:?}");
    assert_eq!(world.project.read("a.txt").as_deref(), Some("three\n"));
}

#[test]
fn apply_writes_the_changes_of_a_worktree() {
    let world = world();
    let steps = json!([{"write": {"path": "a.txt", "text": "two\n"}}]);
    std::fs::write(world.home().join("task"), format!("FAKE{steps}")).expect("the home is writable");
    let mut run = world.command(&["run", "--worktree", "-f"]);
    let ran = run.arg(world.home().join("task")).current_dir(world.project.path()).output().expect("the program runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let listed = world.command(&["ls", "--all"]).output().expect("the program runs").stdout;
    let id = String::from_utf8_lossy(&listed).split('\t').next().expect("an ID").to_owned();
    assert_eq!(world.project.read("a.txt").as_deref(), Some("one\n"));
    let server = WebServer::start(&world, &["--actions"]);
    let browser = server.browser();
    act(&browser, &id, "apply", "");
    assert_eq!(world.project.read("a.txt").as_deref(), Some("two\n"));
}

#[test]
fn resume_continues_the_session_in_a_task_that_outlives_the_server() {
    let world = world();
    let id = ended(&world, &mut world.server(), json!([{"say": "first"}]));
    let server = WebServer::start(&world, &["--actions"]);
    let browser = server.browser();
    let empty = browser.form(&format!("/tasks/{id}/resume"), &format!("csrf={}&prompt=+", browser.csrf()));
    assert_eq!(browser.send(&empty).status, 400);
    let release = world.home().join("go");
    let prompt = format!("FAKE{}", json!([{"await_file": release}, {"say": "second"}]));
    let prompt: String = prompt.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let address = act(&browser, &id, "resume", &format!("&prompt={prompt}"));
    let new = address.strip_prefix("/tasks/").expect("the page of a task").to_owned();
    assert_ne!(new, id);
    assert!(text(&browser.get(&address).body).contains(&format!("continues the session of task {id}")));
    assert_eq!(world.record(&new)["sessionId"], world.record(&id)["sessionId"]);
    drop(server);
    std::fs::write(&release, "").expect("the home is writable");
    eventually("the end of the task", ANSWER_TIMEOUT, || (world.record(&new)["status"] == "completed").then_some(()));
}
