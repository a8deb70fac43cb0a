//! Creates the branch of `apply --commit`. Nothing is checked out, and no existing branch is changed.

use super::{
    git::Git, git_error::GitError, operation_error::OperationError, refs::command, restrict::parse_object,
    shadow::Shadow,
};
use crate::task::{GitPath, ObjectId, Place, TaskId};

/// The commit of a new branch.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewCommit<'a> {
    pub(super) tree: &'a ObjectId,
    /// The commit that is checked out; `None` if there is none yet.
    pub(super) parent: Option<&'a ObjectId>,
    pub(super) task: &'a TaskId,
}

/// Checks that a branch with this name, without `refs/heads/`, can be created.
pub(super) fn check_branch(git: &Git, place: &Place, name: &GitPath) -> Result<(), OperationError> {
    let full = full_name(name);
    let is_valid =
        !name.as_bytes().starts_with(b"-") && git.command(["check-ref-format"]).arg(full.as_path()).output()?.code == 0;
    if !is_valid {
        return Err(OperationError::InvalidBranch(name.clone()));
    }
    match command(git, place, &["show-ref", "--verify", "--quiet", "--"]).arg(full.as_path()).output()?.code {
        0 => Err(OperationError::BranchExists(name.clone())),
        _ => Ok(()),
    }
}

/// Creates a branch with one new commit by the user, and publishes its objects. Fails if the branch exists.
pub(super) fn create_branch(shadow: &Shadow, name: &GitPath, new: NewCommit<'_>) -> Result<ObjectId, OperationError> {
    let (git, place) = (shadow.git(), shadow.place());
    let message = format!("Apply the changes of codex-connector task {}\n", new.task);
    let parent = new.parent.into_iter().flat_map(|parent| ["-p", parent.as_str()]);
    let mut commit = shadow.object_command(["commit-tree", new.tree.as_str()]).args(parent).stdin(message);
    let identity = [("user.name", "NAME"), ("user.email", "EMAIL")];
    for (key, part) in identity {
        if let Some(value) = setting(git, place, key)? {
            let value = GitPath::from_bytes(value);
            for role in ["AUTHOR", "COMMITTER"] {
                commit = commit.env(&format!("GIT_{role}_{part}"), value.as_path());
            }
        }
    }
    let commit = parse_object(&commit.run()?, "commit-tree")?;
    shadow.publish()?;
    let mut create = b"create ".to_vec();
    create.extend_from_slice(full_name(name).as_bytes());
    create.extend_from_slice(format!("\0{commit}\0").as_bytes());
    let create_ref =
        command(git, place, &["update-ref", "--no-deref", "--stdin", "-z", "-m", "codex-connector: apply"]);
    create_ref.stdin(create).run()?;
    Ok(commit)
}

/// A setting of the user at this place; `None` if it is not set.
fn setting(git: &Git, place: &Place, key: &str) -> Result<Option<Vec<u8>>, GitError> {
    let found = git.command(["config", "--null", "--get", key]).git_dir(&place.common_dir).output()?;
    let value = found.stdout.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok((found.code == 0 && !value.is_empty()).then(|| value.to_owned()))
}

fn full_name(name: &GitPath) -> GitPath {
    GitPath::from_bytes([b"refs/heads/", name.as_bytes()].concat())
}
