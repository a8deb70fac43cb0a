//! Servers that inherit ignored and blocked signals.

use std::{fs, process::Command};

use connector_testing::McpServer;
use serde_json::json;

use crate::world::World;

#[test]
fn a_server_that_inherits_an_ignored_sigchld_and_blocked_signals_completes_its_tasks() {
    let world = World::with_fake_agent();
    let ours = world.command(&[]);
    // These options need coreutils 8.31.
    let mut command = Command::new("env");
    command.args(["--ignore-signal=CHLD", "--ignore-signal=HUP", "--block-signal=TERM", "--block-signal=CHLD"]);
    command.arg(ours.get_program()).env_clear();
    command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut server = McpServer::spawn(command);
    server.initialize();
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap_or_default();
    for (set, signals) in [("SigIgn:", 1 << 16 | 1), ("SigBlk:", 1 << 14 | 1 << 16)] {
        let mask = status.lines().find_map(|line| line.strip_prefix(set));
        let mask = mask.map(|mask| u64::from_str_radix(mask.trim(), 16).expect("it is a set"));
        assert_eq!(mask.unwrap_or_default() & signals, 0, "{set}");
    }
    for _ in 0..4 {
        let answer = server.call("codex_agent", world.fake(json!([{"say": "done"}])), |_| {});
        assert!(answer.text.contains("**Status:** completed successfully"), "{}", answer.text);
    }
}
