//! `diff`, `undo`, `redo` and `apply` after an operation that was interrupted.

use std::fs;

use serde_json::{Value, json};

use crate::{
    cli_read::{assert_golden, ended, printed, run},
    world::World,
};

/// Makes the last operation of a task look interrupted before it wrote `README.md`.
fn interrupt(world: &World, id: &str, text: &str) {
    let file = world.data_dir().join("workspaces").join(format!("{id}.json"));
    let mut workspace: Value =
        serde_json::from_slice(&fs::read(&file).expect("the task has snapshots")).expect("it is JSON");
    let operations = workspace["operations"].as_array_mut().expect("there was an operation");
    operations.last_mut().expect("there was an operation")["state"] = json!("begun");
    fs::write(&file, workspace.to_string()).expect("it is writable");
    world.project.write("README.md", text);
}

#[test]
fn an_operation_that_was_interrupted_is_reported_by_every_verb() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = ended(&world, &mut server, json!([{"write": {"path": "README.md", "text": "Changed.\n"}}]));
    let other = ended(&world, &mut server, json!([{"run": "echo x >made.txt"}]));
    printed(&world, &["undo", &id]);
    let original = world.project.read("README.md");
    interrupt(&world, &id, "Changed.\n");

    let shown = run(&world, &["diff", &id, "--stat"]);
    let words = "the last undo of these changes has not finished";
    assert!(shown.code == Some(0) && shown.stderr.contains(words), "{}", shown.stderr);
    let shown: Value = serde_json::from_str(&printed(&world, &["diff", &id, "--json"])).expect("it is JSON");
    assert_eq!(shown["recovered"][0]["state"], "pending");
    let checked = run(&world, &["undo", &other, "--check"]);
    assert_eq!((checked.code, &*checked.stdout), (Some(0), "would change\tREADME.md\n"));
    assert!(checked.stderr.contains("has to be completed first (1 file)"), "{}", checked.stderr);

    // The other task's change is not named, so nothing else is undone.
    let refused = run(&world, &["undo", &other, "--json"]);
    let completed = format!("an interrupted undo of task {id} was completed first (1 file written)\nnext: ");
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(refused.stderr.starts_with("nothing was undone: while task") && refused.stderr.contains(&completed));
    assert_golden(&world, "undo-recovered", &refused.stdout.replace(&other, "<other>"), &id);
    assert_eq!(world.project.read("README.md"), original);

    interrupt(&world, &id, "Changed.\n");
    let undone = run(&world, &["undo", &other, "--all", "--json"]);
    assert_eq!(undone.code, Some(0), "{}", undone.stderr);
    let undone: Value = serde_json::from_str(&undone.stdout).expect("it is JSON");
    assert_eq!((&undone["recovered"][0]["id"], &undone["recovered"][0]["state"]), (&json!(id), &json!("finished")));
    assert_eq!(undone["files"][0]["path"], "made.txt");
}
