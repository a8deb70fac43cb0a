//! Reads a backend's settings, and reports mistakes in terms of the configuration.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::nearest;

/// A problem with the settings of a backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct SettingsProblem {
    /// The key inside the backend's section, with dots; empty for the section itself.
    pub key: String,
    /// The value found, and the allowed values.
    pub problem: String,
}

impl SettingsProblem {
    /// A problem at `key`.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }

    /// A problem at `key`, in a sentence that begins with the key and continues with `why`, such as "is empty".
    pub fn of(key: &str, why: &str) -> Self {
        Self::new(key, format!("`{key}` {why}"))
    }
}

/// Reads `settings` as a `T`, whose keys are `known`. Every field of `T` needs a default.
///
/// Fails with the first key that is unknown or has an invalid value, and with the allowed keys or values.
pub fn read_settings<T: DeserializeOwned>(settings: Value, known: &[&str]) -> Result<T, SettingsProblem> {
    let keys = check_keys(settings, known)?;
    serde_json::from_value(Value::Object(keys.clone())).map_err(|error| locate_problem::<T>(&keys, &error))
}

/// The settings as a table, whose keys are all `known`.
pub(crate) fn check_keys(settings: Value, known: &[&str]) -> Result<Map<String, Value>, SettingsProblem> {
    let Value::Object(keys) = settings else {
        return Err(SettingsProblem::new("", "the settings of a backend must be a table"));
    };
    if let Some(key) = keys.keys().find(|key| !known.contains(&key.as_str())) {
        let meant = nearest(key, known).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        let problem = format!("unknown key `{key}`{meant}; valid keys: {}", list(known));
        return Err(SettingsProblem::new(key, problem));
    }
    Ok(keys)
}

/// Checks that an agent cannot mistake `model` for anything but the name of a model. Fails with the end of a sentence
/// about it, such as "is empty".
pub fn check_model(model: &str) -> Result<(), &'static str> {
    if model.trim().is_empty() {
        Err("is empty")
    } else if model.starts_with('-') {
        Err("starts with `-`, so it would be read as an option")
    } else if model.contains(char::is_control) {
        Err("contains a control character")
    } else {
        Ok(())
    }
}

/// Finds the key that made reading fail, by reading each key alone.
fn locate_problem<T: DeserializeOwned>(keys: &Map<String, Value>, error: &serde_json::Error) -> SettingsProblem {
    for (key, value) in keys {
        let Err(error) = serde_json::from_value::<T>(json!({ key: value })) else { continue };
        for (inner, value) in value.as_object().into_iter().flatten() {
            if let Err(error) = serde_json::from_value::<T>(json!({ key: { inner: value } })) {
                return SettingsProblem::new(format!("{key}.{inner}"), format!("`{key}.{inner}`: {error}"));
            }
        }
        return SettingsProblem::new(key, format!("`{key}`: {error}"));
    }
    SettingsProblem::new("", error.to_string())
}

fn list(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::EnvRules;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct TestSettings {
        program: String,
        #[serde(rename = "env")]
        _env: EnvRules,
    }

    fn problem(settings: Value) -> SettingsProblem {
        read_settings::<TestSettings>(settings, &["program", "env"]).expect_err("these settings are invalid")
    }

    #[test]
    fn valid_settings_are_read() {
        let settings: TestSettings = read_settings(json!({"program": "x"}), &["program", "env"]).expect("a known key");
        assert_eq!(settings.program, "x");
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_and_all_known_ones() {
        let problem = problem(json!({"progam": "x"}));
        assert_eq!(problem.key, "progam");
        assert_eq!(problem.to_string(), "unknown key `progam` (did you mean `program`?); valid keys: `program`, `env`");
    }

    #[test]
    fn a_wrong_value_names_its_key_even_inside_a_table() {
        assert_eq!(problem(json!({"program": 1})).key, "program");
        assert_eq!(problem(json!({"program": "x", "env": {"remove": "A"}})).key, "env.remove");
        assert_eq!(problem(json!({"env": 3})).key, "env");
        assert_eq!(problem(json!([])).key, "");
    }
}
