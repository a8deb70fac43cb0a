//! The optional tools about a task's changes, and the resource with its patch.

use std::fs;

use connector_testing::McpServer;
use serde_json::{Value, json};

use crate::world::{World, start, wait_for_end, wait_for_log};

fn world() -> World {
    World::with_fake_agent().configure("[tools]\nextra = [\"diff\", \"undo\", \"apply\"]\n")
}

fn ended(server: &mut McpServer, arguments: Value) -> String {
    let id = start(server, arguments);
    wait_for_end(server, &id);
    id
}

/// The text of an answer, and whether the call was refused.
fn call(server: &mut McpServer, tool: &str, arguments: Value) -> (String, bool) {
    let answer = server.call(tool, arguments, |_| {});
    (answer.text, answer.is_error)
}

#[test]
fn a_task_is_shown_undone_and_redone_by_tools() {
    let world = world();
    let mut server = world.server();
    let steps = json!([{"write": {"path": "README.md", "text": "Changed.\n"}}, {"run": "echo x >made.txt"}]);
    let id = ended(&mut server, world.fake(steps));
    let (text, refused) = call(&mut server, "codex_diff", json!({"taskId": id}));
    assert!(!refused && text.contains("**Changes:** 2 files, +2 −1\n"), "{text}");
    assert!(text.contains("- `README.md` (modified, +1 −1)\n") && text.contains("\n+Changed.\n"), "{text}");
    let (text, _) = call(&mut server, "codex_diff", json!({"taskId": id, "filesOnly": true, "paths": ["made.txt"]}));
    assert!(
        text.contains("- `made.txt` (added, +1 −0)") && !text.contains("README") && !text.contains("Bytes"),
        "{text}"
    );

    let (text, refused) = call(&mut server, "codex_undo", json!({"taskId": id}));
    assert!(!refused && text.contains("- `README.md`\n") && text.contains("pass `all: true`"), "{text}");
    assert_eq!(world.project.read("README.md").as_deref(), Some("A project for tests.\n"));
    let (text, refused) = call(&mut server, "codex_undo", json!({"taskId": id, "redo": true}));
    assert!(!refused && text.starts_with("## Changes Redone\n"), "{text}");
    assert_eq!(world.project.read("README.md").as_deref(), Some("Changed.\n"));

    world.project.write("README.md", "Mine.\n");
    let (text, refused) = call(&mut server, "codex_undo", json!({"taskId": id, "all": true}));
    assert!(refused && text.starts_with("Nothing was written: undo of task") && text.contains("README.md ("), "{text}");
    assert!(world.project.read("made.txt").is_some(), "nothing was written");
    let (text, refused) = call(&mut server, "codex_apply", json!({"taskId": id}));
    assert!(refused && text.contains("it worked in your files"), "{text}");
    for (tool, arguments) in [
        ("codex_diff", json!({"taskId": "00000000"})),
        ("codex_undo", json!({"taskId": id, "paths": ["../x"]})),
        ("codex_apply", json!({"taskId": id, "paths": "x"})),
    ] {
        let (text, refused) = call(&mut server, tool, arguments);
        assert!(refused && text.contains("\nnext: "), "{text}");
    }
}

#[test]
fn a_long_patch_is_read_in_pieces_that_fit_an_answer() {
    let world = world();
    let mut server = world.server();
    let long: String = (0..8_000).map(|number| format!("line {number} ä\n")).collect();
    let id = ended(&mut server, world.fake(json!([{"write": {"path": "long.txt", "text": long}}])));
    let (mut joined, mut offset, mut pieces) = (String::new(), Some(0_u64), 0);
    while let Some(at) = offset {
        let (text, refused) = call(&mut server, "codex_diff", json!({"taskId": id, "offset": at, "length": 30_000}));
        assert!(!refused && text.chars().count() < 40_000, "{}", text.len());
        let inside = text.split_once("```\n").and_then(|(_, rest)| rest.rsplit_once("```")).expect("a fence").0;
        joined.push_str(inside);
        let next =
            text.split_once("and `offset` ").map(|(_, rest)| rest.split(',').next().unwrap_or_default().to_owned());
        offset = next.map(|next| next.parse().expect("a number"));
        pieces += 1;
    }
    assert!(pieces > 3 && joined.contains("\n+line 0 ä\n") && joined.ends_with("+line 7999 ä\n"), "{pieces}");
    assert_eq!(joined.lines().filter(|line| line.starts_with("+line ")).count(), 8_000);
}

#[test]
fn the_patch_is_a_resource_also_while_the_task_runs_and_secrets_in_it_are_redacted() {
    let secret = "Sup3rS3cretV4lue-0123456789";
    let world = world().variable("API_TOKEN", secret);
    let mut server = world.server();
    let release = world.home().join("go");
    let steps = json!([{"write": {"path": "new.txt", "text": format!("token {secret}\n")}}, {"await_file": release}]);
    let id = start(&mut server, world.fake(steps));
    wait_for_log(&world, &id, "new.txt");
    let uri = format!("task://{id}/diff");
    let read = |server: &mut McpServer, uri: &str| {
        server.request("resources/read", json!({"uri": uri}))["contents"][0].clone()
    };
    let content = read(&mut server, &uri);
    assert_eq!(content["mimeType"], "text/x-diff");
    let text = content["text"].as_str().expect("it is text").to_owned();
    assert!(text.contains("\n+token [redacted:API_TOKEN]\n"), "{text}");
    fs::write(&release, "").expect("the home is writable");
    wait_for_end(&mut server, &id);
    assert_eq!(read(&mut server, &uri)["text"], text);
    let part = read(&mut server, &format!("{uri}?offset=0&length=20"));
    assert!(part["_meta"]["codex-connector/next"].as_str().is_some_and(|next| next.starts_with(&uri)), "{part}");
    let listed = server.request("resources/list", json!({}));
    let uris: Vec<_> = listed["resources"].as_array().expect("a list").iter().map(|it| it["uri"].clone()).collect();
    assert!(uris.contains(&json!(uri)), "{uris:?}");

    let without =
        ended(&mut server, crate::world::and(world.fake(json!([{"say": "x"}])), json!({"sandbox": "read-only"})));
    let refused = server.try_request("resources/read", json!({"uri": format!("task://{without}/diff")}));
    assert_eq!(refused.expect_err("it has no snapshots").code, -32002);
}
