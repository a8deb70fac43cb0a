//! Collects the files that an agent's events name, so that an undo in place touches no others.

use std::{collections::BTreeSet, path::PathBuf};

use connector_api::AgentEvent;

/// Maximum number of files that are kept.
const MAX_FILES: usize = 10_000;

/// Maximum length of a path that is kept, in bytes. No longer path exists on Linux or macOS.
const MAX_PATH_BYTES: usize = 4096;

/// The files that events name, as the agent writes them.
#[derive(Debug, Default)]
pub(super) struct NamedFiles(BTreeSet<PathBuf>);

impl NamedFiles {
    /// Adds the files of an event, if it reports a change that was made.
    pub(super) fn observe(&mut self, event: &AgentEvent) {
        let AgentEvent::FilesChanged { changes, applied: true } = event else { return };
        for change in changes {
            if self.0.len() >= MAX_FILES {
                return;
            }
            if change.path.len() <= MAX_PATH_BYTES {
                self.0.insert(PathBuf::from(&change.path));
            }
        }
    }

    /// All files.
    pub(super) fn into_paths(self) -> BTreeSet<PathBuf> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use connector_api::{FileChange, FileChangeKind};

    use super::*;

    fn changed(paths: &[String], applied: bool) -> AgentEvent {
        let change = |path: &String| FileChange { path: path.clone(), kind: FileChangeKind::Updated };
        AgentEvent::FilesChanged { changes: paths.iter().map(change).collect(), applied }
    }

    #[test]
    fn only_files_that_were_changed_are_kept_and_not_too_many() {
        let mut named = NamedFiles::default();
        named.observe(&changed(&["refused".into()], false));
        named.observe(&changed(&["a".into(), "b".into(), "x".repeat(MAX_PATH_BYTES + 1)], true));
        named.observe(&changed(&["a".into()], true));
        assert_eq!(named.0, BTreeSet::from(["a".into(), "b".into()]));
        let many: Vec<_> = (0..2 * MAX_FILES).map(|number| number.to_string()).collect();
        named.observe(&changed(&many, true));
        assert_eq!(named.into_paths().len(), MAX_FILES);
    }
}
