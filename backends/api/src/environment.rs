//! Which environment variables an agent gets.

use std::{collections::BTreeMap, ffi::OsString};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Rules that turn our own environment into the agent's.
///
/// In this order: `pass`, when it is not empty, keeps only what it names; `remove` takes away; `set` puts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvRules {
    /// When not empty, only these variables reach the agent.
    pub pass: Vec<NamePattern>,
    /// These variables never reach the agent.
    pub remove: Vec<NamePattern>,
    /// These variables reach the agent with these values.
    pub set: BTreeMap<String, String>,
}

impl EnvRules {
    /// The agent's environment, made from `ours`. A name that is not UTF-8 is matched by its lossy form.
    pub fn apply(&self, ours: impl IntoIterator<Item = (OsString, OsString)>) -> BTreeMap<OsString, OsString> {
        let mut theirs: BTreeMap<OsString, OsString> = ours.into_iter().filter(|(name, _)| self.passes(name)).collect();
        theirs.extend(self.set.iter().map(|(name, value)| (name.into(), value.into())));
        theirs
    }

    /// The JSON schema of these rules, for a backend's [`schema`](crate::BackendKind::schema).
    pub fn schema() -> Value {
        let names = json!({"type": "array", "items": {"type": "string"}});
        json!({
            "type": "object",
            "description": "Which environment variables the agent gets; a name may end in `*`",
            "properties": {
                "pass": names,
                "remove": names,
                "set": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "additionalProperties": false,
        })
    }

    fn passes(&self, name: &OsString) -> bool {
        let name = name.to_string_lossy();
        let named_in = |patterns: &[NamePattern]| patterns.iter().any(|pattern| pattern.matches(&name));
        (self.pass.is_empty() || named_in(&self.pass)) && !named_in(&self.remove)
    }
}

/// The name of an environment variable, or the beginning of one followed by `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NamePattern(pub String);

impl NamePattern {
    /// Whether `name` is the name, or begins with what stands before the `*`.
    pub fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(names: &[&str]) -> Vec<(OsString, OsString)> {
        names.iter().map(|name| (name.into(), "ours".into())).collect()
    }

    fn rules(value: serde_json::Value) -> EnvRules {
        serde_json::from_value(value).expect("the rules of this test are well formed")
    }

    fn names(environment: BTreeMap<OsString, OsString>) -> Vec<String> {
        environment.into_keys().map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn without_rules_everything_passes() {
        assert_eq!(names(EnvRules::default().apply(environment(&["A", "B"]))), ["A", "B"]);
    }

    #[test]
    fn remove_takes_names_and_beginnings() {
        let rules = rules(serde_json::json!({"remove": ["SECRET_*", "TOKEN"]}));
        assert_eq!(names(rules.apply(environment(&["SECRET_A", "TOKEN", "TOKENS", "PATH"]))), ["PATH", "TOKENS"]);
    }

    #[test]
    fn pass_keeps_only_what_it_names_and_set_wins_over_both() {
        let rules = rules(serde_json::json!({"pass": ["PATH"], "remove": ["PATH"], "set": {"PATH": "theirs"}}));
        let theirs = rules.apply(environment(&["PATH", "HOME"]));
        assert_eq!(theirs, BTreeMap::from([("PATH".into(), "theirs".into())]));
    }
}
