//! The command line: selects the role of this process.
//!
//! Without a verb, the process is an MCP server. A server starts each task with the hidden verb `supervise`. The other
//! verbs are for people, scripts and hooks.

mod check;
mod config_args;
mod context;
mod deep;
mod exit;
mod init;
mod init_texts;
mod ls;
mod notify;
mod notify_follow;
mod output;
mod plugin;
mod runtime;
mod serve;
mod wait;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    net::{Ipv4Addr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};

use self::{
    config_args::ConfigArgs,
    context::Context,
    init::{Confirmation, Direction, InitOptions},
    output::{error_text, fail, print, redactor, refuse, refuse_all},
    plugin::PrintedDirectory,
    runtime::runtime,
};
use crate::{
    config::{self, Config, Overrides},
    kit::KitScope,
    present::{EXPECTED_ADDRESS, EXPECTED_TIME, WAITS_FOR_CLIENT, escaped_argument, refusals},
    process::{reset_signals, run_as_init},
    registry::Registry,
    setup::SetupChoices,
    supervisor::{Assignment, supervise},
    task::TaskId,
};

/// The beginning of `--help`.
const LONG_ABOUT: &str = "\
An MCP server that lets Claude Code delegate coding tasks to the Codex CLI and other coding agents

Without a command, it serves MCP on stdin and stdout. To add it to Claude Code:

    codex-connector init

Or by hand:

    claude mcp add --scope user codex-connector -- codex-connector";

/// An MCP server that lets Claude Code delegate coding tasks to the Codex CLI and other coding agents
#[derive(Debug, Parser)]
#[command(name = "codex-connector", version, about, long_about = LONG_ABOUT, disable_help_subcommand = true)]
struct CommandLine {
    #[command(flatten)]
    settings: ConfigArgs,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve MCP on stdin and stdout (the default) or over HTTP
    Serve {
        /// Listen on this address, e.g. 127.0.0.1:8181, or on this port of this machine, e.g. 8181; clients must send the token from ~/.codex-connector/http-token
        #[arg(long, value_name = "ADDRESS:PORT", value_parser = listening_address)]
        http: Option<SocketAddr>,
        /// Allow an address that other machines can reach; traffic is not encrypted
        #[arg(long, requires = "http")]
        allow_remote: bool,
    },
    /// List tasks
    #[command(aliases = ["list", "tasks", "ps"])]
    Ls(ls::Arguments),
    /// Wait for tasks to finish and print their results
    ///
    /// Exit codes: 0 if all tasks completed, 1 if one failed, 3 if one was interrupted and none failed, 4 if a task
    /// does not exist, 124 on timeout.
    Wait {
        /// Task IDs
        #[arg(required = true, value_name = "TASK-ID")]
        ids: Vec<String>,
        /// Return as soon as one of the tasks finishes
        #[arg(long, conflicts_with = "all")]
        any: bool,
        /// Wait for all tasks (default)
        #[arg(long)]
        all: bool,
        /// Time limit for the wait, e.g. 90s, 30m or 2h
        #[arg(long, value_name = "TIME", value_parser = time_limit)]
        timeout: Option<Duration>,
    },
    /// Report finished tasks that were not reported yet (for Claude Code)
    ///
    /// Each finished task is reported once: to the session that started it, or, if that session has ended, to the
    /// first session that asks.
    Notify {
        /// Report the finished tasks and exit, for a hook (default)
        #[arg(long, conflicts_with = "follow")]
        since_last: bool,
        /// Print one line for each task that finishes, until the session ends, for a monitor
        #[arg(long)]
        follow: bool,
        /// Session to report to (default: the one that runs this command)
        #[arg(long, value_name = "NAME")]
        key: Option<String>,
        /// Of tasks that other sessions started, report only those in this repository or below this directory
        #[arg(long)]
        here: bool,
    },
    /// Check the configuration, data directory and backends
    ///
    /// Exit codes: 0 if tasks can run with the default backend, or with the named one; 1 otherwise.
    #[command(alias = "doctor")]
    Check {
        /// Check only this backend
        #[arg(value_name = "BACKEND")]
        backend: Option<String>,
        /// Test the capabilities of this backend with short tasks (uses your account's quota)
        ///
        /// These tasks change no files and run no commands. Each runs in the agent's most restrictive sandbox.
        ///
        /// Exit codes with this option: 0 if the agent answered and nothing is BROKEN, 1 otherwise.
        #[arg(long, value_name = "NAME", num_args = 0..=1)]
        deep: Option<Option<String>>,
        /// Also test file changes and commands, in a separate directory and in every sandbox that the ceiling allows
        #[arg(long, requires = "deep")]
        whole: bool,
        /// Print the report as one JSON object
        #[arg(long)]
        json: bool,
        /// If the check fails, keep the files and logs of its tasks
        #[arg(long, requires = "deep")]
        keep: bool,
        /// Time limit for each task
        #[arg(long, requires = "deep", value_name = "TIME", value_parser = time_limit, default_value = "3m")]
        limit: Duration,
    },
    /// Set up Claude Code and the configuration, after showing all changes
    ///
    /// Finds Claude Code and the installed agents, installs the plugin (server, commands, notifications), adds the
    /// permission rules that it needs, and sets a ceiling for agents. Can be run again at any time.
    Init {
        /// Make the changes without asking
        #[arg(long, short)]
        yes: bool,
        /// Show the changes and make none
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// Undo the changes that earlier runs made
        #[arg(long)]
        undo: bool,
        /// Let Claude start agents without a sandbox and without asking
        #[arg(long, conflicts_with = "undo")]
        full_access: bool,
        /// Add only the server to Claude Code, without the plugin
        #[arg(long, conflicts_with = "undo")]
        server_only: bool,
    },
    /// Unpack the plugin for Claude Code into the data directory and print its path
    ///
    /// A marketplace of Claude Code can use this command as the source of the plugin.
    Plugin {
        /// Print the path of a marketplace that contains the plugin
        #[arg(long)]
        marketplace: bool,
    },
    /// Print the JSON Schema of config.toml
    Schema,
    /// Run one task, whose spec is the first line of stdin
    #[command(hide = true)]
    Supervise {
        /// Task ID
        id: String,
        /// Directory for results, logs and records
        #[arg(long, value_name = "DIR")]
        log_dir: PathBuf,
    },
}

/// Runs the role that `args` select. A server starts `supervisor`, or this same program, for each task.
pub(crate) fn run(registry: &Registry, supervisor: Option<PathBuf>, args: impl Iterator<Item = OsString>) -> ExitCode {
    reset_signals();
    let args: Vec<_> = args.collect();
    let command_line = match CommandLine::try_parse_from(&args) {
        Ok(command_line) => command_line,
        Err(problem) => return report_usage_error(problem, &args),
    };
    let settings = command_line.settings;
    let ConfigArgs { config, data_dir, set, color } = settings.clone();
    match command_line.verb {
        Some(Verb::Ls(arguments)) => {
            let overrides = Overrides { config_file: config, data_dir, set };
            ls::run(&Context { registry, supervisor, overrides, color }, arguments)
        }
        Some(Verb::Supervise { id, log_dir }) => run_supervisor(&id, data_dir, log_dir, registry),
        verb => {
            if matches!(verb, None | Some(Verb::Serve { .. }))
                && let Some(code) = run_as_init()
            {
                return code;
            }
            let overrides = Overrides { config_file: config, data_dir, set };
            // Viewing, waiting and reporting work with an invalid configuration, too.
            let lenient = || Config::load_lenient(&overrides, registry, std::env::vars_os());
            let directories = || {
                let (config, problems) = lenient()?;
                // An invalid configuration may be meant for another directory, so none is created.
                if !problems.is_empty() && !config.data_dir.is_dir() {
                    return Err(problems);
                }
                if !problems.is_empty() {
                    refuse_all(problems);
                }
                Ok(config)
            };
            let config = Config::load(&overrides, registry, std::env::vars_os());
            match (verb, config) {
                (None | Some(Verb::Serve { http: None, .. }), _) => {
                    if let Some(hint) = interactive_hint(io::stdin().is_terminal(), io::stdout().is_terminal()) {
                        fail(hint);
                    }
                    serve::over_stdio(registry, supervisor, lenient())
                }
                (Some(Verb::Serve { http: Some(address), allow_remote }), Ok(config)) => {
                    serve::over_http(registry, supervisor, config, address, allow_remote)
                }
                (Some(Verb::Serve { http: Some(_), .. }), Err(problems)) => refuse_all(problems.explain()),
                (Some(Verb::Wait { ids, any, timeout, .. }), _) => {
                    let mode = if any { wait::WaitMode::Any } else { wait::WaitMode::All };
                    let config = match directories() {
                        Ok(config) => config,
                        Err(problems) => return refuse_all(problems),
                    };
                    match serve::open(registry, supervisor, config) {
                        Ok(broker) => wait::wait(&broker, &ids, mode, timeout),
                        Err(problem) => refuse(problem),
                    }
                }
                (Some(Verb::Notify { follow: true, key, here, .. }), _) => {
                    // An invalid setting does not keep tasks from ending.
                    let load = || lenient().map(|(config, _)| config);
                    notify_follow::follow(&load, key, notify::project(here))
                }
                (Some(Verb::Notify { key, here, .. }), _) => {
                    let config = match directories() {
                        Ok(config) => config,
                        Err(problems) => return refuse_all(problems),
                    };
                    match serve::open_data_dir(&config) {
                        Ok(upkeep) => notify::notify(&config, &upkeep, key, notify::project(here)),
                        Err(problem) => refuse(problem),
                    }
                }
                (Some(Verb::Plugin { marketplace }), Ok(config)) => {
                    let printed = if marketplace { PrintedDirectory::Marketplace } else { PrintedDirectory::Plugin };
                    plugin::plugin(&config, &settings, printed)
                }
                (Some(Verb::Init { yes, dry_run, undo, full_access, server_only }), Ok(config)) => {
                    let confirmation = match (yes, dry_run) {
                        (true, _) => Confirmation::Given,
                        (false, true) => Confirmation::DryRun,
                        (false, false) => Confirmation::Ask,
                    };
                    let direction = if undo { Direction::Undo } else { Direction::SetUp };
                    let choices = SetupChoices { full_access, server_only };
                    init::init(&config, &settings, registry, InitOptions { choices, confirmation, direction })
                }
                (Some(Verb::Init { .. } | Verb::Plugin { .. }), Err(problems)) => refuse_all(problems.explain()),
                (Some(Verb::Schema), _) => print(&format!("{:#}\n", config::schema(registry))),
                (Some(Verb::Check { deep: None, backend, json, .. }), Ok(config)) => {
                    check::check(&config, &settings, registry, &check::CheckRequest { backend, json })
                }
                (Some(Verb::Check { deep: Some(named), backend, whole, json, keep, limit }), Ok(config)) => {
                    let backend = named.or(backend).unwrap_or_else(|| config.default_backend.to_string());
                    let scope = if whole { KitScope::Full } else { KitScope::Safe };
                    let format = if json { deep::OutputFormat::Json } else { deep::OutputFormat::Text };
                    deep::check(config, registry, supervisor, &deep::DeepCheck { backend, scope, limit, format, keep })
                }
                (Some(Verb::Check { .. }), Err(problems)) => refuse_all(problems.explain()),
                (Some(Verb::Supervise { .. } | Verb::Ls(_)), _) => unreachable!("the outer match handles this verb"),
            }
        }
    }
}

/// The value of `--http`: an address, a name with a port, or only a port, which means this machine.
fn listening_address(text: &str) -> Result<SocketAddr, &'static str> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let found: Vec<_> = text.to_socket_addrs().map_err(|_| EXPECTED_ADDRESS)?.collect();
    // `localhost` often has two addresses. Clients try both.
    found.iter().find(|address| address.is_ipv4()).or(found.first()).copied().ok_or(EXPECTED_ADDRESS)
}

/// The hint for a person who started the server without a client.
fn interactive_hint(stdin_is_terminal: bool, stdout_is_terminal: bool) -> Option<&'static str> {
    (stdin_is_terminal && stdout_is_terminal).then_some(WAITS_FOR_CLIENT)
}

/// Parses a time limit.
fn time_limit(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| EXPECTED_TIME)
}

/// Prints a message of clap: an error, the help or the version.
fn report_usage_error(problem: clap::Error, args: &[OsString]) -> ExitCode {
    if problem.use_stderr() {
        // An error repeats arguments, so the command line is parsed again with escaped arguments.
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
    // In a new session, neither a terminal nor a signal to the server's process group reaches this process. The call
    // fails only if this process already leads a group, as when a shell starts it.
    let _ = rustix::process::setsid();
    // One thread is enough for one agent and keeps the memory use of an idle supervisor low.
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
    // Returning would wait for a thread that still reads stdin.
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
    fn an_invalid_time_limit_is_answered_with_examples() {
        assert_eq!(time_limit("30m"), Ok(Duration::from_secs(1_800)));
        for wrong in ["", "x", "90", "90x"] {
            assert_eq!(time_limit(wrong), Err("expected a time such as 90s, 30m or 2h"), "{wrong}");
        }
    }

    #[test]
    fn an_invalid_address_is_answered_with_an_example() {
        for local in ["127.0.0.1:8181", "localhost:8181", ":8181", "8181"] {
            assert_eq!(listening_address(local), Ok((Ipv4Addr::LOCALHOST, 8181).into()), "{local}");
        }
        assert!(listening_address("[::1]:8181").is_ok_and(|address| address.is_ipv6()));
        for wrong in ["", ":", "127.0.0.1", "70000", ":x", "127.0.0.1:70000"] {
            assert!(listening_address(wrong).is_err_and(|error| error.contains("127.0.0.1:8181")), "{wrong}");
        }
    }
}
