//! A program that imitates a coding agent, for tests of behavior that a real agent shows rarely, late, or never.
//!
//! `FAKE_AGENT` selects the agent: `claude`, `gemini`, `opencode`, `acp` (an agent that speaks ACP), `text` (a program
//! that prints plain text), or `codex`, the default. From outside, it looks like that agent (see [`dialect`]):
//! version, help, errors, and a run with a prompt. The prompt then decides what it does: either a JSON list after
//! `FAKE[` (see [`play`]), or one of a few plain sentences (see [`script`]). It answers any other prompt with `ok: `
//! and the beginning of the prompt. A model whose name begins with `no-such-model` does not exist.
//!
//! For example, the prompt `FAKE[{"say": "working"}, {"sleep": 2}, {"exit": 3}]` makes it print a message, wait for
//! two seconds, and exit with code 3.
//!
//! These environment variables change its behavior:
//!
//! | variable | effect |
//! |---|---|
//! | `FAKE_AGENT_SESSIONS` | the directory for sessions; without it, sessions are not kept |
//! | `FAKE_AGENT_REFUSES` | the flag that it rejects; for Codex, see below |
//! | `FAKE_ACP_LINGERS` | it keeps running when stdin ends |
//! | `FAKE_CODEX_VERSION` | the version that it reports |
//! | `FAKE_CODEX_FULL_AUTO` | the help lists `--full-auto` |
//! | `FAKE_CODEX_NO_SANDBOX` | the help does not list `--sandbox` |
//! | `FAKE_CODEX_REFUSES` | the flag that `exec` rejects |
//! | `FAKE_CODEX_STRAYS` | `exec resume` starts a new session |
//! | `FAKE_CODEX_LOGGED_OUT` | `login status` reports that no user is logged in |
//!
//! It does not imitate what agents do to files or processes beyond the steps of a script, and it is never installed.
//! The example `torture` includes it as a module.

mod call;
mod child;
mod command;
mod conversation;
mod dialect;
mod interrupt;
mod output;
mod play;
mod script;
mod sessions;
mod swarm;

use std::{env, io, process::ExitCode};

use dialect::{AgentCommandLine, Protocol, TokenCounts, UsageError};
use output::Output;
use play::{PlayResult, Player};
use sessions::SessionMemory;

/// Runs the role that the arguments name.
pub(crate) fn main() -> ExitCode {
    let args: Vec<String> = env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let finished = match args.as_slice() {
        [swarm::ROLE, rest @ ..] => swarm::run_role(rest),
        [child::ROLE, spec] => child::run_role(spec),
        [command::ROLE, command] => command::run_role(command),
        args => work(args),
    };
    finished.unwrap_or_else(|problem| {
        output::print_error(&format!("fake agent: {problem}"));
        ExitCode::from(EXIT_BROKEN)
    })
}

/// Runs the agent with these arguments.
fn work(args: &[&str]) -> Result<ExitCode, FakeAgentError> {
    match dialect::protocol()? {
        Protocol::Conversation => conversation::hold(args),
        Protocol::Run(agent) => match agent.answer(args)? {
            Some(answered) => Ok(answered),
            None => run(agent.as_ref(), args),
        },
    }
}

/// Plays the prompt's script as a run of `agent` with `args`.
fn run(agent: &dyn AgentCommandLine, args: &[&str]) -> Result<ExitCode, FakeAgentError> {
    let mut call = agent.call(args);
    let children = interrupt::watch(agent.signal_behaviour())?;
    if let Some(directory) = &call.directory
        && let Err(problem) = env::set_current_dir(directory)
    {
        return Ok(UsageError::new(format!("Error: {problem}"), 1).exit_with_message());
    }
    let prompt = call.take_prompt()?;
    if prompt.trim().is_empty() {
        return Ok(agent.no_prompt().exit_with_message());
    }
    if let Some(session) = &call.resumed
        && agent.has_lost(session, sessions::is_known(session))
    {
        return Ok(agent.lost_session(session).exit_with_message());
    }
    let session = agent.session(&call);
    let player = Player {
        dialect: agent.dialect(&call, &session),
        output: Output::default(),
        children,
        memory: SessionMemory::of(&session)?,
        call,
        usage: TokenCounts::default(),
    };
    match player.play(&prompt)? {
        PlayResult::Completed => Ok(ExitCode::SUCCESS),
        PlayResult::Failed(code) | PlayResult::Exit(code) => Ok(ExitCode::from(code)),
    }
}

/// The exit code of a fake agent that cannot follow its script. No agent uses this code, so a test notices it.
const EXIT_BROKEN: u8 = 70;

/// The reason why the fake agent cannot follow its script.
#[derive(Debug)]
enum FakeAgentError {
    /// The script is not in the form that [`play`] describes, or there is no such agent.
    Script(String),
    /// A system call failed.
    System(io::Error),
}

impl std::fmt::Display for FakeAgentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FakeAgentError::Script(what) => write!(f, "bad script: {what}"),
            FakeAgentError::System(problem) => write!(f, "{problem}"),
        }
    }
}

impl From<io::Error> for FakeAgentError {
    fn from(problem: io::Error) -> FakeAgentError {
        FakeAgentError::System(problem)
    }
}

impl From<rustix::io::Errno> for FakeAgentError {
    fn from(problem: rustix::io::Errno) -> FakeAgentError {
        FakeAgentError::System(problem.into())
    }
}
