//! `init`: sets up Claude Code and the configuration, after showing what it will change.

use std::{error::Error, iter, process::ExitCode};

use clap::Args;

use super::{
    config_args::ConfigArgs,
    confirm::{Answer, confirm},
    context::Context,
    exit::Exit,
    init_texts::{changes, found_lines, note, recorded_lines, remaining_words, undone_line},
    opening::open_data_dir,
    output::{fail, print, redactor, refuse},
    plugin::{explain as explain_plugin, plugin_program},
    runtime::runtime,
};
use crate::{
    config::Config,
    present::{Refused, setup as texts},
    registry::Registry,
    setup::{ClaudeProblem, Found, Plan, SetupChoices, SetupLock, SetupProblem, SetupRecord, apply, look_around, undo},
    store::Upkeep,
    task::Message,
};

const EXAMPLES: &str = "\
Examples:
  codex-connector init               shows all changes, and asks
  codex-connector init --dry-run
  codex-connector init --yes
  codex-connector init --undo";

/// The arguments of `init`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
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
}

/// Sets up Claude Code, or undoes it.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let Arguments { yes, dry_run, undo, full_access, server_only } = arguments;
    let confirmation = match (yes, dry_run) {
        (true, _) => Confirmation::Given,
        (false, true) => Confirmation::DryRun,
        (false, false) => Confirmation::Ask,
    };
    let direction = if undo { Direction::Undo } else { Direction::SetUp };
    let options = InitOptions { choices: SetupChoices { full_access, server_only }, confirmation, direction };
    match context.config() {
        Ok(config) => init(&config, &context.given, context.registry, options),
        Err(exit) => exit.into(),
    }
}

/// The flags of `init`.
#[derive(Debug, Clone, Copy)]
struct InitOptions {
    choices: SetupChoices,
    confirmation: Confirmation,
    direction: Direction,
}

/// How the changes are confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirmation {
    /// Ask on the terminal.
    Ask,
    /// The user has confirmed them with a flag.
    Given,
    /// Only show them.
    DryRun,
}

/// Whether to set up or to undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    SetUp,
    Undo,
}

/// Shows the changes, asks for a confirmation, and makes them.
fn init(config: &Config, given: &ConfigArgs, registry: &Registry, options: InitOptions) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error.to_string()),
    };
    let upkeep = match open_data_dir(config) {
        Ok(upkeep) => upkeep,
        Err(problem) => return refuse(problem),
    };
    // A dry run changes nothing, and need not wait.
    let is_dry = options.confirmation == Confirmation::DryRun;
    let _lock = match (!is_dry).then(|| SetupLock::acquire(&config.data_dir)).transpose() {
        Ok(lock) => lock,
        Err(problem) => return refuse(explain(&problem)),
    };
    let done = match options.direction {
        Direction::SetUp => runtime.block_on(set_up(config, given, (registry, &upkeep), options)),
        Direction::Undo => runtime.block_on(undo_all(config, options.confirmation)),
    };
    done.unwrap_or_else(refuse)
}

async fn set_up(
    config: &Config,
    given: &ConfigArgs,
    (registry, upkeep): (&Registry, &Upkeep),
    options: InitOptions,
) -> Result<ExitCode, Refused> {
    let (found, plan) = make_plan(config, given, (registry, upkeep), options.choices).await?;
    let mut notes: Vec<_> = plan.notes.iter().map(note).collect();
    let mut lines = found_lines(&found);
    let mut changes = changes(&plan, &found);
    let redactor = redactor();
    let details = changes.iter_mut().flat_map(|change| iter::once(&mut change.title).chain(&mut change.details));
    let all = details.chain(&mut notes).chain(&mut lines);
    all.flat_map(Message::untrusted_texts).for_each(|text| redactor.redact(text));
    print(&texts::plan(&found.program.program, &lines, &changes, &notes));
    if plan.steps.is_empty() {
        return Ok(print(texts::NOTHING_TO_DO));
    }
    if let Some(code) = stop_before_changes(options.confirmation, texts::CONFIRM) {
        return Ok(code);
    }
    apply(&plan, &found, &config.data_dir).await.map_err(|problem| explain(&problem))?;
    Ok(print(texts::DONE))
}

/// Looks around, and plans the changes.
pub(super) async fn make_plan(
    config: &Config,
    given: &ConfigArgs,
    (registry, upkeep): (&Registry, &Upkeep),
    choices: SetupChoices,
) -> Result<(Found, Plan), Refused> {
    let program = plugin_program(config, given)?;
    let found = look_around(config, registry, upkeep, program).await;
    let found = found.map_err(|problem| explain(&SetupProblem::Claude(problem)))?;
    let plan = Plan::make(&found, choices).map_err(|source| {
        let path = found.claude.as_ref().map(|claude| claude.settings.path.clone()).unwrap_or_default();
        explain(&SetupProblem::Settings { path, source })
    })?;
    Ok((found, plan))
}

async fn undo_all(config: &Config, confirmation: Confirmation) -> Result<ExitCode, Refused> {
    let record = SetupRecord::read(&config.data_dir).map_err(|problem| explain(&SetupProblem::Record(problem)))?;
    let Some(record) = record else { return Ok(print(texts::NOTHING_TO_UNDO)) };
    print(&texts::to_undo(&recorded_lines(&record)));
    if let Some(code) = stop_before_changes(confirmation, texts::CONFIRM_UNDO) {
        return Ok(code);
    }
    let undone = undo(&config.data_dir).await.map_err(|problem| explain(&problem))?;
    let (undone, remaining) = undone.unwrap_or_default();
    let printed = print(&texts::undone(&undone.iter().map(undone_line).collect::<Vec<_>>()));
    if remaining.is_empty() {
        return Ok(printed);
    }
    Err(texts::not_undone(remaining.into_iter().map(remaining_words)))
}

/// The exit code if the changes are not to be made.
fn stop_before_changes(confirmation: Confirmation, question: &str) -> Option<ExitCode> {
    let exit = match confirmation {
        Confirmation::Given => return None,
        Confirmation::DryRun => Exit::Completed,
        Confirmation::Ask => match confirm(question) {
            Answer::Yes => return None,
            Answer::No => {
                print(texts::NOT_CONFIRMED);
                Exit::Refused
            }
            Answer::Unasked => {
                refuse(texts::needs_confirmation());
                Exit::Usage
            }
        },
    };
    Some(exit.into())
}

/// The problem with all its causes, and what to do.
fn explain(problem: &SetupProblem) -> Refused {
    let causes = iter::successors(problem.source(), |cause| (*cause).source()).map(ToString::to_string);
    // Some messages contain their cause already.
    let said = causes.fold(
        problem.to_string(),
        |said, cause| {
            if said.contains(&cause) { said } else { format!("{said}: {cause}") }
        },
    );
    match problem {
        SetupProblem::File(file) | SetupProblem::Claude(ClaudeProblem::File(file)) => {
            texts::make_writable(said, file.path())
        }
        SetupProblem::ReadOnly { path } => texts::read_only_file(said, path),
        SetupProblem::Settings { path, .. }
        | SetupProblem::Toml { path, .. }
        | SetupProblem::Claude(ClaudeProblem::NotJson { path, .. }) => texts::fix_file(said, path),
        SetupProblem::Plugin(problem) => explain_plugin(problem),
        SetupProblem::Locked { .. } => texts::end_other_init(said),
        SetupProblem::Record(_)
        | SetupProblem::NoClaude
        | SetupProblem::Claude(ClaudeProblem::Program(_) | ClaudeProblem::Refused { .. }) => texts::setup_failed(said),
    }
}
