//! One setting: a key, its value and its origin.

use std::{fmt, path::PathBuf};

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map},
};
use serde_json::Value;

/// Prefix of the environment variables that are settings.
pub(super) const PREFIX: &str = "CODEX_CONNECTOR_";

/// The sections that exist for all backends, and for a single one as `[backends.NAME.SECTION]`.
const SHARED_SECTIONS: [&str; 2] = ["ceiling", "workspace"];

/// One key with its value. A table becomes one setting for each key in it.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) origin: Origin,
    pub(super) path: Vec<String>,
    pub(super) value: Value,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The built-in defaults.
    Defaults,
    /// A file.
    File(PathBuf),
    /// The environment variable with this name.
    Variable(String),
    /// The command-line flag with this name.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => f.write_str("the built-in default.toml"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable `{name}`"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

impl Origin {
    /// Whether other processes of the same user may lack this setting.
    pub(super) fn is_local_to_process(&self) -> bool {
        match self {
            Self::Variable(_) | Self::Flag(_) => true,
            Self::Defaults | Self::File(_) => false,
        }
    }

    /// How the user must write `key` at this origin, as a code span.
    pub(super) fn spelling(&self, key: &str) -> String {
        match self {
            Self::Defaults | Self::File(_) => format!("`{key}`"),
            Self::Variable(_) => format!("`{PREFIX}{}`", key.replace('.', "__").to_ascii_uppercase()),
            Self::Flag("--set") => format!("`--set {key}=…`"),
            Self::Flag(name) => format!("`{name}`"),
        }
    }

    /// The name of `key` at this origin, without a place for its value.
    pub(super) fn name_of(&self, key: &str) -> String {
        match self {
            Self::Defaults | Self::File(_) | Self::Flag(_) => format!("`{key}`"),
            Self::Variable(_) => self.spelling(key),
        }
    }

    /// Whether values are written here without quotes around strings.
    fn has_bare_strings(&self) -> bool {
        match self {
            Self::Variable(_) | Self::Flag(_) => true,
            Self::Defaults | Self::File(_) => false,
        }
    }
}

impl Setting {
    /// Splits the `value` at `path` into settings. An empty table is one setting.
    pub(super) fn all_in(origin: &Origin, path: Vec<String>, value: Value) -> Vec<Self> {
        match value {
            Value::Object(table) if !table.is_empty() => table
                .into_iter()
                .flat_map(|(key, value)| Self::all_in(origin, [&path[..], &[key]].concat(), value))
                .collect(),
            value => vec![Self { origin: origin.clone(), path, value }],
        }
    }

    /// Merges `settings` into one; the last value of each key wins. This is faster than figment's merge, which takes a
    /// millisecond for all of them.
    pub(super) fn merged(settings: &[Self]) -> Self {
        let mut merged = Value::Object(serde_json::Map::new());
        for setting in settings {
            let mut target = &mut merged;
            for key in &setting.path {
                if !target.is_object() {
                    *target = Value::Object(serde_json::Map::new());
                }
                target = &mut target[key.as_str()];
            }
            let is_empty_table = setting.value.as_object().is_some_and(serde_json::Map::is_empty);
            // An empty table does not remove the keys of an earlier one.
            if !(is_empty_table && target.is_object()) {
                target.clone_from(&setting.value);
            }
        }
        Self { origin: Origin::Defaults, path: vec![], value: merged }
    }

    /// The dotted key.
    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }

    /// The name of the backend that this setting belongs to, if any.
    pub(super) fn backend(&self) -> Option<&str> {
        match &self.path[..] {
            [section, name, ..] if section == "backends" => Some(name),
            _ => None,
        }
    }

    /// If this is a backend's own setting in a section that also exists for all backends, such as `ceiling`, the same
    /// setting of the common section.
    pub(super) fn as_common(&self) -> Option<Self> {
        match &self.path[..] {
            [section, _, path @ ..]
                if section == "backends" && path.first().is_some_and(|key| SHARED_SECTIONS.contains(&key.as_str())) =>
            {
                Some(Self { path: path.to_owned(), ..self.clone() })
            }
            _ => None,
        }
    }

    /// Whether this is a setting of the top-level section `section`, or that section itself.
    pub(super) fn is_in(&self, section: &str) -> bool {
        self.path.first().is_some_and(|key| key == section)
    }

    /// The text between the quotes, if the value is quoted where values are written without quotes.
    pub(super) fn quoted(&self) -> Option<&str> {
        let text = self.value.as_str().filter(|_| self.origin.has_bare_strings())?;
        ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
    }

    /// The value for messages, unless it may be a secret.
    pub(super) fn shown(&self) -> Option<String> {
        let environment = match &self.path[..] {
            [section, rest @ ..] if section == "agent_env" => rest,
            [section, _, env, rest @ ..] if section == "backends" && env == "env" => rest,
            _ => return Some(self.shown_value()),
        };
        let harmless = environment.first().is_some_and(|rule| rule != "set");
        harmless.then(|| self.shown_value())
    }

    /// The value as TOML would have it, or as it was written if it is quoted by mistake.
    fn shown_value(&self) -> String {
        match (self.quoted(), &self.value) {
            (Some(_), Value::String(text)) => in_code(text),
            (Some(_) | None, value) => shown(value),
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "a table".to_owned(),
        value => in_code(&value.to_string()),
    }
}

fn in_code(text: &str) -> String {
    const MAX_CHARACTERS: usize = 100;
    let end = if text.chars().count() > MAX_CHARACTERS { "…" } else { "" };
    format!("`{}{end}`", text.chars().take(MAX_CHARACTERS).collect::<String>())
}

impl Provider for &Setting {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nest = |value, key: &String| Value::Object(serde_json::Map::from_iter([(key.clone(), value)]));
        let nested = self.path.iter().rev().fold(self.value.clone(), nest);
        let value = figment::value::Value::serialize(nested)?;
        Ok(Profile::Default.collect(value.into_dict().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn setting(path: &str, value: Value) -> Setting {
        Setting { origin: Origin::Defaults, path: path.split('.').map(str::to_owned).collect(), value }
    }

    #[test]
    fn a_table_becomes_one_setting_per_key() {
        let table = json!({"a": 1, "b": {"c": "d", "e": {}}});
        let settings = Setting::all_in(&Origin::Defaults, vec!["t".into()], table);
        let keys: Vec<_> = settings.iter().map(Setting::key).collect();
        assert_eq!(keys, ["t.a", "t.b.c", "t.b.e"]);
    }

    #[test]
    fn settings_are_merged_key_by_key_and_the_last_one_wins() {
        let settings = [
            setting("a", json!(1)),
            setting("t.b", json!([1, 2])),
            setting("t.c.d", json!("x")),
            setting("a", json!(2)),
            setting("t.b", json!([3])),
            setting("t.c", json!({})),
            setting("e", json!(true)),
            setting("e.f", json!(0)),
            setting("g", json!({})),
        ];
        let merged = settings.iter().fold(figment::Figment::new(), figment::Figment::merge);
        let merged: Value = merged.extract().expect("the result is a table");
        assert_eq!(Setting::merged(&settings).value, merged);
        assert_eq!(merged["t"], json!({"b": [3], "c": {"d": "x"}}));
    }

    #[test]
    fn values_for_an_agents_environment_are_hidden() {
        for secret in ["agent_env", "agent_env.set", "agent_env.set.KEY", "backends.x.env", "backends.x.env.set.KEY"] {
            assert_eq!(setting(secret, json!("sk-secret")).shown(), None, "{secret}");
        }
        for open in ["agent_env.pass", "backends.x.env.remove", "backends.x.program", "data_dir"] {
            assert_eq!(setting(open, json!("word")).shown().as_deref(), Some("`\"word\"`"), "{open}");
        }
    }

    #[test]
    fn a_key_is_spelled_as_its_origin_requires() {
        let variable = Origin::Variable("CODEX_CONNECTOR_X".into());
        assert_eq!(variable.spelling("tasks.keep_events"), "`CODEX_CONNECTOR_TASKS__KEEP_EVENTS`");
        assert_eq!(Origin::Flag("--set").spelling("tasks.keep_events"), "`--set tasks.keep_events=…`");
    }
}
