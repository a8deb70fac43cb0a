//! The backends of a configuration: determines the kind of each one and has the kind check its settings.

use std::collections::{BTreeMap, BTreeSet};

use connector_api::BackendName;
use serde_json::{Map, Value, json};

use super::{
    layers::RawSetting,
    problem::ConfigProblem,
    sections::Sections,
    setting::{Origin, Setting},
    shape,
};
use crate::{
    registry::{BuildProblem, Registry},
    task::FrozenBackend,
};

/// Removes the default settings of each backend whose kind the user changed, or whose kind is not in this binary.
/// Returns the schema of the remaining configuration.
pub(super) fn resolve_kinds(settings: &mut Vec<Setting>, raw: &[RawSetting], registry: &Registry) -> Value {
    let raw = raw.iter().map(|setting| (&setting.path[..], setting.text.as_str()));
    let written = settings.iter().map(|setting| (&setting.path[..], setting.value.as_str().unwrap_or_default()));
    let mut kinds = BTreeMap::<String, Option<String>>::new();
    for (path, value) in written.chain(raw) {
        if let [section, name, key @ ..] = path
            && section == "backends"
        {
            let kind = kinds.entry(name.clone()).or_default();
            if key == ["kind"] {
                *kind = Some(value.to_owned());
            }
        }
    }
    let default_kinds: BTreeMap<_, _> = settings
        .iter()
        .filter(|setting| setting.origin == Origin::Defaults && setting.path.last().is_some_and(|key| key == "kind"))
        .map(|setting| (setting.path[1].clone(), setting.value.clone()))
        .collect();
    let keeps_defaults = |name: &str| {
        let kind = kinds.get(name).and_then(Option::as_deref);
        kind.is_some_and(|kind| {
            registry.schema(kind).is_some() && default_kinds.get(name).is_some_and(|was| was == kind)
        })
    };
    settings.retain(|setting| setting.origin != Origin::Defaults || setting.backend().is_none_or(keeps_defaults));
    shape::of(registry, &kinds)
}

/// Inputs to [`freeze`](Self::freeze).
pub(super) struct Backends<'a> {
    pub(super) registry: &'a Registry,
    /// All settings that are valid by themselves.
    pub(super) settings: &'a [Setting],
    /// The same settings, merged.
    pub(super) sections: &'a Sections,
    /// The names of backends with known problems.
    pub(super) faulty: &'a BTreeSet<String>,
}

impl Backends<'_> {
    /// Returns the backends whose kinds accept their settings, and adds a problem for each of the others.
    pub(super) fn freeze(&self, problems: &mut Vec<ConfigProblem>) -> BTreeMap<BackendName, FrozenBackend> {
        let valid = self.sections.backends.iter().filter(|(name, _)| !self.faulty.contains(*name));
        let mut frozen = BTreeMap::new();
        for (name, section) in valid {
            match self.freeze_one(name, section.clone()) {
                Ok(backend) => drop(frozen.insert(backend.name.clone(), backend)),
                Err(problem) => problems.push(problem),
            }
        }
        frozen
    }

    fn freeze_one(&self, name: &str, mut section: Map<String, Value>) -> Result<FrozenBackend, ConfigProblem> {
        let Some(Value::String(kind)) = section.remove("kind") else { return Err(self.missing_kind(name)) };
        section.remove("ceiling");
        section.remove("workspace");
        section.remove("fallback");
        section.remove("default_sandbox");
        let refused = |key: &str, problem: String| self.refused(name, key, &problem);
        let name = BackendName::new(name).map_err(|bad| refused("", bad.to_string()))?;
        let schema = shape::of_kind(self.registry, &kind).unwrap_or_default();
        self.inherit_environment(&schema, self.registry.needs(&kind), &mut section);
        let frozen = FrozenBackend { name, kind, settings: Value::Object(section) };
        match self.registry.build(&frozen) {
            Ok(_) => Ok(frozen),
            Err(BuildProblem::Settings(problem)) => Err(refused(&problem.key, problem.problem)),
            Err(unknown @ BuildProblem::UnknownKind { .. }) => Err(refused("kind", unknown.to_string())),
        }
    }

    /// Adds the rules of `[agent_env]` to a backend whose kind supports them, unless the backend has the same rule
    /// itself. The common `remove` does not apply to the variables that agents of the kind need.
    fn inherit_environment(&self, schema: &Value, needs: &[&str], section: &mut Map<String, Value>) {
        let common = &self.sections.agent_env;
        for (rule, value) in
            [("pass", json!(common.pass)), ("remove", json!(common.remove)), ("set", json!(common.set))]
        {
            if shape::find(schema, &["env".to_owned(), rule.to_owned()]).is_none() {
                continue;
            }
            let Some(own) = section.entry("env").or_insert(json!({})).as_object_mut() else { continue };
            match (own.get_mut(rule), value) {
                (None, value) => {
                    if rule == "remove" && !needs.is_empty() {
                        own.insert("admit".to_owned(), json!(needs));
                    }
                    own.insert(rule.to_owned(), value);
                }
                (Some(Value::Object(own)), Value::Object(common)) => {
                    for (name, value) in common {
                        own.entry(name).or_insert(value);
                    }
                }
                (Some(_), _) => {}
            }
        }
    }

    fn refused(&self, name: &str, key: &str, problem: &str) -> ConfigProblem {
        let section = format!("backends.{name}");
        let full_key = if key.is_empty() { section.clone() } else { format!("{section}.{key}") };
        // The problem may begin with the key, as the kind spells it.
        let problem = match problem.strip_prefix(&format!("`{key}`")) {
            Some(rest) => rest.to_owned(),
            None => format!(": {problem}"),
        };
        ConfigProblem::Settings { origin: self.origin(name, key), key: full_key, problem, section }
    }

    fn missing_kind(&self, name: &str) -> ConfigProblem {
        let others: Vec<&str> =
            self.sections.backends.keys().map(String::as_str).filter(|other| *other != name).collect();
        ConfigProblem::MissingKind {
            origin: self.origin(name, ""),
            section: format!("backends.{name}"),
            kinds: shape::expected(&shape::any_kind(self.registry)),
            suggestion: connector_api::nearest(name, &others).map(|suggestion| format!("backends.{suggestion}")),
        }
    }

    /// The origin of a backend's key, or else of the backend's last setting.
    fn origin(&self, name: &str, key: &str) -> String {
        let section = ["backends".to_owned(), name.to_owned()];
        let setting_at = |path: &[String]| self.settings.iter().rev().find(|setting| setting.path.starts_with(path));
        let exact: Vec<_> = section.iter().cloned().chain(key.split('.').map(str::to_owned)).collect();
        setting_at(&exact)
            .or_else(|| setting_at(&section))
            .map(|setting| setting.origin.to_string())
            .unwrap_or_default()
    }
}
