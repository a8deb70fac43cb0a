//! Checks whether git could work in a directory. Searches for the repository like git does, without running git.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::DirectoryProblem;

/// Maximum size, in bytes, of a file that contains one path.
const MAX_PATH_FILE_BYTES: u64 = 16 << 10;

/// Succeeds if `directory`, a real path, is in the worktree of a git repository. Only there can an agent's changes be
/// reviewed and undone.
///
/// Walks up like git. At each level, it looks for `.git` first, and then checks whether the level is itself a git
/// directory. An empty `.git` directory does not count, because a killed Codex sandbox leaves such directories behind.
pub fn check_repository(directory: &Path) -> Result<(), DirectoryProblem> {
    for level in directory.ancestors() {
        let git = level.join(".git");
        if git.is_file() {
            let git_dir = git_dir_named_in(&git);
            return if is_complete(&git_dir) { Ok(()) } else { Err(lost(level, git_dir)) };
        }
        if git.join("HEAD").exists() {
            return Ok(());
        }
        if is_git_directory(level) {
            let git_dir = level.to_owned();
            return Err(match is_bare(level) {
                true => DirectoryProblem::Bare { worktrees: worktrees_of(level) },
                false => DirectoryProblem::GitDirectory { git_dir },
            });
        }
    }
    Err(DirectoryProblem::NoRepository)
}

/// Whether `level` is the top of a repository or of a worktree. An empty `.git` directory does not count.
pub fn is_repository(level: &Path) -> bool {
    let git = level.join(".git");
    git.is_file() || git.join("HEAD").exists()
}

/// The repository that contains `directory`, a real path. It is named by git's common directory, which all worktrees of
/// a repository share. Outside git, the result is `directory` itself.
pub fn repository_of(directory: &Path) -> PathBuf {
    // A relative path, such as the empty one in a record without a directory, does not mean this process's directory.
    if !directory.is_absolute() {
        return directory.to_owned();
    }
    let git_dir = directory.ancestors().find_map(|level| {
        let git = level.join(".git");
        if git.is_file() {
            Some(git_dir_named_in(&git))
        } else if git.join("HEAD").exists() {
            Some(git)
        } else {
            is_git_directory(level).then(|| level.to_owned())
        }
    });
    let repository = git_dir.map(|git_dir| common_dir(&git_dir).unwrap_or(git_dir));
    let repository = repository.unwrap_or_else(|| directory.to_owned());
    repository.canonicalize().unwrap_or(repository)
}

/// The common directory of a worktree's git directory; `None` for the git directory of a repository.
fn common_dir(git_dir: &Path) -> Option<PathBuf> {
    read(&git_dir.join("commondir")).map(|path| git_dir.join(path.trim()))
}

/// The directory that a `.git` file points to, or the file itself if it does not contain a path.
fn git_dir_named_in(git: &Path) -> PathBuf {
    let text = read(git).unwrap_or_default();
    match (text.strip_prefix("gitdir:"), git.parent()) {
        (Some(path), Some(level)) => level.join(path.trim()),
        (None, _) | (_, None) => git.to_owned(),
    }
}

/// The problem with the worktree `level`, whose `.git` file points to the unusable directory `git_dir`.
fn lost(level: &Path, git_dir: PathBuf) -> DirectoryProblem {
    // A repository keeps the entries of its worktrees in the directory `worktrees` of its git directory.
    let parent = git_dir.parent().filter(|parent| parent.file_name().is_some_and(|name| name == "worktrees"));
    let repository = parent.and_then(Path::parent).filter(|repository| is_git_directory(repository));
    match repository.map(Path::to_owned) {
        Some(repository) if !git_dir.exists() => {
            let main = repository.parent().filter(|_| repository.ends_with(".git") && !is_bare(&repository));
            let worktrees = main.map(Path::to_owned).into_iter().chain(worktrees_of(&repository)).collect();
            DirectoryProblem::RemovedWorktree { repository, entry: git_dir, worktrees }
        }
        Some(_) | None => DirectoryProblem::LostWorktree { worktree: level.to_owned(), git_dir },
    }
}

/// Whether a git directory exists and, if it belongs to a worktree, its repository exists too.
fn is_complete(git_dir: &Path) -> bool {
    git_dir.join("HEAD").exists() && common_dir(git_dir).is_none_or(|common| common.join("objects").is_dir())
}

/// Whether git would recognize `level` as a git directory, either of a repository or of a worktree.
fn is_git_directory(level: &Path) -> bool {
    let has = |name: &str| level.join(name).exists();
    has("HEAD") && ((has("objects") && has("refs")) || (has("commondir") && has("gitdir")))
}

/// Whether the configuration in a git directory says that the repository is bare.
fn is_bare(git_dir: &Path) -> bool {
    let config = read(&git_dir.join("config")).unwrap_or_default();
    let setting = config.lines().find_map(|line| line.trim().strip_prefix("bare")?.trim_start().strip_prefix('='));
    setting.is_some_and(|value| matches!(value.trim(), "true" | "yes" | "on" | "1"))
}

/// The worktrees of a repository that still exist.
fn worktrees_of(git_dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(git_dir.join("worktrees")).into_iter().flatten().flatten();
    let mut worktrees: Vec<_> = entries
        .filter_map(|entry| {
            let git = entry.path().join(read(&entry.path().join("gitdir"))?.trim());
            git.is_file().then(|| git.parent().map(Path::to_owned)).flatten()
        })
        .collect();
    worktrees.sort();
    worktrees
}

/// The text of a small regular file. `None` if it is missing or too large.
fn read(path: &Path) -> Option<String> {
    let is_small = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MAX_PATH_FILE_BYTES);
    is_small.then(|| fs::read(path).ok()).flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs real git, without this machine's settings.
    fn git(dir: &Path, args: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]);
        git.args(args).current_dir(dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        git.env("HOME", dir).env("GIT_CONFIG_NOSYSTEM", "1");
        let done = git.output().expect("git is installed");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// A directory with the repository `main`, which has one commit, and its worktree `worktree`.
    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let real = dir.path().canonicalize().expect("it exists");
        git(&real, &["init", "-q", "main"]);
        let main = real.join("main");
        git(&main, &["commit", "-q", "--allow-empty", "-m", "base"]);
        git(&main, &["worktree", "add", "-q", "../worktree"]);
        (dir, real)
    }

    #[test]
    fn a_worktree_is_found_from_anywhere_in_it() {
        let (_dir, real) = scratch();
        git(&real.join("main"), &["-c", "protocol.file.allow=always", "submodule", "add", "-q", "../main", "module"]);
        for path in ["main", "main/src/deep", "worktree", "worktree/src", "main/module", "main/module/src"] {
            fs::create_dir_all(real.join(path)).expect("it is writable");
            assert_eq!(check_repository(&real.join(path)), Ok(()), "{path}");
        }
        fs::create_dir_all(real.join("main/src/.git")).expect("it is writable");
        assert_eq!(check_repository(&real.join("main/src")), Ok(()), "an empty .git is skipped, as git does");
    }

    #[test]
    fn a_worktree_that_lost_its_repository_is_not_one() {
        let (_dir, real) = scratch();
        let worktree = real.join("worktree");
        let entry = real.join("main/.git/worktrees/worktree");
        let lost = |git_dir: PathBuf| Err(DirectoryProblem::LostWorktree { worktree: worktree.clone(), git_dir });
        fs::rename(real.join("main"), real.join("moved")).expect("the test owns it");
        let problem = check_repository(&worktree);
        assert_eq!(problem, lost(entry), "its repository was moved");
        let command = format!("`git worktree repair {}`", worktree.display());
        assert!(problem.is_err_and(|problem| problem.next().contains(&command)));
        git(&real.join("moved"), &["worktree", "repair", &worktree.display().to_string()]);
        assert_eq!(check_repository(&worktree), Ok(()), "the advice helps");
        let moved = real.join("moved/.git/worktrees/worktree");
        fs::remove_dir_all(real.join("moved/.git/objects")).expect("the test owns it");
        assert_eq!(check_repository(&worktree), lost(moved), "its repository is empty");
        fs::write(worktree.join(".git"), "nonsense").expect("it is writable");
        assert_eq!(check_repository(&worktree), lost(worktree.join(".git")));
    }

    #[test]
    fn a_worktree_without_an_entry_names_the_other_worktrees() {
        let (_dir, real) = scratch();
        git(&real.join("main"), &["worktree", "add", "-q", "--detach", "../other"]);
        let (repository, entry) = (real.join("main/.git"), real.join("main/.git/worktrees/worktree"));
        fs::remove_dir_all(&entry).expect("the test owns it");
        let problem = check_repository(&real.join("worktree")).expect_err("git cannot work there");
        let worktrees = vec![real.join("main"), real.join("other")];
        assert_eq!(problem, DirectoryProblem::RemovedWorktree { repository, entry, worktrees });
        let next = problem.next();
        assert!(
            next.contains(&format!("{0}/main, {0}/other", real.display())) && next.contains("worktree add"),
            "{next}"
        );
    }

    #[test]
    fn a_git_directory_is_not_a_working_directory() {
        let (_dir, real) = scratch();
        let git_dir = real.join("main/.git");
        for path in ["main/.git", "main/.git/refs/heads", "main/.git/hooks"] {
            fs::create_dir_all(real.join(path)).expect("it is writable");
            let expected = Err(DirectoryProblem::GitDirectory { git_dir: git_dir.clone() });
            assert_eq!(check_repository(&real.join(path)), expected, "{path}");
        }
        let entry = git_dir.join("worktrees/worktree");
        assert_eq!(check_repository(&entry), Err(DirectoryProblem::GitDirectory { git_dir: entry.clone() }));
    }

    #[test]
    fn a_bare_repository_names_its_worktrees() {
        let (_dir, real) = scratch();
        git(&real, &["clone", "-q", "--bare", "main", "bare.git"]);
        let bare = real.join("bare.git");
        assert_eq!(check_repository(&bare), Err(DirectoryProblem::Bare { worktrees: vec![] }));
        git(&bare, &["worktree", "add", "-q", "--detach", "../b"]);
        git(&bare, &["worktree", "add", "-q", "--detach", "../a"]);
        git(&bare, &["worktree", "add", "-q", "--detach", "../gone"]);
        fs::remove_dir_all(real.join("gone")).expect("the test owns it");
        let problem = check_repository(&bare.join("refs")).expect_err("it has no files");
        assert_eq!(problem, DirectoryProblem::Bare { worktrees: vec![real.join("a"), real.join("b")] });
        let next = format!("give one of its worktrees: {0}/a, {0}/b", real.display());
        assert_eq!(problem.next(), next);
        assert_eq!(check_repository(&real.join("a")), Ok(()));
    }

    #[test]
    fn all_worktrees_of_a_repository_have_the_same_name() {
        let (_dir, real) = scratch();
        git(&real.join("main"), &["-c", "protocol.file.allow=always", "submodule", "add", "-q", "../main", "module"]);
        for path in ["main/src/deep", "worktree/src", "plain"] {
            fs::create_dir_all(real.join(path)).expect("it is writable");
        }
        for (path, repository) in [
            ("main", "main/.git"),
            ("main/src/deep", "main/.git"),
            ("worktree/src", "main/.git"),
            ("main/.git/refs", "main/.git"),
            ("main/module", "main/.git/modules/module"),
            ("plain", "plain"),
        ] {
            assert_eq!(repository_of(&real.join(path)), real.join(repository), "{path}");
        }
        assert_eq!(repository_of(Path::new("/does/not/exist")), Path::new("/does/not/exist"));
    }

    #[test]
    fn no_repository_is_found_outside_of_one() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        fs::create_dir(dir.path().join(".git")).expect("it is writable");
        fs::write(dir.path().join("HEAD"), "a file of this name does not make a repository").expect("it is writable");
        assert_eq!(check_repository(dir.path()), Err(DirectoryProblem::NoRepository));
    }
}
