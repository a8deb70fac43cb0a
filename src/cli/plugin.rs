//! `plugin`: unpacks the plugin for Claude Code and prints its directory.

use std::{error::Error, iter, process::ExitCode};

use clap::Args;

use super::{
    config_args::ConfigArgs,
    context::Context,
    opening::open_data_dir,
    output::{print, refuse},
};
use crate::{
    config::Config,
    plugin::{PluginProblem, PluginProgram, unpack},
    present::{Refused, setup as texts},
};

const EXAMPLES: &str = "\
Examples:
  codex-connector plugin
  codex-connector plugin --marketplace";

/// The arguments of `plugin`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Print the path of a marketplace that contains the plugin
    #[arg(long)]
    marketplace: bool,
}

/// Unpacks the plugin and prints one of its directories as a line. The plugin starts this program with the same
/// configuration file and data directory.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let config = match context.config() {
        Ok(config) => config,
        Err(exit) => return exit.into(),
    };
    let unpacked = plugin_program(&config, &context.given).and_then(|program| {
        open_data_dir(&config)?;
        unpack(&config.data_dir, &program).map_err(|problem| explain(&problem))
    });
    match unpacked {
        Ok(unpacked) => {
            print(&texts::directory(if arguments.marketplace { &unpacked.marketplace } else { &unpacked.plugin }))
        }
        Err(problem) => refuse(problem),
    }
}

/// This program, and the flags that select its files.
pub(super) fn plugin_program(config: &Config, given: &ConfigArgs) -> Result<PluginProgram, Refused> {
    let own = std::env::current_exe().and_then(|program| program.canonicalize());
    let program = own.map_err(|error| texts::unknown_program(&error))?;
    let flag = |name: &str, value: Option<&std::path::Path>| {
        value.map(|value| [name.to_owned(), value.to_string_lossy().into_owned()])
    };
    let file = flag("--config", given.config.is_some().then_some(&*config.file));
    let data_dir = flag("--data-dir", given.data_dir.is_some().then_some(&*config.data_dir));
    let set = given.set.iter().map(|assignment| ["--set".to_owned(), assignment.clone()]);
    Ok(PluginProgram { program, arguments: file.into_iter().chain(data_dir).chain(set).flatten().collect() })
}

/// The problem with all its causes, and what to do.
pub(super) fn explain(problem: &PluginProblem) -> Refused {
    let causes = iter::successors(problem.source(), |cause| (*cause).source()).map(ToString::to_string);
    let said = iter::once(problem.to_string()).chain(causes).collect::<Vec<_>>().join(": ");
    match problem {
        PluginProblem::Program { .. } => texts::install_elsewhere(said),
        PluginProblem::File { path, .. } => texts::make_writable(said, path),
        PluginProblem::NotOurs { path } => texts::move_away(said, path),
        PluginProblem::Locked { path, .. } => texts::end_other_process(said, path),
    }
}
