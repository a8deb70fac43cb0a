//! The verbs and flags, as clap parses them.

use clap::{Parser, Subcommand};

use super::{
    apply, cancel, check, completions, config, config_args::ConfigArgs, diff, init, logs, ls, man, notify, plugin,
    prune, redo, resume, rm, run, schema, serve, show, supervise, top, undo, usage, wait, watch, web,
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
#[command(name = "codex-connector", version, about, long_about = LONG_ABOUT)]
pub(super) struct CommandLine {
    #[command(flatten)]
    pub(super) settings: ConfigArgs,
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Start a task and follow it to its end
    Run(run::Arguments),
    /// List tasks
    #[command(aliases = ["list", "tasks", "ps"])]
    Ls(ls::Arguments),
    /// Show everything about a task
    Show(show::Arguments),
    /// Print the log of a task
    Logs(logs::Arguments),
    /// Show what tasks are doing until they have ended
    Watch(watch::Arguments),
    /// Show tasks on the whole terminal, and act on them
    Top(top::Arguments),
    /// Wait for tasks to finish and print their results
    Wait(wait::Arguments),
    /// Stop tasks
    Cancel(cancel::Arguments),
    /// Continue the session of an earlier task
    Resume(resume::Arguments),
    /// Show what a task changed
    Diff(diff::Arguments),
    /// Revert what a task changed, and keep later changes
    Undo(undo::Arguments),
    /// Make the changes again that an undo reverted
    Redo(redo::Arguments),
    /// Write the changes from a task's own worktree to your files
    Apply(apply::Arguments),
    /// Print the tokens that tasks used
    Usage(usage::Arguments),
    /// Show tasks in a browser
    Web(web::Arguments),
    /// Remove tasks with all their files
    Rm(rm::Arguments),
    /// Remove old tasks with all their files
    Prune(prune::Arguments),
    /// Set up Claude Code and the configuration, after showing all changes
    ///
    /// Finds Claude Code and the installed agents, installs the plugin (server, commands, notifications), adds the
    /// permission rules that it needs, and sets a ceiling for agents. Can be run again at any time.
    Init(init::Arguments),
    /// Check the configuration, data directory and backends
    ///
    /// Exit codes: 0 if tasks can run with the default backend, or with the named one; 1 otherwise.
    #[command(alias = "doctor")]
    Check(check::Arguments),
    /// Print the settings in force
    Config(config::Arguments),
    /// Serve MCP on stdin and stdout (the default) or over HTTP
    Serve(serve::Arguments),
    /// Report finished tasks that were not reported yet (for Claude Code)
    ///
    /// Each finished task is reported once: to the session that started it, or, if that session has ended, to the
    /// first session that asks.
    Notify(notify::Arguments),
    /// Unpack the plugin for Claude Code into the data directory and print its path
    ///
    /// A marketplace of Claude Code can use this command as the source of the plugin.
    Plugin(plugin::Arguments),
    /// Print a script that adds completions to a shell
    Completions(completions::Arguments),
    /// Write manual pages
    Man(man::Arguments),
    /// Print the JSON Schema of config.toml, or of the output
    Schema(schema::Arguments),
    /// Print the version
    Version,
    /// Run one task, whose spec is the first line of stdin
    #[command(hide = true)]
    Supervise(supervise::Arguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_of_each_verb_has_an_example() {
        let program = CommandLine::command();
        for verb in program.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            // `version` has no options.
            if ["version"].contains(&verb.get_name()) {
                continue;
            }
            let example = format!("codex-connector {}", verb.get_name());
            assert!(verb.get_after_help().is_some_and(|help| help.to_string().contains(&example)), "{example}");
        }
    }

    #[test]
    fn the_page_about_the_command_line_has_a_section_for_each_verb_in_the_order_of_the_help() {
        let program = CommandLine::command();
        let verbs = program.get_subcommands().filter(|verb| !verb.is_hide_set()).map(clap::Command::get_name);
        let verbs: Vec<_> = verbs.filter(|verb| *verb != "version").collect();
        let headings = include_str!("../../docs/cli.md").lines().filter_map(|line| line.strip_prefix("## "));
        let names = headings.flat_map(|heading| heading.split(", ")).filter_map(|name| name.split(' ').next());
        assert_eq!(names.filter(|name| verbs.contains(name)).collect::<Vec<_>>(), verbs);
    }
}
