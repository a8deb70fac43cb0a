//! The submodules of a worktree.
//!
//! Git gives every worktree its own clone of a submodule. It is made from the user's clone of the submodule, without a
//! connection to the server. A submodule that the user does not have is left empty.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use super::{
    beneath::{is_plain, remove_all},
    git_error::GitError,
    shadow::Shadow,
    snapshot::SnapshotError,
    tree_files::git_dir_of,
};
use crate::task::{GitPath, ObjectId, Place};

/// The file that lists the submodules.
const MODULES: &str = ".gitmodules";

/// A submodule that the user has.
struct Submodule {
    name: Vec<u8>,
    path: PathBuf,
    /// The git directory of the user's clone.
    git_dir: PathBuf,
}

/// Fills the submodules that the user's work tree has too. Returns a warning for each one that stays empty.
///
/// Runs git in the worktree itself, so it must be called before an agent starts there. The user's configuration is not
/// changed.
pub(super) fn fill_submodules(source: &Shadow, tree: &Path) -> Vec<String> {
    if !tree.join(MODULES).symlink_metadata().is_ok_and(|file| file.is_file()) {
        return vec![];
    }
    let submodules = match submodules(source, tree) {
        Ok(submodules) => submodules,
        Err(error) => return vec![format!("the submodules of the worktree are empty: {error}")],
    };
    let mut warnings = Vec::new();
    for submodule in submodules {
        if let Err(error) = fill(source, tree, &submodule) {
            reset(tree, &submodule);
            let path = submodule.path.display();
            warnings.push(format!(
                "the submodule `{path}` of the worktree is empty: {error}; to fill it, run `git submodule update --init \
                 -- {path}` there"
            ));
        }
    }
    warnings
}

/// The submodules that are filled in the user's work tree.
fn submodules(source: &Shadow, tree: &Path) -> Result<Vec<Submodule>, GitError> {
    let listed = source
        .object_command(["config", "-z", "--file"])
        .arg(tree.join(MODULES))
        .args(["--get-regexp", r"^submodule\..*\.path$"])
        .output()?
        .stdout;
    let found = listed.split(|byte| *byte == 0).filter_map(|entry| {
        let end = entry.iter().position(|byte| *byte == b'\n')?;
        let name = entry[..end].strip_prefix(b"submodule.")?.strip_suffix(b".path")?.to_vec();
        let path = PathBuf::from(OsString::from_vec(entry[end + 1..].to_vec()));
        let git_dir = git_dir_of(&source.place().top.join(&path)).ok()?;
        // A `=` would end the key of a setting on the command line.
        let is_usable =
            is_plain(&path) && is_plain(Path::new(&OsString::from_vec(name.clone()))) && !name.contains(&b'=');
        (is_usable && is_ours(source.place(), &git_dir)).then_some(Submodule { name, path, git_dir })
    });
    Ok(found.collect())
}

/// Whether a git directory is inside the repository, where git puts the clones of submodules.
fn is_ours(place: &Place, git_dir: &Path) -> bool {
    [&place.git_dir, &place.common_dir].iter().any(|dir| git_dir.starts_with(dir.join("modules")))
}

fn fill(source: &Shadow, tree: &Path, submodule: &Submodule) -> Result<(), GitError> {
    let setting = |key: &str, value: &[u8]| {
        OsString::from_vec([b"submodule.", &submodule.name[..], b".", key.as_bytes(), b"=", value].concat())
    };
    let git = source.git();
    git.command(["submodule", "--quiet", "update", "--checkout", "--"])
        .arg(&submodule.path)
        .setting(setting("url", submodule.git_dir.as_os_str().as_bytes()))
        .setting(setting("active", b"true"))
        .directory(tree)
        .env("GIT_ALLOW_PROTOCOL", "file")
        // No hooks from the user's templates.
        .env("GIT_TEMPLATE_DIR", "")
        .run()?;
    // A `git push` in the submodule must not reach the user's clone.
    let config = |git_dir: &Path| git.command(["config", "--file"]).arg(git_dir.join("config"));
    let found = config(&submodule.git_dir).args(["-z", "remote.origin.url"]).output()?;
    let url = found.stdout.strip_suffix(b"\0").filter(|url| found.code == 0 && !url.is_empty());
    let made = git_dir_of(&tree.join(&submodule.path))
        .map_err(|source| GitError::Output { command: "submodule".to_owned(), source })?;
    match url {
        Some(url) => config(&made).arg("remote.origin.url").arg(OsStr::from_bytes(url)).run()?,
        None => config(&made).args(["--unset-all", "remote.origin.url"]).run()?,
    };
    Ok(())
}

/// Removes what an interrupted command left, so that it can be repeated.
fn reset(tree: &Path, submodule: &Submodule) {
    let name = Path::new(std::ffi::OsStr::from_bytes(&submodule.name));
    if let Ok(git_dir) = git_dir_of(tree) {
        let _ = remove_all(&git_dir.join("modules").join(name));
    }
    let path = tree.join(&submodule.path);
    let _ = remove_all(&path).and_then(|()| fs::create_dir_all(&path));
}

/// The submodules in a snapshot, with their commits.
pub(super) fn submodules_in(shadow: &Shadow, snapshot: &ObjectId) -> Result<Vec<(GitPath, ObjectId)>, GitError> {
    let listed = shadow.object_command(["ls-tree", "-r", "-z", snapshot.as_str()]).run()?;
    let links = listed.split(|byte| *byte == 0).filter_map(|entry| {
        let end = entry.iter().position(|byte| *byte == b'\t')?;
        let commit = str::from_utf8(&entry[..end]).ok()?.strip_prefix("160000 commit ")?.parse().ok()?;
        Some((GitPath::from_bytes(&entry[end + 1..]), commit))
    });
    Ok(links.collect())
}

/// Finds a submodule of a worktree whose content is not that of its commit, or that has commits of its own. Returns its
/// path; `None` if there is none.
///
/// `temp` is a directory for temporary shadow repositories. The configuration of a submodule, which the agent may have
/// changed, is not read.
pub(super) fn changed_submodule(
    shadow: &Shadow,
    submodules: &[(GitPath, ObjectId)],
    temp: &Path,
) -> Result<Option<GitPath>, SnapshotError> {
    for (number, (path, commit)) in submodules.iter().enumerate() {
        let top = shadow.place().top.join(path.as_path());
        let temp = temp.join(format!("submodule-{number}"));
        if top.join(".git").symlink_metadata().is_ok() && !is_unchanged(shadow, &top, commit, &temp)? {
            return Ok(Some(path.clone()));
        }
    }
    Ok(None)
}

fn is_unchanged(shadow: &Shadow, top: &Path, commit: &ObjectId, temp: &Path) -> Result<bool, SnapshotError> {
    let modules = shadow.place().git_dir.join("modules");
    let Some(git_dir) = git_dir_of(top).ok().filter(|git_dir| git_dir.starts_with(&modules)) else { return Ok(false) };
    let is_at_commit =
        fs::read(git_dir.join("HEAD")).is_ok_and(|head| head.trim_ascii_end() == commit.as_str().as_bytes());
    // A clone has its branches packed or in one file; commits that the agent made are in the log of HEAD.
    let moves = fs::read_to_string(git_dir.join("logs/HEAD")).unwrap_or_default().lines().count();
    if !is_at_commit || moves > 2 || git_dir.join("refs/stash").exists() {
        return Ok(false);
    }
    let place = Place {
        top: top.to_owned(),
        git_dir: git_dir.clone(),
        common_dir: git_dir,
        prefix: PathBuf::new(),
        ..shadow.place().clone()
    };
    fs::create_dir(temp)
        .map_err(|source| super::shadow::ShadowError::File { action: "make a directory for a submodule", source })?;
    let mut inner = Shadow::create(shadow.git(), &place, shadow.settings(), None, u64::MAX, temp)?;
    let found = inner.snapshot("a submodule", None)?;
    let tree = format!("{commit}^{{tree}}");
    let expected = inner.object_command(["rev-parse", "--verify", &tree]).run()?;
    Ok(found.omitted.is_empty() && expected.trim_ascii_end() == found.tree.as_str().as_bytes())
}
