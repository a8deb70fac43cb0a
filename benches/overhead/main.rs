//! What codex-connector costs: the numbers of `docs/performance.md`.
//!
//! `cargo bench --bench overhead` measures everything, `cargo bench --bench overhead -- call output` only these parts.
//! A plain program that prints a table. Each number stands beside its target; where two things are compared, they
//! take turns, so that a busy machine slows both. The agent is the fake agent, which answers at once.
//!
//! | part | what |
//! |---|---|
//! | `start` | from the start of a server to its list of tools |
//! | `memory` | an idle server and an idle supervisor |
//! | `call` | a whole call, against the agent alone |
//! | `output` | agents that print 200 MB, against the same into a file |
//! | `reading` | looking at a task with a large log, and at a long history |
//! | `idle` | processor time and wakeups while an agent is silent |

mod call;
mod idle;
mod memory;
mod output;
mod processes;
mod reading;
mod report;
mod start;
mod world;

use std::{env, io, process::ExitCode};

use report::Report;

type Part = fn(&mut Report) -> io::Result<()>;

const PARTS: [(&str, Part); 6] = [
    ("start", start::measure),
    ("memory", memory::measure),
    ("call", call::measure),
    ("output", output::measure),
    ("reading", reading::measure),
    ("idle", idle::measure),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let mut report = Report::default();
    // `cargo bench` says so; `cargo test --benches` does not, and has no use for numbers of a debug build.
    if !args.iter().any(|arg| arg == "--bench") {
        return if report.part("run this with `cargo bench --bench overhead`").is_ok() {
            ExitCode::SUCCESS
        } else {
            1.into()
        };
    }
    let wanted: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let parts = PARTS.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|word| word == name));
    let measured = parts.into_iter().try_for_each(|(_, part)| part(&mut report));
    match measured.and_then(|()| report.end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
