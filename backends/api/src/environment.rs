//! Which environment variables an agent gets.

use std::{collections::BTreeMap, ffi::OsString};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Rules that turn our own environment into the agent's.
///
/// In this order: `pass`, when it is not empty, keeps only what it names; `remove` takes away, except what is in `admit`;
/// `set` puts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvRules {
    /// When not empty, only these variables reach the agent.
    pub pass: Vec<NamePattern>,
    /// These variables never reach the agent.
    pub remove: Vec<NamePattern>,
    /// These variables reach the agent with these values.
    pub set: BTreeMap<String, String>,
    /// These `remove` does not take away. No user writes them: they are what the kind of a backend
    /// [needs](crate::BackendKind::NEEDS).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub admit: Vec<NamePattern>,
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
            "description": "Which environment variables the agent gets; in a name `*` stands for any characters",
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
        (self.pass.is_empty() || named_in(&self.pass)) && (!named_in(&self.remove) || named_in(&self.admit))
    }
}

#[cfg(feature = "schemars1")]
impl schemars::JsonSchema for EnvRules {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EnvRules".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::Schema::try_from(Self::schema()).unwrap_or_default()
    }
}

/// A name in which each `*` stands for any characters, none included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NamePattern(pub String);

impl NamePattern {
    /// Whether `name` is the name, or one that the pattern stands for.
    pub fn matches(&self, name: &str) -> bool {
        let Some((beginning, rest)) = self.0.split_once('*') else { return name == self.0 };
        let Some(mut name) = name.strip_prefix(beginning) else { return false };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*') {
            match name.split_once(part) {
                Some((_, after)) => name = after,
                None => return false,
            }
        }
        name.ends_with(end)
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
    fn what_is_admitted_is_not_removed_and_no_more_passes_because_of_it() {
        let rules = rules(serde_json::json!({"pass": ["A*", "B*"], "remove": ["A*", "B*"], "admit": ["A_*", "C"]}));
        assert_eq!(names(rules.apply(environment(&["A_KEY", "AB", "B", "C"]))), ["A_KEY"]);
    }

    #[test]
    fn a_star_stands_for_any_characters_wherever_it_is() {
        for (pattern, matching, others) in [
            ("A", &["A"][..], &["", "AA", "a"][..]),
            ("A*", &["A", "AB"], &["", "BA"]),
            ("*_KEY", &["_KEY", "A_KEY", "A_KEY_KEY"], &["KEY", "A_KEYS"]),
            ("A*B", &["AB", "A-B", "ABB"], &["A", "B", "ABC"]),
            ("A*BC*C", &["ABCC", "A-BC-C"], &["ABC", "ACBC"]),
            ("*SECRET*", &["SECRET", "MY_SECRETS"], &["SECRE"]),
            ("*", &["", "A"], &[]),
        ] {
            let pattern = NamePattern(pattern.to_owned());
            for name in matching {
                assert!(pattern.matches(name), "{pattern:?} and {name:?}");
            }
            for name in others {
                assert!(!pattern.matches(name), "{pattern:?} and {name:?}");
            }
        }
    }

    #[test]
    fn pass_keeps_only_what_it_names_and_set_wins_over_both() {
        let rules = rules(serde_json::json!({"pass": ["PATH"], "remove": ["PATH"], "set": {"PATH": "theirs"}}));
        let theirs = rules.apply(environment(&["PATH", "HOME"]));
        assert_eq!(theirs, BTreeMap::from([("PATH".into(), "theirs".into())]));
    }
}
