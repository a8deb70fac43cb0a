//! Checks that compare settings with each other, or with the environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use connector_api::BackendName;

use super::{
    check::Checker, layers::Environment, problem::ConfigProblem, sections::Sections, serving::tool_of, setting::Setting,
};
use crate::task::FrozenBackend;

/// Checks of the whole configuration.
pub(super) struct CrossChecks<'a> {
    pub(super) checker: Checker,
    pub(super) settings: &'a [Setting],
    pub(super) sections: &'a Sections,
    pub(super) environment: &'a Environment,
}

impl CrossChecks<'_> {
    /// The value of the key as an absolute path. A leading `~/` means the home directory.
    pub(super) fn path(&self, key: &str, written: &str) -> Result<PathBuf, ConfigProblem> {
        let path = self.environment.expand(Path::new(written), &format!("`{key}`"))?;
        if path.is_absolute() {
            return Ok(path);
        }
        Err(self.invalid_value(key, "must be an absolute path or start with `~/`".to_owned()))
    }

    /// The fallbacks of a backend. Each must be another configured backend.
    pub(super) fn fallback(
        &self,
        name: &BackendName,
        backends: &BTreeMap<BackendName, FrozenBackend>,
        problems: &mut Vec<ConfigProblem>,
    ) -> Vec<BackendName> {
        let key = format!("backends.{name}.fallback");
        let written = self.sections.backends.get(name.as_str()).and_then(|section| section.get("fallback"));
        let words = written.and_then(|list| list.as_array()).map_or(&[][..], Vec::as_slice).iter();
        let mut fallback = vec![];
        for word in words.filter_map(|word| word.as_str()) {
            match backends.keys().find(|known| known.as_str() == word && *known != name) {
                Some(known) => fallback.push(known.clone()),
                None => {
                    let others: Vec<_> =
                        backends.keys().filter(|other| *other != name).map(BackendName::as_str).collect();
                    let suggestion = connector_api::nearest(word, &others);
                    let suggestion =
                        suggestion.map(|suggestion| format!("; did you mean `{suggestion}`?")).unwrap_or_default();
                    let problem = if word == name.as_str() {
                        format!("`{word}` cannot be its own fallback")
                    } else {
                        format!("unknown backend `{word}`{suggestion}")
                    };
                    let configured = match others.as_slice() {
                        [] => format!("`{name}` is the only backend"),
                        others => format!("other backends: `{}`", others.join("`, `")),
                    };
                    let reason = format!("{problem}; {configured}{}", self.how_to_add(name, word));
                    problems.push(self.invalid_value(&key, reason));
                }
            }
        }
        fallback
    }

    /// How to add the missing fallback `word` of the backend `name`, as the end of a sentence.
    fn how_to_add(&self, name: &BackendName, word: &str) -> String {
        match BackendName::new(word) {
            Ok(other) if other != *name && self.checker.is_kind(name, word) => {
                format!("; to add it, write a section [backends.{word}] with `kind = \"{word}\"`")
            }
            Ok(_) | Err(_) => String::new(),
        }
    }

    /// Checks that no two backends would get a tool with the same name.
    pub(super) fn tool_names<'b>(
        &self,
        names: impl Iterator<Item = &'b BackendName>,
        problems: &mut Vec<ConfigProblem>,
    ) {
        if !self.sections.tools.per_backend {
            return;
        }
        let mut tools = BTreeMap::new();
        for name in names {
            if let Some(other) = tools.insert(tool_of(name), name) {
                let tool = tool_of(name);
                let reason = format!("backends `{other}` and `{name}` would both get the tool `{tool}`; rename one");
                problems.push(self.invalid_value("tools.per_backend", reason));
            }
        }
    }

    /// The default backend. It may be one of the `faulty` backends, whose problems are reported already.
    pub(super) fn default_backend(&self, faulty: &BTreeSet<String>) -> Result<BackendName, ConfigProblem> {
        let name = &self.sections.tasks.default_backend;
        let names = self.sections.backends.keys().chain(faulty).collect::<BTreeSet<_>>();
        match BackendName::new(name.as_str()) {
            Ok(known) if names.contains(name) => Ok(known),
            Ok(_) | Err(_) => {
                let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
                Err(self.invalid_value(
                    "tasks.default_backend",
                    format!("expected the name of a backend: {}", names.join(", ")),
                ))
            }
        }
    }

    pub(super) fn invalid_value(&self, key: &str, reason: String) -> ConfigProblem {
        let written = self.settings.iter().rev().find(|setting| setting.key() == key);
        self.checker.invalid_value(written.expect("every key that is checked here has a value"), reason)
    }
}
