//! The costs of codex-connector: the numbers in `docs/performance.md`.
//!
//! ```sh
//! cargo bench --bench overhead                              # everything
//! cargo bench --bench overhead -- call output               # these parts
//! cargo bench --bench overhead -- --baseline PROGRAM call   # in turn with another build of codex-connector
//! cargo bench --bench overhead -- --check                   # only whether costs grow: ratios, exit code 1 if they do
//! ```
//!
//! A plain program that prints Markdown tables. Each number has its target next to it. Two things that are
//! compared take turns, so that a busy machine slows down both. The agent is the fake agent, which answers immediately.
//!
//! | part | measures |
//! |---|---|
//! | `start` | the time from the start of a server to its list of tools |
//! | `memory` | an idle server and an idle supervisor |
//! | `call` | a whole call, against the agent alone |
//! | `burst` | many tasks started at once |
//! | `history` | calls, tasks, starts and `ls` at 0 to 100,000 tasks, and with a history of the original program |
//! | `output` | agents that print 200 MB, against the same into a file |
//! | `reading` | looking at a task with a large log |
//! | `workspace` | snapshots and worktrees, next to git's own commands |
//! | `web` | pages of the web UI with a long history and very long files, and the memory of its server with many open pages |
//! | `idle` | processor time and wakeups while an agent is silent, also of `watch` and `logs -f` |

mod burst;
mod call;
mod histories;
mod history;
mod idle;
mod memory;
mod output;
mod processes;
mod pty;
mod reading;
mod report;
mod samples;
mod scale;
mod sides;
mod start;
mod store;
mod web;
mod workspace;
mod world;

use std::{env, io, io::Write, path::PathBuf, process::ExitCode};

use clap::Parser;

use report::Report;
use scale::Scale;
use sides::{Build, Builds};

type Part = fn(&mut Builds, &Scale, &mut Report) -> io::Result<()>;

const PARTS: [(&str, Part); 10] = [
    ("start", |builds, _, report| start::measure(builds, report)),
    ("memory", |builds, _, report| memory::measure(builds, report)),
    ("call", |builds, _, report| call::measure(builds, report)),
    ("burst", burst::measure),
    ("history", history::measure),
    ("output", |builds, _, report| output::measure(builds, report)),
    ("reading", |builds, _, report| reading::measure(builds, report)),
    ("workspace", workspace::measure),
    ("web", |builds, _, report| web::measure(builds, report)),
    ("idle", |builds, _, report| idle::measure(builds, report)),
];

/// The parts that `--check` runs.
const CHECKED: [&str; 3] = ["burst", "history", "workspace"];

#[derive(Debug, Parser)]
struct Options {
    /// The build of codex-connector to measure, instead of the one that cargo built for this benchmark.
    #[arg(long, value_name = "PROGRAM")]
    program: Option<PathBuf>,
    /// Another build of codex-connector, measured in turn with this one.
    #[arg(long, value_name = "PROGRAM")]
    baseline: Option<PathBuf>,
    /// Checks only whether costs grow with the number of tasks, and fails if they do.
    #[arg(long)]
    check: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// The parts to run; all of them if there are none.
    #[arg(value_parser = PARTS.map(|(name, _)| name))]
    parts: Vec<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing is left to try if this fails too.
            let _ = writeln!(io::stderr(), "cannot measure: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures. `false`: `--check` found that costs grow.
fn run(options: &Options) -> io::Result<bool> {
    // `cargo test --benches` does not give it, and has no use for numbers of a debug build.
    if !options.bench {
        writeln!(io::stdout(), "run this with `cargo bench --bench overhead`")?;
        return Ok(true);
    }
    let build = |program: PathBuf| Ok::<_, io::Error>(Build { program: program.canonicalize()? });
    let built = || env!("CARGO_BIN_EXE_codex-connector").into();
    let this = build(options.program.clone().unwrap_or_else(built))?;
    let mut builds = Builds { this, baseline: options.baseline.clone().map(build).transpose()? };
    let mut report = Report::new(builds.baseline.is_some());
    let scale = if options.check { Scale::CHECK } else { Scale::FULL };
    let is_wanted = |name: &str| match &options.parts[..] {
        [] => !options.check || CHECKED.contains(&name),
        parts => parts.iter().any(|part| part == name),
    };
    for (_, part) in PARTS.iter().filter(|(name, _)| is_wanted(name)) {
        part(&mut builds, &scale, &mut report)?;
    }
    report.end()?;
    Ok(!options.check || report.missed() == 0)
}
