//! Checks each setting by itself: whether its key exists and its value is valid. `cross_checks` compares settings.

use std::collections::BTreeSet;

use connector_api::BackendName;
use figment::{Figment, error::Kind};
use serde_json::Value;

use super::{
    nearest::nearest_key,
    problem::ConfigProblem,
    sections::Sections,
    setting::{Origin, Setting},
    shape,
};

/// Upper bound on the number of parts of a key: longer keys are unknown. Recursion over the parts needs stack space for
/// each.
const MAX_KEY_PARTS: usize = 32;

/// The keys and types that settings are checked against.
pub(super) struct Checker {
    shape: Value,
    keys: Vec<String>,
    defaults: Figment,
}

impl Checker {
    /// A checker for a configuration with the schema `shape`.
    pub(super) fn new(shape: Value, defaults: Figment) -> Self {
        Self { keys: shape::keys(&shape), shape, defaults }
    }

    /// Removes the invalid settings, and adds a problem for each. Returns the names of the backends that lost a
    /// setting.
    pub(super) fn remove_invalid(
        &self,
        settings: &mut Vec<Setting>,
        problems: &mut Vec<ConfigProblem>,
    ) -> BTreeSet<String> {
        let mut faulty = BTreeSet::new();
        settings.retain(|setting| match self.check(setting) {
            Ok(()) => true,
            Err(problem) => {
                problems.push(problem);
                faulty.extend(setting.backend().map(str::to_owned));
                false
            }
        });
        faulty
    }

    /// Fails if the key is unknown or the value is invalid.
    fn check(&self, setting: &Setting) -> Result<(), ConfigProblem> {
        if let Some(Err(bad)) = setting.backend().map(BackendName::new) {
            return Err(ConfigProblem::InvalidName {
                origin: setting.origin.to_string(),
                section: setting.path[..2].join("."),
                problem: bad.to_string(),
            });
        }
        let known = Some(&setting.path[..]).filter(|path| path.len() < MAX_KEY_PARTS);
        let schema = known.and_then(|path| shape::find(&self.shape, path)).ok_or_else(|| self.unknown(setting))?;
        let expected = || {
            let choices: Vec<_> = shape::choices(schema).filter_map(Value::as_str).collect();
            let meant = setting.value.as_str().and_then(|word| connector_api::nearest(word, &choices));
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            format!("expected {}{meant}", shape::expected(schema))
        };
        // A backend's kind reads the backend's settings. Every other setting is read here, alone on top of the
        // defaults.
        let ours = match (setting.backend(), &setting.origin) {
            // The defaults are valid in every configuration.
            (None, Origin::Defaults) => return Ok(()),
            (None, Origin::File(_) | Origin::Variable(_) | Origin::Flag(_)) => Some(setting.clone()),
            (Some(_), _) => setting.as_common(),
        };
        let read = match ours {
            Some(ours) => self.defaults.clone().merge(&ours).extract::<Sections>().map(drop),
            None => Ok(()),
        };
        match read.map_err(|error| error.kind) {
            Ok(()) if shape::accepts(schema, &setting.value) => Ok(()),
            Err(Kind::Message(detail)) => Err(self.invalid_value(setting, detail)),
            Ok(()) | Err(_) => Err(self.invalid_value(setting, expected())),
        }
    }

    /// The problem that `setting` has an invalid value, for this reason.
    pub(super) fn invalid_value(&self, setting: &Setting, reason: String) -> ConfigProblem {
        let key = setting.key();
        let default = self.defaults.find_value(&key).ok().and_then(|value| value.deserialize::<Value>().ok());
        let spelling = setting.origin.spelling(&key);
        let next = match default.filter(|default| !default.is_object()) {
            _ if setting.quoted().is_some() => format!("write the value of {spelling} without quotes"),
            _ if setting.origin == Origin::Defaults => format!("set {spelling} in your config.toml"),
            Some(default) => format!("correct {spelling}, or remove it to use the default (`{default}`)"),
            None => format!("correct {spelling}, or remove it"),
        };
        ConfigProblem::InvalidValue { origin: setting.origin.to_string(), found: setting.shown(), reason, next, key }
    }

    /// Whether `word` is a backend kind.
    pub(super) fn is_kind(&self, backend: &BackendName, word: &str) -> bool {
        let path = ["backends", backend.as_str(), "kind"].map(str::to_owned);
        shape::find(&self.shape, &path).is_some_and(|schema| shape::accepts(schema, &Value::from(word)))
    }

    fn unknown(&self, setting: &Setting) -> ConfigProblem {
        let key = setting.key();
        let suggestion = nearest_key(&key, &self.keys).map(str::to_owned);
        let next = match &suggestion {
            Some(suggestion) => format!("rename it to {}, or remove it", setting.origin.name_of(suggestion)),
            None => format!(
                "remove it; valid keys: {}",
                self.nearby_keys(&setting.path[..setting.path.len().min(MAX_KEY_PARTS)])
            ),
        };
        ConfigProblem::UnknownKey { origin: setting.origin.to_string(), key, suggestion, next }
    }

    /// The keys of the innermost section of `path` that exists.
    fn nearby_keys(&self, path: &[String]) -> String {
        let sections = (0..path.len()).rev().map(|depth| path[..depth].iter().map(|key| format!("{key}.")).collect());
        let siblings = |section: String| -> Vec<String> {
            let inside =
                self.keys.iter().filter(|key| key.strip_prefix(&section).is_some_and(|key| !key.contains('.')));
            inside.map(|key| format!("`{key}`")).collect()
        };
        sections.map(siblings).find(|keys| !keys.is_empty()).unwrap_or_default().join(", ")
    }
}
