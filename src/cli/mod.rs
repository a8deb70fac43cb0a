//! The command line: which role this process plays.
//!
//! Without a verb it is the MCP server. People use `check` and `schema`; `supervise` is how the server starts a task.

mod check;
mod deep;
mod notify;
mod output;
mod runtime;
mod serve;
mod wait;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};

use self::{
    output::{error_text, fail, print, redactor, refuse, refuse_all},
    runtime::runtime,
};
use crate::{
    config::{self, Config, Overrides},
    kit::KitScope,
    present::{EXPECTED_ADDRESS, WAITS_FOR_CLIENT, escaped_argument, refusals},
    process::{reset_signals, run_as_init},
    registry::Registry,
    supervisor::{Assignment, supervise},
    task::TaskId,
};

/// An MCP server that lets Claude Code delegate coding tasks to the Codex CLI and other coding agents.
///
/// Without a command it serves MCP on stdin and stdout, as Claude Code starts it:
/// claude mcp add codex-connector -- codex-connector
#[derive(Debug, Parser)]
#[command(name = "codex-connector", version, about, long_about, disable_help_subcommand = true)]
struct CommandLine {
    #[command(flatten)]
    settings: ConfigArgs,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// Read this configuration file instead of ~/.codex-connector/config.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep everything in this directory instead of ~/.codex-connector
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Set one key of the configuration, as in --set tasks.heartbeat_interval=10s; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve MCP: on stdin and stdout, as without a command, or over HTTP
    Serve {
        /// Listen on this address, such as 127.0.0.1:8181; clients need the token in ~/.codex-connector/http-token
        #[arg(long, value_name = "ADDRESS:PORT", value_parser = listening_address)]
        http: Option<SocketAddr>,
        /// Let the address be one that other machines reach: traffic is not encrypted
        #[arg(long, requires = "http")]
        allow_remote: bool,
    },
    /// Wait until tasks have ended, and say what became of them
    ///
    /// Exits with 0 when all completed, 1 when one failed, 3 when one was interrupted, 4 when there is no such task, 124
    /// when the time is up.
    Wait {
        /// The tasks' ids
        #[arg(required = true, value_name = "TASK-ID")]
        ids: Vec<String>,
        /// Wait for the first of them to end
        #[arg(long, conflicts_with = "all")]
        any: bool,
        /// Wait for all of them to end, as without this
        #[arg(long)]
        all: bool,
        /// Wait no longer than this, as in 90s, 30m or 2h
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        timeout: Option<Duration>,
    },
    /// Tell of tasks that ended, for a hook of Claude Code; nothing when there are none
    Notify {
        /// Tell of those that ended since the last call for the same session
        #[arg(long, required = true)]
        since_last: bool,
        /// The session; without it the one that Claude Code names in the hook's input
        #[arg(long, value_name = "NAME")]
        key: Option<String>,
        /// Tell only of tasks in the project directory, or below it
        #[arg(long)]
        here: bool,
    },
    /// Say whether the configuration is valid, the data directory writable, and each backend installed
    Check {
        /// Give this backend short tasks, at the expense of its account, and say what it can and cannot do
        ///
        /// Nothing is asked for that changes a file or runs a command; each task is in the narrowest sandbox that the agent has.
        #[arg(long, value_name = "NAME")]
        deep: Option<String>,
        /// Also ask for files and commands, in a directory of its own, and in the widest sandbox that the ceiling admits
        #[arg(long, requires = "deep")]
        whole: bool,
        /// Print one JSON object
        #[arg(long, requires = "deep")]
        json: bool,
        /// Give each task no more time than this
        #[arg(long, requires = "deep", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "3m")]
        limit: Duration,
    },
    /// Print the JSON schema of config.toml
    Schema,
    /// Run one task to its end; its spec is the first line of stdin
    #[command(hide = true)]
    Supervise {
        /// The task's id
        id: String,
        /// Where results, logs and records go
        #[arg(long, value_name = "DIR")]
        log_dir: PathBuf,
    },
}

/// Plays the role that `args` name. A server runs `supervisor`, or this very program, for each task.
pub(crate) fn run(registry: &Registry, supervisor: Option<PathBuf>, args: impl Iterator<Item = OsString>) -> ExitCode {
    reset_signals();
    let args: Vec<_> = args.collect();
    let command_line = match CommandLine::try_parse_from(&args) {
        Ok(command_line) => command_line,
        Err(problem) => return report_usage_error(problem, &args),
    };
    let ConfigArgs { config, data_dir, set } = command_line.settings;
    match command_line.verb {
        Some(Verb::Supervise { id, log_dir }) => run_supervisor(&id, data_dir, log_dir, registry),
        verb => {
            if matches!(verb, None | Some(Verb::Serve { .. }))
                && let Some(code) = run_as_init()
            {
                return code;
            }
            let overrides = Overrides { config_file: config, data_dir, set };
            let config = Config::load(&overrides, registry, std::env::vars_os());
            match (verb, config) {
                (None | Some(Verb::Serve { http: None, .. }), config) => {
                    if let Some(hint) = interactive_hint(io::stdin().is_terminal(), io::stdout().is_terminal()) {
                        fail(hint);
                    }
                    serve::over_stdio(registry, supervisor, config.map_err(|problems| problems.explain()))
                }
                (Some(Verb::Serve { http: Some(address), allow_remote }), Ok(config)) => {
                    serve::over_http(registry, supervisor, config, address, allow_remote)
                }
                (Some(Verb::Serve { http: Some(_), .. }), Err(problems)) => refuse_all(problems.explain()),
                (Some(Verb::Wait { ids, any, timeout, .. }), Ok(config)) => {
                    let mode = if any { wait::WaitMode::Any } else { wait::WaitMode::All };
                    match serve::open(registry, supervisor, config) {
                        Ok(broker) => wait::wait(&broker, &ids, mode, timeout),
                        Err(problem) => refuse(problem),
                    }
                }
                (Some(Verb::Notify { key, here, .. }), Ok(config)) => {
                    let project = std::env::var_os("CLAUDE_PROJECT_DIR").map(PathBuf::from);
                    let here = here.then(|| project.or_else(|| std::env::current_dir().ok())).flatten();
                    match serve::open_data_dir(&config) {
                        Ok(upkeep) => notify::notify(&config, &upkeep, key, here),
                        Err(problem) => refuse(problem),
                    }
                }
                (Some(Verb::Wait { .. } | Verb::Notify { .. }), Err(problems)) => refuse_all(problems.explain()),
                (Some(Verb::Schema), _) => print(&format!("{:#}\n", config::schema(registry))),
                (Some(Verb::Check { deep: None, .. }), Ok(config)) => check::check(&config, registry),
                (Some(Verb::Check { deep: Some(backend), whole, json, limit }), Ok(config)) => {
                    let scope = if whole { KitScope::Full } else { KitScope::Safe };
                    let format = if json { deep::OutputFormat::Json } else { deep::OutputFormat::Text };
                    deep::check(config, registry, supervisor, &deep::DeepCheck { backend, scope, limit, format })
                }
                (Some(Verb::Check { .. }), Err(problems)) => refuse_all(problems.explain()),
                (Some(Verb::Supervise { .. }), _) => unreachable!("it was taken above"),
            }
        }
    }
}

/// The value of `--http`.
fn listening_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| EXPECTED_ADDRESS)
}

/// The hint for a person who started the server without a client.
fn interactive_hint(stdin_is_terminal: bool, stdout_is_terminal: bool) -> Option<&'static str> {
    (stdin_is_terminal && stdout_is_terminal).then_some(WAITS_FOR_CLIENT)
}

/// Prints the message of clap. Help and version are not errors, and hold only words of ours.
fn report_usage_error(problem: clap::Error, args: &[OsString]) -> ExitCode {
    if problem.use_stderr() {
        // An error repeats arguments, so it is made once more of arguments that are already escaped.
        let redactor = redactor();
        let escaped = args.iter().map(|arg| escaped_argument(&redactor.text(&arg.to_string_lossy())));
        let shown = CommandLine::try_parse_from(escaped).err().unwrap_or(problem);
        error_text(shown.render().to_string().trim_end());
        return exit_code(&shown);
    }
    let _ = problem.print();
    exit_code(&problem)
}

fn exit_code(problem: &clap::Error) -> ExitCode {
    ExitCode::from(u8::try_from(problem.exit_code()).unwrap_or(2))
}

fn run_supervisor(id: &str, data_dir: Option<PathBuf>, log_dir: PathBuf, registry: &Registry) -> ExitCode {
    let assignment = match (TaskId::parse(id), data_dir) {
        (Ok(id), Some(data_dir)) => Assignment { id, data_dir, log_dir },
        (Err(problem), _) => return fail(refusals::invalid_task_id(&problem)),
        (_, None) => return refuse(refusals::needs_data_dir()),
    };
    // A session of its own: no terminal and no signal to the server's group reaches it. It fails only where this
    // process leads a group already, as under a shell.
    let _ = rustix::process::setsid();
    // One thread is enough for one agent, and keeps an idle supervisor small.
    let ended = runtime()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(supervise(assignment, registry)));
    let code = match ended {
        Ok(()) => 0,
        Err(problem) => {
            fail(problem);
            1
        }
    };
    // Not by returning: a thread still waits for the end of stdin.
    std::process::exit(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_is_shown_only_at_a_terminal() {
        assert!(interactive_hint(true, true).is_some_and(|hint| hint.contains("--help")));
        for (stdin, stdout) in [(true, false), (false, true), (false, false)] {
            assert_eq!(interactive_hint(stdin, stdout), None);
        }
    }

    #[test]
    fn an_invalid_address_is_answered_with_an_example() {
        assert!(listening_address("127.0.0.1:8181").is_ok());
        for wrong in ["8181", "localhost:8181", ":8181", ""] {
            assert!(listening_address(wrong).is_err_and(|said| said.contains("127.0.0.1:8181")), "{wrong}");
        }
    }
}
