//! A program that pretends to be `codex`, for tests of what real Codex does rarely, late, or never.
//!
//! It looks like Codex 0.169.0 from outside: `--version`, `exec --help`, `login status`, and `exec --json … -` with a
//! prompt on stdin. What it does then stands in the prompt, as a JSON list after `FAKE[` (see [`play`]); a prompt
//! without one is answered with `ok: ` and its beginning.
//!
//! Its surface is changed by variables of its environment:
//!
//! | variable | effect |
//! |---|---|
//! | `FAKE_CODEX_VERSION` | the version it claims |
//! | `FAKE_CODEX_FULL_AUTO` | the help lists `--full-auto` |
//! | `FAKE_CODEX_NO_SANDBOX` | the help does not list `--sandbox` |
//! | `FAKE_CODEX_REFUSES` | the flag that `exec` does not know |
//! | `FAKE_CODEX_STRAYS` | `exec resume` begins a new session |
//! | `FAKE_CODEX_LOGGED_OUT` | `login status` says so |
//!
//! It is no model of what agents do to files or processes beyond its steps, and it is never installed. The example
//! `torture` has it inside, as a module of its own.

mod child;
mod interrupt;
mod output;
mod play;
mod surface;
mod swarm;

use std::{
    env,
    io::{self, Read},
    process::ExitCode,
};

use output::Output;
use play::{Ending, Player};

/// Plays the role that the arguments name.
pub(crate) fn main() -> ExitCode {
    let args: Vec<String> = env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let finished = match args.as_slice() {
        [swarm::ROLE, rest @ ..] => swarm::play_role(rest),
        [child::ROLE, spec] => child::play_role(spec),
        ["exec", rest @ ..] => exec(rest),
        _ => surface::answer(&args),
    };
    finished.unwrap_or_else(|problem| {
        output::complain(&format!("fake codex: {problem}"));
        ExitCode::from(70)
    })
}

/// Plays the prompt's script as `codex exec` with `args`.
fn exec(args: &[&str]) -> Result<ExitCode, Problem> {
    if args.contains(&"--help") {
        return surface::exec_help();
    }
    if let Some(refusal) = surface::refusal(args) {
        output::complain(&refusal);
        return Ok(ExitCode::from(2));
    }
    let children = interrupt::watch()?;
    if let Some(directory) = value_of(args, &["-C", "--cd"])
        && let Err(problem) = env::set_current_dir(directory)
    {
        output::complain(&format!("Error: {problem}"));
        return Ok(ExitCode::from(1));
    }
    let prompt = prompt(args)?;
    if prompt.trim().is_empty() {
        output::complain("No prompt provided via stdin.");
        return Ok(ExitCode::from(1));
    }
    let resumed = value_of(args, &["resume"]);
    if resumed.is_some_and(|session| session.starts_with("00000000-")) {
        output::complain("Error: thread/resume: no rollout found for thread id (code -32600)");
        return Ok(ExitCode::from(1));
    }
    let output = Output::new(resumed.filter(|_| env::var_os("FAKE_CODEX_STRAYS").is_none()));
    match Player::new(output, children).play(&prompt)? {
        Ending::Completed => Ok(ExitCode::SUCCESS),
        Ending::Exit(code) => Ok(ExitCode::from(code)),
    }
}

/// The argument after `--`, or everything on stdin.
fn prompt(args: &[&str]) -> Result<String, Problem> {
    if let [.., "--", prompt] = args
        && *prompt != "-"
    {
        return Ok((*prompt).to_owned());
    }
    let mut prompt = Vec::new();
    io::stdin().read_to_end(&mut prompt)?;
    Ok(String::from_utf8_lossy(&prompt).into_owned())
}

/// The argument after the first of `names` that is there.
fn value_of<'a>(args: &[&'a str], names: &[&str]) -> Option<&'a str> {
    let at = args.iter().position(|arg| names.contains(arg))?;
    args.get(at + 1).copied()
}

/// Why the fake agent cannot do what it was told. It ends with 70, which no agent does, so that a test sees it.
#[derive(Debug)]
enum Problem {
    /// The script is not what [`play`] describes.
    Script(String),
    /// The system refused something.
    System(io::Error),
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Problem::Script(what) => write!(f, "bad script: {what}"),
            Problem::System(problem) => write!(f, "{problem}"),
        }
    }
}

impl From<io::Error> for Problem {
    fn from(problem: io::Error) -> Problem {
        Problem::System(problem)
    }
}

impl From<rustix::io::Errno> for Problem {
    fn from(problem: rustix::io::Errno) -> Problem {
        Problem::System(problem.into())
    }
}
