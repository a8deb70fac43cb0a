//! Kills, cancels and races without end, and looks afterwards whether anything was left, lost or untrue.
//!
//!     cargo run --release --example torture                                  about two minutes of everything
//!     cargo run --release --example torture -- --rounds 500                  longer
//!     cargo run --release --example torture -- --cancels 2000 --kills 1000   these scenarios, so often
//!     cargo run --release --example torture -- --real-codex                  with Codex from npm, a scripted model
//!     cargo run --release --example torture -- --seed 7 --round 12           the round that failed, again
//!
//! What happens is drawn from a seed, which is printed; when it happens is up to the machine. What came of it is read
//! from the process table and from the files, never asked of the program under test. Every violation is printed with
//! all that is needed to look into it, the data directory is kept, and the exit code is 1. Linux only.
//!
//! This one program plays all parts: run by you it plays Claude Code and its user; it starts itself again as MCP
//! server, that starts it as supervisor, and that starts it as the fake agent of the tests.

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
        // What forks as fast as it can comes first.
        Some(role) if role.starts_with("__") => fake_agent::main(),
        Some("exec" | "login" | "--version") => fake_agent::main(),
        // The first argument of our server is --data-dir, and that of a supervisor is its role.
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

    let _ = writeln!(std::io::stderr(), "this example reads /proc, which only Linux has");
    ExitCode::FAILURE
}
