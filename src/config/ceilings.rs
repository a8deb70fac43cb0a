//! The ceiling of each backend: the common rules, and in their place those of its own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use connector_api::{BackendName, NamePattern};
use figment::Figment;

use super::{cross_checks::CrossChecks, problem::ConfigProblem, sections, setting::Setting};
use crate::task::{Ceiling, RuleOrigin};

impl CrossChecks<'_> {
    /// What a call may ask of the backend `name`. A root that cannot be one is a problem.
    pub(super) fn ceiling(&self, name: &BackendName, problems: &mut Vec<ConfigProblem>) -> Ceiling {
        let common = self.settings.iter().filter(|setting| setting.path.first().is_some_and(|key| key == "ceiling"));
        let own = self.settings.iter().filter(|setting| setting.backend() == Some(name.as_str()));
        let own = own.filter_map(|setting| Some((setting.as_common()?, setting)));
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
                // What is wrong with a common root is found for every backend, and told once.
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
        let wrong =
            format!(", in which `{root}` is a relative path; allowed: absolute paths, and such as begin with `~/`");
        Err(self.checker.invalid_value(written, wrong))
    }
}
