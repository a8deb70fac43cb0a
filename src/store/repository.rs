//! Finds the repository that contains a directory, for filtering lists of tasks.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::directory::repository_of;

/// How long to wait for a directory. A dead mount never answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Number of directories that may time out before no further ones are inspected.
const MAX_UNANSWERED: usize = 3;

/// Finds and caches repositories.
#[derive(Debug, Default)]
pub(super) struct Repositories {
    known: HashMap<PathBuf, String>,
    silent: usize,
}

impl Repositories {
    /// The repository that contains `directory`, as [`repository_of`] names it.
    pub(super) fn of(&mut self, directory: &Path) -> String {
        if let Some(known) = self.known.get(directory) {
            return known.clone();
        }
        let found = if self.silent < MAX_UNANSWERED { self.search(directory) } else { None };
        let repository = found.as_deref().unwrap_or(directory).to_string_lossy().into_owned();
        self.known.insert(directory.to_owned(), repository.clone());
        repository
    }

    /// Caches a known repository, so that the directory is not inspected.
    pub(super) fn learn(&mut self, directory: &Path, repository: String) {
        self.known.insert(directory.to_owned(), repository);
    }

    fn search(&mut self, directory: &Path) -> Option<PathBuf> {
        let (answer, answered) = mpsc::channel();
        let directory = directory.to_owned();
        // Runs in a separate thread, because an access to a dead mount cannot be interrupted.
        let search = thread::Builder::new().spawn(move || {
            let _ = answer.send(repository_of(&directory));
        });
        search.ok()?;
        let found = answered.recv_timeout(ANSWER_TIMEOUT).ok();
        self.silent += usize::from(found.is_none());
        found
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_belongs_to_the_repository_around_it_or_to_itself() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let (top, below) = (dir.path().join("project"), dir.path().join("project/src/deep"));
        fs::create_dir_all(&below).and_then(|()| fs::create_dir(top.join(".git"))).expect("it is writable");
        fs::write(top.join(".git/HEAD"), "ref: refs/heads/main\n").expect("it is writable");
        let mut repositories = Repositories::default();
        let git_dir = top.canonicalize().expect("it exists").join(".git");
        assert_eq!(repositories.of(&below), git_dir.to_string_lossy());
        fs::remove_dir_all(&top).expect("it is writable");
        assert_eq!(repositories.of(&below), git_dir.to_string_lossy(), "the answer is cached");
        assert_eq!(repositories.of(dir.path()), dir.path().to_string_lossy());
        assert_eq!(repositories.of(Path::new("")), "");
    }
}
