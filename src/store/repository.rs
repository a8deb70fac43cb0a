//! The repository that a directory belongs to, as listings are filtered by it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::directory::is_repository;

/// How long a directory may take to answer. One on a dead mount never does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Directories that do not answer before no more are asked.
const MAX_UNANSWERED: usize = 3;

/// Finds repositories, and remembers them.
#[derive(Debug, Default)]
pub(super) struct Repositories {
    known: HashMap<PathBuf, String>,
    silent: usize,
}

impl Repositories {
    /// The top level of the repository that contains `directory`, or else `directory` itself.
    pub(super) fn of(&mut self, directory: &Path) -> String {
        if let Some(known) = self.known.get(directory) {
            return known.clone();
        }
        let found = if self.silent < MAX_UNANSWERED { self.look(directory) } else { None };
        let repository = found.as_deref().unwrap_or(directory).to_string_lossy().into_owned();
        self.known.insert(directory.to_owned(), repository.clone());
        repository
    }

    /// Remembers the repository of a directory that need not be asked.
    pub(super) fn learn(&mut self, directory: &Path, repository: String) {
        self.known.insert(directory.to_owned(), repository);
    }

    fn look(&mut self, directory: &Path) -> Option<PathBuf> {
        let (answer, answered) = mpsc::channel();
        let directory = directory.to_owned();
        // A thread of its own, because nothing can end a look at a dead mount.
        let looking = thread::Builder::new().spawn(move || {
            let top = directory.ancestors().find(|level| is_repository(level)).map(Path::to_owned);
            let _ = answer.send(top);
        });
        looking.ok()?;
        answered.recv_timeout(ANSWER_TIMEOUT).unwrap_or_else(|_| {
            self.silent += 1;
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_belongs_to_the_repository_around_it_or_to_itself() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let (top, below) = (dir.path().join("project"), dir.path().join("project/src/deep"));
        fs::create_dir_all(&below).and_then(|()| fs::create_dir(top.join(".git"))).expect("it is writable");
        fs::write(top.join(".git/HEAD"), "ref: refs/heads/main\n").expect("it is writable");
        let mut repositories = Repositories::default();
        assert_eq!(repositories.of(&below), top.to_string_lossy());
        fs::remove_dir_all(&top).expect("it is writable");
        assert_eq!(repositories.of(&below), top.to_string_lossy(), "it is remembered");
        assert_eq!(repositories.of(dir.path()), dir.path().to_string_lossy());
        assert_eq!(repositories.of(Path::new("")), "");
    }
}
