//! The output of `--json`, compared with files and with the schema that the program prints.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    cli::{fake, run},
    world::World,
};

/// The same value with everything that differs from run to run replaced.
fn normalized(value: &mut Value, project: &Path, home: &Path) {
    match value {
        Value::Object(fields) => {
            if fields.get("state").is_some_and(|state| state == "running") {
                // How far the agent has come depends on timing.
                for name in ["agentVersion", "session", "activity", "workspace"] {
                    fields.insert(name.to_owned(), json!("ANY"));
                }
            }
            for (name, value) in fields {
                match (name.as_str(), &value) {
                    ("id", Value::String(_)) => *value = json!("ID"),
                    ("at" | "startedAt" | "endedAt" | "lastOutputAt", Value::String(_)) => *value = json!("TIME"),
                    ("durationMs" | "seq" | "ahead", Value::Number(_)) => *value = json!(0),
                    ("session", Value::String(_)) => *value = json!("SESSION"),
                    ("base" | "before" | "head", Value::String(_)) => *value = json!("COMMIT"),
                    _ => normalized(value, project, home),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| normalized(value, project, home)),
        Value::String(text) => {
            let paths = [(home, "HOME"), (project, "PROJECT")];
            for (path, name) in paths {
                *text = text.replace(&path.display().to_string(), name);
            }
            if let Some((directory, file)) = text.rsplit_once('/')
                && let Some((id, ending)) = file.split_once('.')
                && id.len() == 8
                && directory.ends_with("/logs")
            {
                *text = format!("{directory}/ID.{ending}");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Checks lines of output against the schema that the program prints, and against a file.
fn assert_golden(world: &World, name: &str, output: &str) {
    let schema = run(world, &["schema", "--output"]);
    let schema: Value = serde_json::from_str(&schema.stdout).expect("a schema is JSON");
    let mut lines = Vec::new();
    for line in output.lines() {
        let mut value: Value = serde_json::from_str(line).expect("a line is JSON");
        assert!(jsonschema::is_valid(&schema, &value), "not in the schema: {line}");
        normalized(&mut value, world.project.path(), world.home());
        // Whether and when these are written depends on timing.
        let is_minor = ["session", "usage", "queued"].iter().any(|kind| value["kind"] == *kind);
        if !is_minor {
            lines.push(format!("{value:#}"));
        }
    }
    let actual = lines.join("\n") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/fixtures/cli/{name}.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(file.parent().expect("it has a parent")).expect("the fixtures are writable");
        fs::write(&file, &actual).expect("the fixtures are writable");
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(actual, expected, "{name}: if this is intended, run the test with UPDATE_GOLDEN=1");
}

#[test]
fn json_output_is_stable_and_follows_the_schema() {
    let world = World::with_fake_agent();
    // The pause keeps the task from ending before its start is printed.
    let steps = fake(
        json!([{"sleep": 1}, {"say": "hello"}, {"command": {"cmd": "ls", "output": "a b", "exit": 0}}, {"say": "done"}]),
    );
    let ran = run(&world, &["run", "--json", &steps]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_golden(&world, "run", &ran.stdout);
    assert_golden(&world, "wait", &run(&world, &["wait", "--json", "@1"]).stdout);
    assert_golden(&world, "watch", &run(&world, &["watch", "--json", "@1"]).stdout);
    assert_golden(&world, "cancel", &run(&world, &["cancel", "--json", "@1"]).stdout);
    let detached = run(&world, &["run", "--json", "--detach", &fake(json!([{"hang": true}]))]);
    assert_golden(&world, "run-detach", &detached.stdout);
    assert_golden(&world, "wait-timeout", &run(&world, &["wait", "--json", "--timeout", "1ms"]).stdout);
    assert_eq!(run(&world, &["cancel", "@1"]).code, Some(0));
}
