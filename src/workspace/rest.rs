//! Commits and staged files that exist only in the git directory of a worktree, and would be lost with it.
//!
//! The snapshot after a task contains the files, and the commit that is checked out is its parent. But an agent can also
//! leave a commit that it reset, a ref of the worktree's own (`refs/worktree/*`), or a file that is only staged. They are
//! kept by one more commit, `refs/codex-connector/<id>/rest`: its tree has the staged files if they are nowhere else, and
//! its parents are the snapshot and the latest of these commits.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use super::{
    copying::copy_index,
    git_error::GitError,
    merge::commit,
    place::{Head, object_id, repository_command},
    raw_diff::differences,
    refs::{command, ref_name, update_ref},
    shadow::Shadow,
    tree_error::TreeError,
};
use crate::task::{ObjectId, Omission, TaskId};

/// The name of the ref.
const REST: &str = "rest";

/// The refs that each worktree has for itself.
const OWN_REFS: [&str; 3] = ["refs/worktree/", "refs/bisect/", "refs/rewritten/"];

/// Names for commits that are in no reflog if the user has disabled it.
const PSEUDO_REFS: &str = "ORIG_HEAD^{commit}\nFETCH_HEAD^{commit}\n";

/// Maximum number of parents of the commit.
const MAX_PARENTS: usize = 1_000;

/// A worktree that is no longer needed.
#[derive(Debug, Clone, Copy)]
pub struct Removal<'a> {
    /// Its task.
    pub task: &'a TaskId,
    /// The snapshot after the task.
    pub after: &'a ObjectId,
    /// The files that no snapshot of it contains.
    pub omitted: &'a [Omission],
    /// The tree with the files that were staged when it was made, if there is one.
    pub staged: Option<&'a ObjectId>,
}

/// Whether everything is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is.
    Kept,
    /// Something is not, so the worktree must be kept.
    Lost,
}

/// Keeps what only the git directory of a worktree has. `head` is its HEAD, and `shadow` its shadow repository, whose
/// snapshots are in `removal`.
pub(super) fn keep_rest(shadow: &Shadow, removal: &Removal<'_>, head: &Head) -> Result<Rest, TreeError> {
    let Some(named) = named_commits(shadow)? else { return Ok(Rest::Lost) };
    let Some(staged) = staged_only(shadow, removal, head)? else { return Ok(Rest::Lost) };
    // `rev-list` must find the snapshot.
    shadow.publish()?;
    let commits = latest_unreachable(shadow, removal.after, &named)?;
    let tree = match staged {
        Staged::Elsewhere if commits.is_empty() => return Ok(Rest::Kept),
        Staged::Elsewhere => removal.after.clone(),
        Staged::Only(tree) => tree,
    };
    if commits.len() >= MAX_PARENTS {
        return Ok(Rest::Lost);
    }
    let parents: Vec<&ObjectId> = [removal.after].into_iter().chain(&commits).collect();
    let message = format!("codex-connector: task {}, rest", removal.task);
    let rest = commit(shadow, &tree, &parents, &message)?;
    shadow.publish()?;
    update_ref(shadow.git(), shadow.place(), &ref_name(removal.task, REST), &rest)?;
    Ok(Rest::Kept)
}

/// The commits that the reflog and the refs of the worktree name. `None` if a ref names something else.
fn named_commits(shadow: &Shadow) -> Result<Option<BTreeSet<ObjectId>>, GitError> {
    let ask = |args: &[&str]| repository_command(shadow.git(), shadow.place(), args.iter().copied());
    let mut named = objects(&ask(&["rev-list", "--walk-reflogs", "HEAD"]).run()?);
    let pseudo_refs = ask(&["cat-file", "--batch-check=%(objectname)"]).stdin(PSEUDO_REFS).run()?;
    named.append(&mut objects(&pseudo_refs));
    let refs = ask(&["for-each-ref", "--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname)"]);
    let refs = refs.args(OWN_REFS).run()?;
    for line in String::from_utf8_lossy(&refs).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let found = match words[..] {
            ["commit", name, ..] | [_, _, "commit", name] => name.parse().ok(),
            _ => None,
        };
        let Some(commit) = found else { return Ok(None) };
        named.insert(commit);
    }
    Ok(Some(named))
}

/// The lines that are names of objects.
fn objects(output: &[u8]) -> BTreeSet<ObjectId> {
    output.split(|byte| *byte == b'\n').filter_map(object_id).collect()
}

/// The staged files of a worktree.
enum Staged {
    /// Their content is in the snapshot, in HEAD, or staged in the user's work tree.
    Elsewhere,
    /// Some are nowhere else. The tree has all of them.
    Only(ObjectId),
}

/// Compares the staged files. `None` if they cannot be kept, because of a merge conflict.
fn staged_only(shadow: &Shadow, removal: &Removal<'_>, head: &Head) -> Result<Option<Staged>, TreeError> {
    let dir = shadow.dir().join("rest");
    fs::create_dir_all(&dir).map_err(TreeError::file("create", &dir))?;
    let git_dir = &shadow.place().git_dir;
    if !copy_index(git_dir, &dir).map_err(TreeError::file("copy", git_dir.join("index")))? {
        return Ok(Some(Staged::Elsewhere));
    }
    let written = shadow.object_command(["write-tree", "--missing-ok"]).index(&dir.join("index")).output()?;
    let Some(tree) = object_id(&written.stdout).filter(|_| written.code == 0) else { return Ok(None) };
    if removal.staged == Some(&tree) || head.tree.as_ref() == Some(&tree) {
        return Ok(Some(Staged::Elsewhere));
    }
    let mut only = differences(shadow, removal.after, &tree)?;
    only.retain(|_, change| change.new.is_some());
    if let Some(committed) = head.tree.as_ref().filter(|_| !only.is_empty()) {
        let changed: BTreeMap<_, _> = differences(shadow, committed, &tree)?;
        only.retain(|path, _| changed.contains_key(path));
    }
    Ok(Some(if only.is_empty() { Staged::Elsewhere } else { Staged::Only(tree) }))
}

/// Those of these commits that neither the snapshot nor a branch, tag or remote branch contains, without the ancestors
/// of others.
fn latest_unreachable(
    shadow: &Shadow,
    after: &ObjectId,
    named: &BTreeSet<ObjectId>,
) -> Result<Vec<ObjectId>, GitError> {
    if named.is_empty() {
        return Ok(vec![]);
    }
    let args = ["rev-list", "--parents", "--ignore-missing", "--stdin", "--not", after.as_str()];
    let listing = command(shadow.git(), shadow.place(), &args).args(["--branches", "--tags", "--remotes"]);
    let input: String = named.iter().map(|commit| format!("{commit}\n")).collect();
    let listed = listing.stdin(input).run()?;
    let (mut found, mut parents) = (Vec::new(), BTreeSet::new());
    for line in String::from_utf8_lossy(&listed).lines() {
        let mut commits = line.split(' ').filter_map(|commit| commit.parse::<ObjectId>().ok());
        found.extend(commits.next());
        parents.extend(commits);
    }
    found.retain(|commit| !parents.contains(commit));
    Ok(found)
}
