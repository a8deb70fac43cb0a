//! Kills processes, cancels tasks and provokes races, and then checks that nothing was left running, lost, or recorded
//! wrongly.
//!
//!     cargo run --release --example torture                                  about two minutes of everything
//!     cargo run --release --example torture -- --rounds 500                  longer
//!     cargo run --release --example torture -- --cancels 2000 --kills 1000   these scenarios, this many times
//!     cargo run --release --example torture -- --worktrees 200               tasks in worktrees, killed at any moment
//!     cargo run --release --example torture -- --real-codex                  with Codex from npm and a scripted model
//!     cargo run --release --example torture -- --seed 7 --round 12           repeats the round that failed
//!
//! The events are chosen at random from a seed, which is printed; their timing depends on the machine. The outcome is
//! read from the process table and the files, and never from the program under test. Every violation is printed with
//! all the information needed to investigate it. Then the data directory is kept, and the exit code is 1. Linux only.
//!
//! This one program plays all parts. Started by you, it plays Claude Code and its user. It starts itself again as the
//! MCP server, which starts it as a supervisor, which starts it as the tests' fake agent.

#[path = "../../tests/fake_agent/main.rs"]
mod fake_agent;
#[path = "../../src/main.rs"]
mod program;
#[cfg(target_os = "linux")]
mod trial;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let first = env::args_os().nth(1).map(|first| first.to_string_lossy().into_owned());
    match first.as_deref() {
        // These roles come first, because some of them fork as fast as they can.
        Some(role) if role.starts_with("__") => fake_agent::main(),
        Some("exec" | "login" | "--version") => fake_agent::main(),
        // The server's first argument is --data-dir, and a supervisor's first argument is its role.
        Some("--data-dir" | "supervise") => program::main(),
        Some(_) | None => torture(),
    }
}

#[cfg(target_os = "linux")]
fn torture() -> ExitCode {
    trial::run(&clap::Parser::parse())
}

#[cfg(not(target_os = "linux"))]
fn torture() -> ExitCode {
    use std::io::Write;

    let _ = writeln!(std::io::stderr(), "this example reads /proc, so it runs only on Linux");
    ExitCode::FAILURE
}
