//! A git repository for an agent to work in.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A repository in a temporary directory with one committed file, `README.md`. It is removed when dropped.
///
/// It ignores the git configuration of the user and the machine.
#[derive(Debug)]
pub struct GitProject {
    directory: TempDir,
    /// `directory` without symbolic links, as agents name it.
    path: PathBuf,
}

/// The content of the committed `README.md`.
pub const README: &str = "A project for tests.\n";

impl GitProject {
    /// Creates the repository.
    #[expect(clippy::new_without_default, reason = "a default value that writes files would surprise")]
    pub fn new() -> GitProject {
        let directory = tempfile::Builder::new().prefix("project-").tempdir().expect("a temporary directory");
        let path = directory.path().canonicalize().expect("a directory just made has a path");
        let project = GitProject { directory, path };
        project.write("README.md", README);
        project.git(&["init", "--quiet", "--initial-branch=main"]);
        project.git(&["add", "README.md"]);
        project.git(&["-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "-m", "first"]);
        project
    }

    /// The working directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The differences from the commit, including new files, as `git diff` prints them. The index is not changed.
    pub fn diff(&self) -> String {
        let index = self.directory.path().join(".git/index-of-diff");
        fs::copy(self.path.join(".git/index"), &index).expect("a repository with a commit has an index");
        self.git_with_index(&["add", "--intent-to-add", "--all"], &index);
        let diff = self.git_with_index(&["diff", "HEAD"], &index);
        fs::remove_file(&index).expect("the index of the diff is ours");
        diff
    }

    /// Writes a file; the path is relative to the working directory.
    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.path.join(file), text).expect("a file in our own directory can be written");
    }

    /// The text of a file; the path is relative to the working directory. `None` if it cannot be read.
    pub fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.path.join(file)).ok()
    }

    /// Runs git here and returns what it printed.
    pub fn git(&self, args: &[&str]) -> String {
        run(self.command(), args)
    }

    fn git_with_index(&self, args: &[&str], index: &Path) -> String {
        let mut command = self.command();
        command.env("GIT_INDEX_FILE", index);
        run(command, args)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        // A test may itself run inside a git hook, which sets variables that point to another repository.
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(variable);
        }
        command.current_dir(&self.path).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }
}

fn run(mut command: Command, args: &[&str]) -> String {
    let output = command.args(args).output().expect("git is installed");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?} failed: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_project_has_one_commit_and_no_changes() {
        let project = GitProject::new();
        assert_eq!(project.git(&["log", "--format=%s"]), "first\n");
        assert_eq!(project.diff(), "");
        assert_eq!(project.read("README.md").as_deref(), Some(README));
    }

    #[test]
    fn the_diff_shows_new_and_changed_files_without_changing_the_index() {
        let project = GitProject::new();
        project.write("new.txt", "new\n");
        project.write("README.md", "other\n");
        let diff = project.diff();
        assert!(diff.contains("+new\n") && diff.contains("+other\n"), "{diff}");
        assert_eq!(project.git(&["status", "--porcelain"]), " M README.md\n?? new.txt\n");
    }

    #[test]
    fn a_dropped_project_is_removed() {
        let path = GitProject::new().path().to_owned();
        assert!(!path.exists());
    }
}
