//! How tasks treat their repositories: the common settings, some of which a backend can replace.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use connector_api::BackendName;
use figment::Figment;

use super::{cross_checks::CrossChecks, problem::ConfigProblem, sections, setting::Setting};
use crate::task::WorkspaceSpec;

/// Where worktrees are created by default.
const DEFAULT_TREES_DIR: &str = "~/.local/state/codex-connector/trees";

/// The end of the name of the directory next to the data directory that replaces [`DEFAULT_TREES_DIR`].
const TREES_SUFFIX: &str = "-trees";

impl CrossChecks<'_> {
    /// The settings for a backend that has none of its own. Adds a problem for each invalid path, and returns `None` if
    /// the directory for worktrees is invalid.
    pub(super) fn workspace(
        &self,
        data_dir: &Path,
        log_dir: Option<&Path>,
        problems: &mut Vec<ConfigProblem>,
    ) -> Option<WorkspaceSpec> {
        let section = &self.sections.workspace;
        let mut symlink = vec![];
        for path in &section.symlink {
            match relative(path) {
                Some(relative) => symlink.push(relative),
                None => {
                    let reason = format!("`{path}` must be a relative path without `..`");
                    problems.push(self.invalid_value("workspace.symlink", reason));
                }
            }
        }
        let trees_dir = self.trees_dir(data_dir, log_dir).map_err(|problem| problems.push(problem)).ok()?;
        Some(WorkspaceSpec {
            snapshots: section.snapshots,
            tree: section.tree,
            parallel: section.parallel,
            trees_dir,
            max_file: section.max_file.0.unwrap_or(u64::MAX),
            trees_max_bytes: section.trees_max_bytes.0,
            symlink,
            continues: None,
        })
    }

    /// The settings of each backend.
    pub(super) fn workspaces<'b>(
        &self,
        common: &WorkspaceSpec,
        names: impl Iterator<Item = &'b BackendName>,
    ) -> BTreeMap<BackendName, WorkspaceSpec> {
        names.map(|name| (name.clone(), self.workspace_of(common, name))).collect()
    }

    fn workspace_of(&self, common: &WorkspaceSpec, name: &BackendName) -> WorkspaceSpec {
        let of_all = self.settings.iter().filter(|setting| setting.is_in("workspace")).cloned();
        let own = self.settings.iter().filter(|setting| setting.backend() == Some(name.as_str()));
        let own = own.filter_map(Setting::as_common).filter(|setting| setting.is_in("workspace"));
        let merged = Setting::merged(&of_all.chain(own).collect::<Vec<_>>());
        let section: sections::WorkspaceSection =
            Figment::from(&merged).extract_inner("workspace").expect("each setting was read on top of the defaults");
        WorkspaceSpec { snapshots: section.snapshots, tree: section.tree, ..common.clone() }
    }

    /// Where worktrees are created. An agent in a worktree must not have the data directory above or below it.
    fn trees_dir(&self, data_dir: &Path, log_dir: Option<&Path>) -> Result<PathBuf, ConfigProblem> {
        let overlaps = |trees: &Path, ours: &Path| trees.starts_with(ours) || ours.starts_with(trees);
        let is_outside = |trees: &Path| !overlaps(trees, data_dir) && log_dir.is_none_or(|dir| !overlaps(trees, dir));
        let Some(written) = &self.sections.workspace.trees_dir else {
            let default = self.environment.expand(Path::new(DEFAULT_TREES_DIR), "`workspace.trees_dir`").ok();
            return Ok(default.filter(|path| is_outside(path)).unwrap_or_else(|| next_to(data_dir)));
        };
        let path = self.path("workspace.trees_dir", written)?;
        if is_outside(&path) {
            return Ok(path);
        }
        let reason = format!(
            "must be outside the directories for tasks and logs, such as {}, and must not contain them",
            data_dir.display()
        );
        Err(self.invalid_value("workspace.trees_dir", reason))
    }
}

/// A directory next to the data directory.
fn next_to(data_dir: &Path) -> PathBuf {
    let mut name = data_dir.file_name().unwrap_or_default().to_owned();
    name.push(TREES_SUFFIX);
    data_dir.with_file_name(name)
}

/// The path, if it is relative and stays inside the directory that it is relative to.
fn relative(path: &str) -> Option<PathBuf> {
    let is_inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    (is_inside && !path.is_empty()).then(|| path.into())
}
