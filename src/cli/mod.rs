//! The command line: selects the role of this process.
//!
//! Without a verb, the process is an MCP server. A server starts each task with the hidden verb `supervise`. The other
//! verbs are for people, scripts and hooks.

mod bash;
mod candidates;
mod check;
mod completions;
mod config;
mod confirm;
mod context;
mod deep;
mod exit;
mod logs;
mod ls;
mod man;
mod notify;
mod output;
mod pager;
mod prune;
mod rm;
mod runtime;
mod serve;
mod show;
mod since;
mod time;
mod usage;
mod wait;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, CommandFactory, Parser, Subcommand};

use self::{
    context::{ColorChoice, Context},
    output::{error_text, fail, print, redactor, refuse, refuse_all},
    runtime::runtime,
    time::time_limit,
};
use crate::{
    config::{Config, Overrides, schema},
    kit::KitScope,
    present::{EXPECTED_ADDRESS, WAITS_FOR_CLIENT, escaped_argument, json_output, refusals},
    process::{reset_signals, run_as_init},
    registry::Registry,
    supervisor::{Assignment, supervise},
    task::TaskId,
};

/// The beginning of `--help`.
const LONG_ABOUT: &str = "\
An MCP server that lets Claude Code delegate coding tasks to the Codex CLI and other coding agents

Without a command, it serves MCP on stdin and stdout. To add it to Claude Code:

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

#[derive(Debug, Args)]
struct ConfigArgs {
    /// Use this configuration file instead of ~/.codex-connector/config.toml
    #[arg(long, global = true, help_heading = "Global options", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use this data directory instead of ~/.codex-connector
    #[arg(long, global = true, help_heading = "Global options", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Override one configuration key, e.g. --set tasks.heartbeat_interval=10s (repeatable)
    #[arg(long, global = true, help_heading = "Global options", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// When to use colors
    #[arg(long, global = true, help_heading = "Global options", value_name = "WHEN", value_enum, default_value_t)]
    color: ColorChoice,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve MCP on stdin and stdout (the default) or over HTTP
    Serve {
        /// Listen on this address, e.g. 127.0.0.1:8181; clients must send the token from ~/.codex-connector/http-token
        #[arg(long, value_name = "ADDRESS:PORT", value_parser = listening_address)]
        http: Option<SocketAddr>,
        /// Allow an address that other machines can reach; traffic is not encrypted
        #[arg(long, requires = "http")]
        allow_remote: bool,
    },
    /// Print a script that adds completions to a shell
    Completions(completions::Arguments),
    /// Print the settings in force
    Config(config::Arguments),
    /// Print the log of a task
    Logs(logs::Arguments),
    /// List tasks
    #[command(aliases = ["list", "tasks", "ps"])]
    Ls(ls::Arguments),
    /// Write manual pages
    Man(man::Arguments),
    /// Remove old tasks with all their files
    Prune(prune::Arguments),
    /// Remove tasks with all their files
    Rm(rm::Arguments),
    /// Show everything about a task
    Show(show::Arguments),
    /// Print the tokens that tasks used
    Usage(usage::Arguments),
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
    /// Report newly finished tasks (for a Claude Code hook)
    Notify {
        /// Report the tasks that finished since the last call for the same session
        #[arg(long, required = true)]
        since_last: bool,
        /// Session to report for (default: the one in the hook's input)
        #[arg(long, value_name = "NAME")]
        key: Option<String>,
        /// Report only tasks in or below the project directory
        #[arg(long)]
        here: bool,
    },
    /// Check the configuration, data directory and backends
    Check {
        /// Test the capabilities of this backend with short tasks (uses your account's quota)
        ///
        /// These tasks change no files and run no commands. Each runs in the agent's most restrictive sandbox.
        ///
        /// Exit codes: 0 if the agent answered and nothing is BROKEN, 1 otherwise.
        #[arg(long, value_name = "NAME")]
        deep: Option<String>,
        /// Also test file changes and commands, in a separate directory and in every sandbox that the ceiling allows
        #[arg(long, requires = "deep")]
        whole: bool,
        /// Print the report as one JSON object
        #[arg(long, requires = "deep")]
        json: bool,
        /// Time limit for each task
        #[arg(long, requires = "deep", value_name = "TIME", value_parser = time_limit, default_value = "3m")]
        limit: Duration,
    },
    /// Print the JSON Schema of config.toml, or of the output
    Schema {
        /// Print the schema of the output of --json
        #[arg(long)]
        output: bool,
    },
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
    if let Some(code) = completions::answer(registry, CommandLine::command, &args) {
        return code;
    }
    let command_line = match CommandLine::try_parse_from(&args) {
        Ok(command_line) => command_line,
        Err(problem) => return report_usage_error(problem, &args),
    };
    let ConfigArgs { config, data_dir, set, color } = command_line.settings;
    let overrides = Overrides { config_file: config, data_dir, set };
    let context = Context { registry, supervisor, overrides, color };
    match command_line.verb {
        Some(Verb::Completions(arguments)) => completions::run(&arguments, &args),
        Some(Verb::Config(arguments)) => config::run(&context, arguments),
        Some(Verb::Logs(arguments)) => logs::run(&context, arguments),
        Some(Verb::Ls(arguments)) => ls::run(&context, arguments),
        Some(Verb::Man(arguments)) => man::run(&arguments, CommandLine::command()),
        Some(Verb::Prune(arguments)) => prune::run(&context, arguments),
        Some(Verb::Rm(arguments)) => rm::run(&context, arguments),
        Some(Verb::Schema { output: true }) => print(&format!("{:#}\n", json_output::schema())),
        Some(Verb::Show(arguments)) => show::run(&context, arguments),
        Some(Verb::Supervise { id, log_dir }) => {
            run_supervisor(&id, context.overrides.data_dir, log_dir, context.registry)
        }
        Some(Verb::Usage(arguments)) => usage::run(&context, arguments),
        verb @ (None
        | Some(
            Verb::Serve { .. }
            | Verb::Wait { .. }
            | Verb::Notify { .. }
            | Verb::Check { .. }
            | Verb::Schema { output: false },
        )) => {
            let Context { registry, supervisor, overrides, .. } = context;
            if matches!(verb, None | Some(Verb::Serve { .. }))
                && let Some(code) = run_as_init()
            {
                return code;
            }
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
                (Some(Verb::Schema { .. }), _) => print(&format!("{:#}\n", schema(registry))),
                (Some(Verb::Check { deep: None, .. }), Ok(config)) => check::check(&config, registry),
                (Some(Verb::Check { deep: Some(backend), whole, json, limit }), Ok(config)) => {
                    let scope = if whole { KitScope::Full } else { KitScope::Safe };
                    let format = if json { deep::OutputFormat::Json } else { deep::OutputFormat::Text };
                    deep::check(config, registry, supervisor, &deep::DeepCheck { backend, scope, limit, format })
                }
                (Some(Verb::Check { .. }), Err(problems)) => refuse_all(problems.explain()),
                (Some(_), _) => unreachable!("the outer match handles the other verbs"),
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
    fn an_invalid_address_is_answered_with_an_example() {
        assert!(listening_address("127.0.0.1:8181").is_ok());
        for wrong in ["8181", "localhost:8181", ":8181", ""] {
            assert!(listening_address(wrong).is_err_and(|error| error.contains("127.0.0.1:8181")), "{wrong}");
        }
    }
}
