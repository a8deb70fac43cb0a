//! Output that cannot be written.

use std::{fs, process::Stdio};

use serde_json::json;

use crate::{cli_read::ended, world::World};

#[test]
fn a_verb_whose_output_cannot_be_written_fails_unless_the_pipe_was_closed() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = ended(&world, &mut server, json!([{"say": "the answer"}]));
    let removed = ended(&world, &mut server, json!([{"say": "x"}]));
    let output_to = |args: &[&str], stdout: Stdio| {
        let mut command = world.command(args);
        command.current_dir(world.project.path()).stdin(Stdio::null()).stdout(stdout).output().expect("it starts")
    };
    for args in [
        &["ls"][..],
        &["ls", "--json"],
        &["show", &id],
        &["show", &id, "--json"],
        &["show", &id, "--result"],
        &["logs", &id],
        &["logs", &id, "--raw"],
        &["logs", &id, "--events", "--json"],
        &["usage"],
        &["watch", &id],
        &["watch", &id, "--json"],
        &["wait", &id],
        &["wait", &id, "--json"],
        &["cancel", &id],
        &["prune", "--keep", "0", "--dry-run"],
        &["config", "show"],
        &["check", "--json"],
        &["schema"],
        &["schema", "--output"],
        &["completions", "zsh"],
        &["plugin"],
        &["version"],
        &["--version"],
        &["--help"],
        &["ls", "--help"],
        &["help"],
        &["run", "--detach", "FAKE[]"],
        &["rm", &removed],
    ] {
        if args[0] != "rm" {
            let (reader, closed) = std::io::pipe().expect("there are descriptors");
            drop(reader);
            let output = output_to(args, closed.into());
            assert!(output.stderr.is_empty() || args == ["check", "--json"], "{args:?} {output:?}");
            // `wait` reports that nothing was printed.
            let expected: &[i32] = if args[0] == "wait" { &[0, 1] } else { &[0] };
            assert!(output.status.code().is_some_and(|code| expected.contains(&code)), "{args:?} {output:?}");
        }
        let full = fs::File::options().write(true).open("/dev/full").expect("it exists");
        let output = output_to(args, full.into());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?} {said}");
        assert!(said.contains("cannot write the output: No space left on device"), "{args:?} {said}");
    }
}
