//! The context of every verb for people: the broker, the screen, the scope, and errors with the right exit code.

use std::{
    env,
    ffi::OsString,
    future::Future,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};

use chrono::{DateTime, FixedOffset, Local, Utc};
use clap::ValueEnum;

use super::{
    exit::Exit,
    output::{refuse, refuse_all},
    runtime::runtime,
    serve,
};
use crate::{
    broker::{Broker, Refusal},
    config::{Config, Overrides},
    directory::repository_of,
    present::{
        Refused,
        terminal::{Screen, Symbols},
    },
    registry::Registry,
    store::Filter,
};

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The surroundings of a verb.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) registry: &'a Registry,
    pub(super) supervisor: Option<PathBuf>,
    pub(super) overrides: Overrides,
    pub(super) color: ColorChoice,
}

impl Context<'_> {
    /// The configuration. Prints all problems if it is invalid.
    pub(super) fn config(&self) -> Result<Config, Exit> {
        Config::load(&self.overrides, self.registry, env::vars_os()).map_err(|problems| {
            refuse_all(problems.explain());
            Exit::Usage
        })
    }

    /// A broker for the configured data directory. Prints the problem if there is one.
    pub(super) fn broker(&self) -> Result<Broker, Exit> {
        let config = self.config()?;
        serve::open(self.registry, self.supervisor.clone(), config).map_err(|problem| {
            refuse(problem);
            Exit::Failed
        })
    }

    /// Runs an async verb with a broker, on one thread.
    pub(super) fn run<F>(&self, verb: impl FnOnce(Broker) -> F) -> ExitCode
    where
        F: Future<Output = Result<Exit, Exit>>,
    {
        let run = || {
            let broker = self.broker()?;
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
        let width = io::stdout().is_terminal().then(|| terminal_width().unwrap_or(80));
        let has_color = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => width.is_some() && colors_wanted(|name| env::var_os(name)),
        };
        Screen { width, has_color, symbols: symbols(|name| env::var_os(name)) }
    }
}

/// Prints a refusal, and returns its exit code.
pub(super) fn refused(broker: &Broker, refusal: &Refusal) -> Exit {
    refuse(broker.explain(refusal));
    Exit::of_refusal(refusal)
}

/// A time in the user's time zone.
pub(super) fn local_time(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    at.with_timezone(&Local).fixed_offset()
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

/// The symbols that the locale can show.
fn symbols(variable: impl Fn(&str) -> Option<OsString>) -> Symbols {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let locale = set.map(|value| value.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if locale.contains("utf-8") || locale.contains("utf8") { Symbols::Unicode } else { Symbols::Ascii }
}

/// The width of the terminal on stdout, in columns.
fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
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

    #[test]
    fn symbols_depend_on_the_first_locale_variable_that_is_set() {
        let with = |set: &[(&str, &str)]| {
            let set: Vec<_> = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            symbols(move |name| set.iter().find(|(set, _)| set == name).map(|(_, value): &(_, OsString)| value.clone()))
        };
        assert_eq!(with(&[("LANG", "en_US.UTF-8")]), Symbols::Unicode);
        assert_eq!(with(&[("LC_ALL", "C.utf8"), ("LANG", "C")]), Symbols::Unicode);
        assert_eq!(with(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]), Symbols::Ascii);
        assert_eq!(with(&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")]), Symbols::Unicode);
        assert_eq!(with(&[]), Symbols::Ascii);
    }
}
