//! The command line: selects the role of this process.
//!
//! Without a verb, the process is an MCP server. A server starts each task with the hidden verb `supervise`. The other
//! verbs are for people, scripts and hooks.

mod cancel;
mod check;
mod context;
mod deep;
mod exit;
mod final_message;
mod follow;
mod interrupts;
mod live_area;
mod ls;
mod notify;
mod output;
mod prompt;
mod resume;
mod run;
mod runtime;
mod serve;
mod task_options;
mod time;
mod unfinished;
mod unknown_verb;
mod wait;
mod watch;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{
    Args, CommandFactory, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};

use self::{
    context::{ColorChoice, Context},
    exit::Exit,
    output::{error_text, fail, print, redactor, refuse, refuse_all},
    runtime::runtime,
    time::time_limit,
};
use crate::{
    config::{self, Config, Overrides},
    kit::KitScope,
    present::{
        EXPECTED_ADDRESS, WAITS_FOR_CLIENT, escaped_argument, json_output, refusals,
        terminal_refusals::{self, SHORT_HELP},
    },
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

const SERVE_EXAMPLES: &str = "\
Examples:
  codex-connector serve                           what Claude Code runs
  codex-connector serve --http 127.0.0.1:8181     for clients that use HTTP";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  codex-connector schema > config.schema.json
  codex-connector schema --output";

/// An MCP server that lets Claude Code delegate coding tasks to the Codex CLI and other coding agents
#[derive(Debug, Parser)]
#[command(name = "codex-connector", version, about, long_about = LONG_ABOUT)]
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
    #[command(after_help = SERVE_EXAMPLES)]
    Serve {
        /// Listen on this address, e.g. 127.0.0.1:8181; clients must send the token from ~/.codex-connector/http-token
        #[arg(long, value_name = "ADDRESS:PORT", value_parser = listening_address)]
        http: Option<SocketAddr>,
        /// Allow an address that other machines can reach; traffic is not encrypted
        #[arg(long, requires = "http")]
        allow_remote: bool,
    },
    /// List tasks
    #[command(aliases = ["list", "tasks", "ps"])]
    Ls(ls::Arguments),
    /// Start a task and follow it to its end
    Run(run::Arguments),
    /// Continue the session of an earlier task
    Resume(resume::Arguments),
    /// Show what tasks are doing until they have ended
    Watch(watch::Arguments),
    /// Wait for tasks to finish and print their results
    Wait(wait::Arguments),
    /// Stop tasks
    Cancel(cancel::Arguments),
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
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema {
        /// Print the JSON Schema of the output of --json instead
        #[arg(long)]
        output: bool,
    },
    /// Print the version
    Version,
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
    if command_line.verb.is_none() && io::stdin().is_terminal() {
        error_text(SHORT_HELP);
        return Exit::Usage.into();
    }
    let ConfigArgs { config, data_dir, set, color } = command_line.settings;
    let overrides = Overrides { config_file: config, data_dir, set };
    let context = Context { registry, supervisor: supervisor.clone(), overrides, color };
    match command_line.verb {
        Some(Verb::Cancel(arguments)) => cancel::run(&context, arguments),
        Some(Verb::Ls(arguments)) => ls::run(&context, arguments),
        Some(Verb::Resume(arguments)) => resume::run(&context, arguments),
        Some(Verb::Run(arguments)) => run::run(&context, arguments),
        Some(Verb::Wait(arguments)) => wait::run(&context, arguments),
        Some(Verb::Watch(arguments)) => watch::run(&context, arguments),
        Some(Verb::Version) => print(&CommandLine::command().render_version()),
        Some(Verb::Supervise { id, log_dir }) => run_supervisor(&id, context.overrides.data_dir, log_dir, registry),
        verb => {
            if matches!(verb, None | Some(Verb::Serve { .. }))
                && let Some(code) = run_as_init()
            {
                return code;
            }
            let config = Config::load(&context.overrides, registry, std::env::vars_os());
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
                (Some(Verb::Notify { key, here, .. }), Ok(config)) => {
                    let project = std::env::var_os("CLAUDE_PROJECT_DIR").map(PathBuf::from);
                    let here = here.then(|| project.or_else(|| std::env::current_dir().ok())).flatten();
                    match serve::open_data_dir(&config) {
                        Ok(upkeep) => notify::notify(&config, &upkeep, key, here),
                        Err(problem) => refuse(problem),
                    }
                }
                (Some(Verb::Notify { .. }), Err(problems)) => refuse_all(problems.explain()),
                (Some(Verb::Schema { output }), _) => {
                    let schema = if output { json_output::schema() } else { config::schema(registry) };
                    print(&format!("{schema:#}\n"))
                }
                (Some(Verb::Check { deep: None, .. }), Ok(config)) => check::check(&config, registry),
                (Some(Verb::Check { deep: Some(backend), whole, json, limit }), Ok(config)) => {
                    let scope = if whole { KitScope::Full } else { KitScope::Safe };
                    let format = if json { deep::OutputFormat::Json } else { deep::OutputFormat::Text };
                    deep::check(config, registry, supervisor, &deep::DeepCheck { backend, scope, limit, format })
                }
                (Some(Verb::Check { .. }), Err(problems)) => refuse_all(problems.explain()),
                (
                    Some(
                        Verb::Cancel(_)
                        | Verb::Ls(_)
                        | Verb::Resume(_)
                        | Verb::Run(_)
                        | Verb::Supervise { .. }
                        | Verb::Version
                        | Verb::Wait(_)
                        | Verb::Watch(_),
                    ),
                    _,
                ) => unreachable!("the outer match handles this verb"),
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
        if problem.kind() == ErrorKind::InvalidSubcommand
            && let Some(ContextValue::String(word)) = problem.get(ContextKind::InvalidSubcommand)
        {
            let program = CommandLine::command();
            let verbs = program.get_subcommands().filter(|verb| !verb.is_hide_set());
            let names: Vec<_> =
                verbs.flat_map(|verb| [verb.get_name()].into_iter().chain(verb.get_all_aliases())).collect();
            refuse(terminal_refusals::unknown_verb(word, unknown_verb::meant(word, &names)));
            return Exit::Usage.into();
        }
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
    fn the_help_of_each_verb_has_an_example() {
        let program = CommandLine::command();
        for verb in program.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            // `version` has no options, and the examples of the other two are in their descriptions.
            if ["check", "notify", "version"].contains(&verb.get_name()) {
                continue;
            }
            let example = format!("codex-connector {}", verb.get_name());
            assert!(verb.get_after_help().is_some_and(|help| help.to_string().contains(&example)), "{example}");
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
