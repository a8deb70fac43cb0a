//! `top`: tasks on the whole terminal.

use std::{
    env,
    ffi::OsString,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{
    config_args::{ColorChoice, ConfigArgs},
    context::{Context, asker, local_time, refused, repository, scope, this_repository},
    exit::Exit,
    lists::with_lists,
    ls,
    output::fail,
};
use crate::{
    directory::is_repository,
    tui::{self, TopEnd, TopOptions},
};

const EXAMPLES: &str = "\
Examples:
  codex-connector top          the tasks of this repository
  codex-connector top --all    the tasks of all repositories

The last line shows the most important keys, and ? shows all of them. Each action is a verb of codex-connector: it is shown
first, and Enter runs it. The mouse is left to the terminal, for selecting text.

If stdin or stdout is not a terminal, or the terminal cannot move its cursor, it prints the list of `ls` instead, redrawn
once a second where that is possible.";

/// The arguments of `top`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Begin with the tasks of all repositories, not only those of this one
    #[arg(short, long)]
    all: bool,
}

/// Shows tasks until a person quits.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    let can_redraw = screen.is_terminal() && context.can_redraw();
    if !can_redraw || !io::stdin().is_terminal() {
        return ls::run(context, ls::Arguments::instead_of_top(arguments.all, can_redraw));
    }
    context.run(async |broker| {
        let here = match repository(arguments.all)? {
            Some(here) => Some(here),
            None => this_repository(),
        };
        let filter = scope(here.as_deref());
        // A catalog that is missing is rebuilt before the screen is used, because that prints messages.
        let list = with_lists(&broker, async || broker.find(&filter, 1).await).await;
        list.map_err(|refusal| refused(&broker, &refusal))?;
        let options = TopOptions {
            broker,
            here: filter,
            here_name: short_name(here.as_deref().unwrap_or(Path::new("/"))),
            is_everywhere: arguments.all,
            work_tree: work_tree(),
            symbols: screen.symbols,
            has_color: screen.has_color,
            zone: local_time,
            program: env::current_exe().unwrap_or_else(|_| "codex-connector".into()),
            flags: flags(&context.given),
            asker: asker(),
        };
        match tui::run(options).await {
            Ok(TopEnd::Quit) => Ok(Exit::Completed),
            Ok(TopEnd::HungUp) => Ok(Exit::HungUp),
            Ok(TopEnd::Terminated) => Ok(Exit::Terminated),
            Err(error) => {
                fail(error.to_string());
                Err(Exit::Failed)
            }
        }
    })
}

/// The path of a repository as a person would write it: its work tree, with `~` for the home directory.
fn short_name(repository: &Path) -> String {
    let place = match repository.file_name() {
        Some(name) if name == ".git" => repository.parent().unwrap_or(repository),
        Some(_) | None => repository,
    };
    let home = env::home_dir().filter(|home| home.as_os_str().len() > 1);
    let inside = home.and_then(|home| place.strip_prefix(home).ok().map(Path::to_owned));
    let place = inside.map_or_else(|| place.to_owned(), |inside| Path::new("~").join(inside));
    place.to_string_lossy().into_owned()
}

/// The top of the work tree that contains the current directory.
fn work_tree() -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    here.ancestors().find(|level| is_repository(level))?.canonicalize().ok()
}

/// The flags with which a command uses the same settings.
fn flags(given: &ConfigArgs) -> Vec<OsString> {
    let ConfigArgs { config, data_dir, set, color } = given;
    let mut flags = Vec::new();
    let mut flag = |name: &str, value: OsString| flags.extend([OsString::from(name), value]);
    for (name, path) in [("--config", config), ("--data-dir", data_dir)] {
        if let Some(path) = path {
            flag(name, path.into());
        }
    }
    set.iter().for_each(|assignment| flag("--set", assignment.into()));
    match color {
        ColorChoice::Auto => {}
        ColorChoice::Always => flag("--color", "always".into()),
        ColorChoice::Never => flag("--color", "never".into()),
    }
    flags
}
