//! The command line: selects the role of this process.
//!
//! Without a verb, the process is an MCP server. A server starts each task with the hidden verb `supervise`. The other
//! verbs are for people, scripts and hooks. Each has a file with its arguments and its function `run`.

mod apply;
mod arguments;
mod bash;
mod cancel;
mod candidates;
mod check;
mod completions;
mod config;
mod config_args;
mod confirm;
mod context;
mod deep;
mod diff;
mod exit;
mod final_message;
mod follow;
mod init;
mod init_texts;
mod interrupts;
mod listener;
mod lists;
mod live_area;
mod locale;
mod logs;
mod ls;
mod man;
mod notify;
mod notify_follow;
mod opening;
mod operation;
mod output;
mod pager;
mod plugin;
mod prompt;
mod prune;
mod redo;
mod resume;
mod rm;
mod run;
mod runtime;
mod schema;
mod serve;
mod show;
mod supervise;
mod task_options;
mod task_paths;
mod time;
mod top;
mod undo;
mod unfinished;
mod unknown_verb;
mod usage;
mod wait;
mod watch;
mod web;
mod web_ui;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
};

use clap::{
    CommandFactory, Parser,
    error::{ContextKind, ContextValue, ErrorKind},
};

use self::{
    arguments::{CommandLine, Verb},
    context::Context,
    exit::Exit,
    output::{error_text, exit_code, note_error, print, redactor, refuse},
};
use crate::{
    present::{
        escaped_argument,
        terminal_refusals::{self, SHORT_HELP},
    },
    process::reset_signals,
    registry::Registry,
};

/// Runs the role that `args` select. A server starts `supervisor`, or this same program, for each task.
pub(crate) fn run_role(
    registry: &Registry,
    supervisor: Option<PathBuf>,
    args: impl Iterator<Item = OsString>,
) -> ExitCode {
    reset_signals();
    exit_code(run_verb(registry, supervisor, args.collect()))
}

fn run_verb(registry: &Registry, supervisor: Option<PathBuf>, args: Vec<OsString>) -> ExitCode {
    if let Some(code) = completions::answer(registry, CommandLine::command, &args) {
        return code;
    }
    let command_line = match CommandLine::try_parse_from(&args) {
        Ok(command_line) => command_line,
        Err(problem) => return report_usage_error(problem, &args),
    };
    if command_line.verb.is_none() && io::stdin().is_terminal() {
        error_text(SHORT_HELP);
        return Exit::Usage.into();
    }
    let context = Context { registry, supervisor, given: command_line.settings };
    match command_line.verb {
        None => serve::run(&context, &serve::Arguments::default()),
        Some(Verb::Apply(arguments)) => apply::run(&context, arguments),
        Some(Verb::Cancel(arguments)) => cancel::run(&context, arguments),
        Some(Verb::Check(arguments)) => check::run(&context, arguments),
        Some(Verb::Completions(arguments)) => completions::run(&arguments, &args),
        Some(Verb::Config(arguments)) => config::run(&context, arguments),
        Some(Verb::Diff(arguments)) => diff::run(&context, arguments),
        Some(Verb::Init(arguments)) => init::run(&context, arguments),
        Some(Verb::Logs(arguments)) => logs::run(&context, arguments),
        Some(Verb::Ls(arguments)) => ls::run(&context, arguments),
        Some(Verb::Man(arguments)) => man::run(&arguments, CommandLine::command()),
        Some(Verb::Notify(arguments)) => notify::run(&context, arguments),
        Some(Verb::Plugin(arguments)) => plugin::run(&context, arguments),
        Some(Verb::Prune(arguments)) => prune::run(&context, arguments),
        Some(Verb::Redo(arguments)) => redo::run(&context, arguments),
        Some(Verb::Resume(arguments)) => resume::run(&context, arguments),
        Some(Verb::Rm(arguments)) => rm::run(&context, arguments),
        Some(Verb::Run(arguments)) => run::run(&context, arguments),
        Some(Verb::Schema(arguments)) => schema::run(&context, arguments),
        Some(Verb::Serve(arguments)) => serve::run(&context, &arguments),
        Some(Verb::Show(arguments)) => show::run(&context, arguments),
        Some(Verb::Supervise(arguments)) => supervise::run(&context, arguments),
        Some(Verb::Top(arguments)) => top::run(&context, arguments),
        Some(Verb::Undo(arguments)) => undo::run(&context, arguments),
        Some(Verb::Usage(arguments)) => usage::run(&context, arguments),
        Some(Verb::Version) => print(&CommandLine::command().render_version()),
        Some(Verb::Wait(arguments)) => wait::run(&context, arguments),
        Some(Verb::Watch(arguments)) => watch::run(&context, arguments),
        Some(Verb::Web(arguments)) => web::run(&context, &arguments),
    }
}

/// Prints a message of clap: an error, the help or the version.
fn report_usage_error(problem: clap::Error, args: &[OsString]) -> ExitCode {
    if problem.use_stderr() {
        // An error repeats arguments, so the command line is parsed again with escaped arguments.
        let redactor = redactor();
        if problem.kind() == ErrorKind::InvalidSubcommand
            && let Some(ContextValue::String(word)) = problem.get(ContextKind::InvalidSubcommand)
        {
            if is_in_config(args, word) {
                refuse(terminal_refusals::unknown_verb(&format!("config {word}"), Some("config show")));
                return Exit::Usage.into();
            }
            let program = CommandLine::command();
            let verbs = program.get_subcommands().filter(|verb| !verb.is_hide_set());
            let names: Vec<_> =
                verbs.flat_map(|verb| [verb.get_name()].into_iter().chain(verb.get_all_aliases())).collect();
            refuse(terminal_refusals::unknown_verb(word, unknown_verb::meant(word, &names)));
            return Exit::Usage.into();
        }
        if problem.kind() == ErrorKind::UnknownArgument
            && let Some(ContextValue::String(option)) = problem.get(ContextKind::InvalidArg)
            && let Some(meant) = meant_option(args, option)
        {
            refuse(terminal_refusals::unknown_option(option, meant));
            return Exit::Usage.into();
        }
        let escaped = args.iter().map(|arg| escaped_argument(&redactor.text(&arg.to_string_lossy())));
        let shown = CommandLine::try_parse_from(escaped).err().unwrap_or(problem);
        error_text(shown.render().to_string().trim_end());
        return usage_exit_code(&shown);
    }
    let _ = note_error(problem.print());
    usage_exit_code(&problem)
}

/// Whether the unknown verb `word` follows `config`, the only verb that has verbs of its own.
fn is_in_config(args: &[OsString], word: &str) -> bool {
    args.windows(2).any(|pair| pair[0] == "config" && pair[1] == word)
}

/// Our option for one of other programs, if the verb on the command line has it.
fn meant_option(args: &[OsString], option: &str) -> Option<&'static str> {
    let program = CommandLine::command();
    let verb = args.iter().skip(1).find_map(|arg| program.find_subcommand(arg))?;
    let options: Vec<_> =
        verb.get_arguments().filter_map(|known| known.get_long()).map(|it| format!("--{it}")).collect();
    unknown_verb::meant_option(option, &options.iter().map(String::as_str).collect::<Vec<_>>())
}

fn usage_exit_code(problem: &clap::Error) -> ExitCode {
    ExitCode::from(u8::try_from(problem.exit_code()).unwrap_or(2))
}
