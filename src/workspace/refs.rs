//! Refs of our own in the user's repository.

use super::{
    git::{Git, GitCommand},
    git_error::GitError,
    place::object_id,
};
use crate::task::{ObjectId, Place, TaskId};

/// The prefix of all our refs. They are not branches, so git neither shows nor pushes them by default.
const PREFIX: &str = "refs/codex-connector/";

/// The name of a task's ref, such as `refs/codex-connector/1a2b3c4d/before`.
pub fn ref_name(task: &TaskId, name: &str) -> String {
    format!("{PREFIX}{task}/{name}")
}

/// Sets a ref to a commit, which must be in the user's repository.
pub fn update_ref(git: &Git, place: &Place, name: &str, commit: &ObjectId) -> Result<(), GitError> {
    change(git, place, format!("update {name}\0{commit}\0\0"))
}

/// Deletes a ref. Succeeds if it does not exist.
pub fn delete_ref(git: &Git, place: &Place, name: &str) -> Result<(), GitError> {
    delete_refs(git, place, &[name.to_owned()])
}

/// Deletes refs, all or none. Those that do not exist are left out.
pub fn delete_refs(git: &Git, place: &Place, names: &[String]) -> Result<(), GitError> {
    change(git, place, names.iter().map(|name| format!("delete {name}\0\0")).collect())
}

fn change(git: &Git, place: &Place, lines: String) -> Result<(), GitError> {
    if lines.is_empty() {
        return Ok(());
    }
    command(git, place, &["update-ref", "--no-deref", "-z", "--stdin"]).stdin(lines).run().map(drop)
}

/// All refs of a task, or of all tasks, with their commits.
pub fn list_refs(git: &Git, place: &Place, task: Option<&TaskId>) -> Result<Vec<(String, ObjectId)>, GitError> {
    let prefix = task.map_or_else(|| PREFIX.to_owned(), |task| format!("{PREFIX}{task}/"));
    let answer = command(git, place, &["for-each-ref", "--format=%(objectname) %(refname)", &prefix]).run()?;
    let text = String::from_utf8_lossy(&answer);
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    Ok(lines.filter_map(|(id, name)| Some((name.to_owned(), object_id(id.as_bytes())?))).collect())
}

/// A command on the refs that all work trees share. An agent can change which directory a work tree shares, so the
/// common directory is given.
pub(super) fn command(git: &Git, place: &Place, args: &[&str]) -> GitCommand {
    let command = git.command(args.iter().copied());
    command.git_dir(&place.common_dir).directory(&place.common_dir).without_user_settings()
}

#[cfg(test)]
#[path = "refs_tests.rs"]
mod tests;
