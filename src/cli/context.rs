//! Everything that a verb for people needs: the broker, the screen, the scope, and errors with the right exit code.

use std::{
    env,
    ffi::OsString,
    future::Future,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};

use chrono::{DateTime, FixedOffset, Local, Utc};
use rustix::fd::AsFd;

use super::{
    config_args::{ColorChoice, ConfigArgs},
    exit::Exit,
    live_area::Size,
    locale::symbols,
    opening::{LenientConfig, open},
    output::{refuse, refuse_all},
    runtime::runtime,
};
use crate::{
    broker::{Broker, Refusal},
    config::{Config, ConfigProblems},
    directory::repository_of,
    present::{Refused, terminal::Screen, terminal_refusals},
    process::{claude_session, claude_window},
    registry::Registry,
    store::{Filter, Listener},
};

/// The surroundings of a verb.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) registry: &'a Registry,
    pub(super) supervisor: Option<PathBuf>,
    /// The flags that were given.
    pub(super) given: ConfigArgs,
}

impl Context<'_> {
    /// The configuration, or its problems.
    pub(super) fn load_config(&self) -> Result<Config, ConfigProblems> {
        Config::load(&self.given.overrides(), self.registry, env::vars_os())
    }

    /// The configuration. Prints all problems if it is invalid.
    pub(super) fn config(&self) -> Result<Config, Exit> {
        self.load_config().map_err(|problems| {
            refuse_all(problems.explain());
            Exit::Usage
        })
    }

    /// The configuration, with defaults in place of invalid settings, and the problems.
    pub(super) fn lenient_config(&self) -> LenientConfig {
        Config::load_lenient(&self.given.overrides(), self.registry, env::vars_os())
    }

    /// A configuration for viewing, waiting and cancelling, which work with an invalid one too. Prints its problems.
    pub(super) fn viewing_config(&self) -> Result<Config, Exit> {
        let (config, problems) = self.lenient_config().map_err(|problems| {
            refuse_all(problems);
            Exit::Usage
        })?;
        if !problems.is_empty() {
            refuse_all(problems);
            // It may be meant for another directory, so none is created.
            if !config.data_dir.is_dir() {
                return Err(Exit::Usage);
            }
        }
        Ok(config)
    }

    /// Runs a verb that views, awaits or stops tasks. The configuration may be invalid.
    pub(super) fn run<F>(&self, verb: impl FnOnce(Broker) -> F) -> ExitCode
    where
        F: Future<Output = Result<Exit, Exit>>,
    {
        self.run_with(self.viewing_config(), verb)
    }

    /// Runs a verb that starts or removes tasks. The configuration must be valid.
    pub(super) fn run_strictly<F>(&self, verb: impl FnOnce(Broker) -> F) -> ExitCode
    where
        F: Future<Output = Result<Exit, Exit>>,
    {
        self.run_with(self.config(), verb)
    }

    /// Runs a verb with a broker, on one thread.
    fn run_with<F>(&self, config: Result<Config, Exit>, verb: impl FnOnce(Broker) -> F) -> ExitCode
    where
        F: Future<Output = Result<Exit, Exit>>,
    {
        let run = || {
            let broker = open(self.registry, self.supervisor.clone(), config?).map_err(|problem| {
                refuse(problem);
                Exit::Failed
            })?;
            let runtime = runtime().map_err(|error| {
                refuse(Refused::without_advice(error.to_string()));
                Exit::Failed
            })?;
            let exit = runtime.block_on(verb(broker));
            // A thread may still be reading a file.
            runtime.shutdown_background();
            exit
        };
        run().unwrap_or_else(|exit: Exit| exit).into()
    }

    /// The screen that stdout is.
    pub(super) fn screen(&self) -> Screen {
        self.screen_of(io::stdout())
    }

    /// The screen that stderr is.
    pub(super) fn error_screen(&self) -> Screen {
        self.screen_of(io::stderr())
    }

    /// Whether the terminal can move its cursor.
    pub(super) fn can_redraw(&self) -> bool {
        env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
    }

    fn screen_of(&self, output: impl IsTerminal + AsFd) -> Screen {
        let width = output.is_terminal().then(|| Size::of(output).columns);
        let has_color = match self.given.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => width.is_some() && colors_wanted(|name| env::var_os(name)),
        };
        Screen { width, has_color, symbols: symbols() }
    }
}

/// Prints a refusal, and returns its exit code.
pub(super) fn refused(broker: &Broker, refusal: &Refusal) -> Exit {
    refuse(refusal.explain_for_terminal().redacted(broker.redactor()));
    Exit::of_refusal(refusal)
}

/// A time in the user's time zone.
pub(super) fn local_time(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    at.with_timezone(&Local).fixed_offset()
}

/// The repository that a verb is limited to: that of the current directory, or none with `--all`.
///
/// Fails if the current directory does not exist, because no limit would then mean all repositories. Prints the problem.
pub(super) fn repository(is_everywhere: bool) -> Result<Option<PathBuf>, Exit> {
    if is_everywhere {
        return Ok(None);
    }
    this_repository().map(Some).ok_or_else(|| {
        refuse(terminal_refusals::no_current_directory());
        Exit::Failed
    })
}

/// The repository of the current directory.
pub(super) fn this_repository() -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    Some(repository_of(&here.canonicalize().unwrap_or(here)))
}

/// Selects the tasks of a repository, or all.
pub(super) fn scope(repository: Option<&Path>) -> Filter {
    Filter { repository: repository.map(|path| path.to_string_lossy().into_owned()), ..Filter::default() }
}

/// Whether the environment allows colors.
fn colors_wanted(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && variable("TERM").is_none_or(|term| term != "dumb")
}

/// The session, person or script that asked for the output of this process.
pub(super) fn asker() -> Listener {
    Listener { session: claude_session(), window: claude_window(), ..Listener::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_and_dumb_terminals_are_respected() {
        let with = |set: &[(&str, &str)]| {
            let set: Vec<_> = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            colors_wanted(move |name| {
                set.iter().find(|(set, _)| set == name).map(|(_, value): &(_, OsString)| value.clone())
            })
        };
        assert!(with(&[]) && with(&[("NO_COLOR", "")]) && with(&[("TERM", "xterm")]));
        assert!(!with(&[("NO_COLOR", "1")]) && !with(&[("TERM", "dumb")]));
    }
}
