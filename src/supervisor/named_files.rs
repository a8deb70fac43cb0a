//! Collects the files that an agent's events name, so that an undo in place touches no others.

use std::path::PathBuf;

use connector_api::AgentEvent;

use crate::workspace::NamedFiles;

/// Maximum number of files that are kept.
const MAX_FILES: usize = 10_000;

/// Maximum length of a path that is kept, in bytes. No longer path exists on Linux or macOS.
const MAX_PATH_BYTES: usize = 4096;

/// The files that events name, as the agent writes them, with the kind of each one's last change.
#[derive(Debug, Default)]
pub(super) struct CollectedNames(NamedFiles);

impl CollectedNames {
    /// Adds the files of an event, if it reports a change that was made.
    pub(super) fn observe(&mut self, event: &AgentEvent) {
        let AgentEvent::FilesChanged { changes, applied: true } = event else { return };
        for change in changes {
            let path = PathBuf::from(&change.path);
            let is_kept = self.0.len() < MAX_FILES || self.0.contains_key(&path);
            if is_kept && change.path.len() <= MAX_PATH_BYTES {
                self.0.insert(path, change.kind.clone());
            }
        }
    }

    /// All files.
    pub(super) fn into_files(self) -> NamedFiles {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use connector_api::{FileChange, FileChangeKind};

    use super::*;

    fn changed(paths: &[String], kind: &FileChangeKind, applied: bool) -> AgentEvent {
        let change = |path: &String| FileChange { path: path.clone(), kind: kind.clone() };
        AgentEvent::FilesChanged { changes: paths.iter().map(change).collect(), applied }
    }

    #[test]
    fn only_files_that_were_changed_are_kept_with_their_last_change_and_not_too_many() {
        use FileChangeKind::{Deleted, Updated};
        let mut named = CollectedNames::default();
        named.observe(&changed(&["refused".into()], &Updated, false));
        named.observe(&changed(&["a".into(), "b".into(), "x".repeat(MAX_PATH_BYTES + 1)], &Updated, true));
        named.observe(&changed(&["a".into()], &Deleted, true));
        assert_eq!(named.0, NamedFiles::from([("a".into(), Deleted), ("b".into(), Updated)]));
        let many: Vec<_> = (0..2 * MAX_FILES).map(|number| number.to_string()).collect();
        named.observe(&changed(&many, &Updated, true));
        named.observe(&changed(&["b".into()], &Deleted, true));
        let files = named.into_files();
        assert_eq!((files.len(), &files[Path::new("b")]), (MAX_FILES, &Deleted));
    }
}
