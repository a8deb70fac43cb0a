//! Decides which of the user's filters may run.
//!
//! A filter is a command that git runs for the content of each file with an attribute such as `filter=lfs`. The frozen
//! settings prevent an agent from adding one, but not from changing a script that an existing one runs. Therefore:
//!
//! - A filter that refers to a file in the project is never run, and files with it are not covered.
//! - The same applies to a filter in the repository's own configuration, because a repository that somebody else made can
//!   contain one, and to a filter in a file of the project that the user's configuration includes, because an earlier task
//!   can have written it. Exceptions are `git-lfs` and `git-crypt`, which write their settings there.
//! - Every other filter runs in an empty directory instead of the work tree, so that it finds no file there, for example
//!   a Python module. Exceptions are `git-lfs` and `git-crypt`, which need the work tree and run nothing from it.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use connector_api::Sandbox;
use memchr::memmem;

use super::git::Git;
use crate::{agent_environment::Project, directory::Route, task::Place};

/// The variable with the empty directory in which filters run.
pub(super) const FILTER_DIRECTORY: &str = "CONNECTOR_FILTER_DIRECTORY";

/// Programs that need the work tree and run nothing from it.
const TRUSTED: [&str; 2] = ["git-lfs", "git-crypt"];

/// Programs with which a command could find the work tree, or content from it. git-annex also moves files into its own
/// store.
const FORBIDDEN_PROGRAMS: [&str; 4] = ["git", "git-annex", "cd", "pushd"];

/// Variables with which a command could find the work tree or the git directory.
const FORBIDDEN_VARIABLES: [&str; 3] = ["GIT_WORK_TREE", "GIT_DIR", "OLDPWD"];

/// Judges the commands of filters before the agent starts.
pub(super) struct FilterJudge {
    project: Option<Project>,
    top: PathBuf,
    home: Option<PathBuf>,
}

impl FilterJudge {
    pub(super) fn of(git: &Git, place: &Place) -> Self {
        Self {
            project: Project::of(Sandbox::WorkspaceWrite, &place.top),
            top: place.top.clone(),
            home: git.variable("HOME").map(PathBuf::from),
        }
    }

    /// Whether the project determines a setting, given its scope and the file that contains it, both as git prints them.
    pub(super) fn is_local(&self, scope: &[u8], origin: &[u8]) -> bool {
        let is_in_project = |file: &[u8]| {
            let path = Path::new(OsStr::from_bytes(file));
            let is_below_top = || Route::of(path).path_in(&self.top).is_some();
            // The top counts even if it contains the home directory.
            self.project.as_ref().is_none_or(|project| project.controls(path)) || is_below_top()
        };
        matches!(scope, b"local" | b"worktree") || origin.strip_prefix(b"file:").is_none_or(is_in_project)
    }

    /// Whether a filter with this command may run. `is_local` says whether the project determines it.
    pub(super) fn is_usable(&self, command: &[u8], is_local: bool) -> bool {
        let is_named = |program: &OsStr| TRUSTED.iter().any(|trusted| program == *trusted);
        let is_vouched_for =
            !is_local || command.is_empty() || only_program(command).is_some_and(|name| is_named(&name));
        is_vouched_for && self.is_independent(command)
    }

    /// Whether the project has no influence on what this command does. Splits it more often than a shell would, and
    /// thereby errs on the safe side.
    fn is_independent(&self, command: &[u8]) -> bool {
        let mut is_program = true;
        for part in command.split_inclusive(|byte| is_separator(*byte)) {
            let (word, separator) = match part.split_last() {
                Some((last, word)) if is_separator(*last) => (word, Some(*last)),
                Some(_) | None => (part, None),
            };
            if !word.is_empty() {
                if !self.is_usable_word(word, is_program) {
                    return false;
                }
                is_program = false;
            }
            is_program |= separator.is_some_and(|byte| b"|;&(`\n{".contains(&byte));
        }
        true
    }

    fn is_usable_word(&self, word: &[u8], is_program: bool) -> bool {
        let given = Path::new(OsStr::from_bytes(word));
        let in_home = given.strip_prefix("~").ok().and_then(|below| Some(self.home.as_ref()?.join(below)));
        let path = in_home.as_deref().unwrap_or(given);
        let name = path.file_name().unwrap_or_default();
        let is_forbidden = FORBIDDEN_PROGRAMS.iter().any(|program| name == *program)
            || FORBIDDEN_VARIABLES.iter().any(|variable| memmem::find(word, variable.as_bytes()).is_some());
        let is_in_project = if path.is_absolute() {
            self.project.as_ref().is_some_and(|project| project.controls(path))
        } else {
            let is_relative_program = is_program && word.contains(&b'/');
            let is_file = self.top.join(path).symlink_metadata().is_ok();
            is_relative_program || word.starts_with(b"./") || word.starts_with(b"../") || is_file
        };
        !is_forbidden && !is_in_project
    }
}

fn is_separator(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`|;&()<>=${}\\,:".contains(&byte)
}

/// The command to write into a shadow's configuration: it runs in the directory [`FILTER_DIRECTORY`].
pub(super) fn wrapped(command: &[u8]) -> Vec<u8> {
    if command.is_empty() || is_trusted(command) {
        return command.to_vec();
    }
    [format!("cd \"${FILTER_DIRECTORY}\" || exit 1; ").as_bytes(), command].concat()
}

/// Whether this is one call of a trusted program, by name or by path.
fn is_trusted(command: &[u8]) -> bool {
    let program = only_program(command).unwrap_or_default();
    let name = Path::new(&program).file_name().unwrap_or_default();
    TRUSTED.iter().any(|trusted| name == *trusted)
}

/// The program of a command that runs only one, as it is written there.
fn only_program(command: &[u8]) -> Option<OsString> {
    let words = str::from_utf8(command).ok().and_then(shlex::split)?;
    let is_one = !command.iter().any(|byte| b"|;&`$()<>\n".contains(byte));
    words.into_iter().next().filter(|_| is_one).map(OsString::from)
}

#[cfg(test)]
#[path = "filters_tests.rs"]
mod tests;
