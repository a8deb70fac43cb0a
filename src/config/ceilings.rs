//! The ceiling of each backend: the common rules, each of which the backend's own rule replaces.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use connector_api::{BackendName, NamePattern};
use figment::Figment;

use super::{cross_checks::CrossChecks, problem::ConfigProblem, sections, setting::Setting};
use crate::task::{Ceiling, RuleOrigin};

impl CrossChecks<'_> {
    /// The ceiling of the backend `name`, or, without a name, of a backend that has no rules of its own. Adds a problem
    /// for each invalid root.
    pub(super) fn ceiling(&self, name: Option<&BackendName>, problems: &mut Vec<ConfigProblem>) -> Ceiling {
        let common = self.settings.iter().filter(|setting| setting.is_in("ceiling"));
        let own = self.settings.iter().filter(|setting| setting.backend() == name.map(BackendName::as_str));
        // Settings outside of `[backends]` have no common rule.
        let own = own.filter_map(|setting| Some((setting.as_common()?, setting)));
        let own = own.filter(|(rule, _)| rule.is_in("ceiling"));
        let mut merged = Figment::new();
        let mut written = BTreeMap::new();
        for (rule, setting) in common.map(|setting| (setting.clone(), setting)).chain(own) {
            merged = merged.merge(&rule);
            if let [_, key] = &rule.path[..] {
                written.insert(key.clone(), setting);
            }
        }
        let rules: sections::CeilingSection =
            merged.extract_inner("ceiling").expect("each setting was read on top of the defaults");
        let mut roots = vec![];
        for root in &rules.roots {
            match self.root(root, written["roots"]) {
                Ok(root) => roots.push(root),
                // Every backend finds the problems of the common roots; they are reported once.
                Err(problem) if problems.contains(&problem) => {}
                Err(problem) => problems.push(problem),
            }
        }
        let origin = |setting: &Setting| RuleOrigin { key: setting.key(), place: setting.origin.to_string() };
        Ceiling {
            sandbox: rules.sandbox,
            roots,
            timeout: rules.timeout.0,
            models: rules.models.into_iter().map(NamePattern).collect(),
            origins: written.into_iter().map(|(key, setting)| (key, origin(setting))).collect(),
        }
    }

    fn root(&self, root: &str, written: &Setting) -> Result<PathBuf, ConfigProblem> {
        let path = self.environment.expand(Path::new(root), &format!("`{}`", written.key()))?;
        if path.is_absolute() {
            return Ok(path);
        }
        let reason = format!("`{root}` must be an absolute path or start with `~/`");
        Err(self.checker.invalid_value(written, reason))
    }
}
