//! The edits of Claude Code's `settings.json`, from text to text.
//!
//! The order of keys and the indentation are kept. Claude Code itself writes this file with one key per line, so lists on
//! one line are written with one entry per line, as Claude Code would at its next change.

use serde::{Serialize, de::DeserializeSeed};
use serde_json::{Map, Value, json, ser::PrettyFormatter};

use super::unique_keys::UniqueKeys;

/// Keys that Claude Code 2.1.332 adds for a plugin, and leaves behind when it is uninstalled.
const LEFT_EMPTY: [&str; 2] = ["enabledPlugins", "extraKnownMarketplaces"];

/// Why `settings.json` cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// It is not JSON.
    #[error("it is not valid JSON: {0}")]
    NotJson(String),
    /// An object in it has a key twice. Editing would keep only one of the values.
    #[error("the key `{0}` occurs twice in one object, and editing the file would keep only one of them")]
    RepeatedKey(String),
    /// A value on the way to the list of rules has another type.
    #[error("`{key}` is not {expected}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// The expected type.
        expected: &'static str,
    },
}

/// The rules that `text` does not allow yet.
pub(super) fn missing_rules(text: Option<&str>, rules: &[String]) -> Result<Vec<String>, InvalidSettings> {
    let settings = parse(text)?;
    let allowed = allow_list(&settings)?;
    Ok(rules.iter().filter(|rule| !allowed.iter().any(|known| known == rule.as_str())).cloned().collect())
}

/// The text with these rules added to `permissions.allow`, unless they are there already.
pub(super) fn with_rules(text: Option<&str>, rules: &[String]) -> Result<String, InvalidSettings> {
    let missing = missing_rules(text, rules)?;
    let mut settings = parse(text)?;
    if !missing.is_empty() {
        let permissions = settings.entry("permissions").or_insert_with(|| json!({}));
        let permissions = permissions.as_object_mut().expect("`missing_rules` has checked the types");
        let allow = permissions.entry("allow").or_insert_with(|| json!([]));
        let allow = allow.as_array_mut().expect("`missing_rules` has checked the types");
        allow.extend(missing.into_iter().map(Value::String));
    }
    Ok(written(&settings, text))
}

/// The text without these rules, and without what else `init` left behind. A value that is now empty is removed, unless it
/// was there `before`.
pub(super) fn without_rules(text: &str, before: Option<&str>, rules: &[String]) -> Result<String, InvalidSettings> {
    let mut settings = parse(Some(text))?;
    allow_list(&settings)?;
    let before = parse(before).unwrap_or_default();
    if let Some(permissions) = settings.get_mut("permissions").and_then(Value::as_object_mut) {
        if let Some(allow) = permissions.get_mut("allow").and_then(Value::as_array_mut) {
            allow.retain(|rule| !rules.iter().any(|ours| rule == ours.as_str()));
            if allow.is_empty() && before.get("permissions").is_none_or(|was| was.get("allow").is_none()) {
                permissions.shift_remove("allow");
            }
        }
        if permissions.is_empty() && !before.contains_key("permissions") {
            settings.shift_remove("permissions");
        }
    }
    for key in LEFT_EMPTY {
        let is_empty = settings.get(key).and_then(Value::as_object).is_some_and(Map::is_empty);
        if is_empty && !before.contains_key(key) {
            settings.shift_remove(key);
        }
    }
    Ok(written(&settings, Some(text)))
}

/// Whether the text has no settings.
pub(super) fn is_empty(text: &str) -> bool {
    parse(Some(text)).is_ok_and(|settings| settings.is_empty())
}

fn parse(text: Option<&str>) -> Result<Map<String, Value>, InvalidSettings> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(Map::new()) };
    let value = serde_json::from_str(text).map_err(|error| InvalidSettings::NotJson(error.to_string()))?;
    let mut repeated = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // Fails only because of a repeated key: the text is valid.
    let _ = UniqueKeys(&mut repeated).deserialize(&mut deserializer);
    if let Some(key) = repeated {
        return Err(InvalidSettings::RepeatedKey(key));
    }
    match value {
        Value::Object(settings) => Ok(settings),
        _ => Err(InvalidSettings::WrongType { key: "settings.json", expected: "an object" }),
    }
}

fn allow_list(settings: &Map<String, Value>) -> Result<&[Value], InvalidSettings> {
    let Some(permissions) = settings.get("permissions") else { return Ok(&[]) };
    let wrong = |key, expected| InvalidSettings::WrongType { key, expected };
    let permissions = permissions.as_object().ok_or_else(|| wrong("permissions", "an object"))?;
    let Some(allow) = permissions.get("allow") else { return Ok(&[]) };
    allow.as_array().map(Vec::as_slice).ok_or_else(|| wrong("permissions.allow", "a list"))
}

/// The settings with the indentation and the line ends of `like`.
fn written(settings: &Map<String, Value>, like: Option<&str>) -> String {
    let like = like.unwrap_or("{\n  \n}\n");
    let indented = like.lines().find(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty());
    let indent = indented.map_or("  ", |line| &line[..line.len() - line.trim_start().len()]);
    let mut bytes = Vec::new();
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(indent.as_bytes()));
    settings.serialize(&mut serializer).expect("a JSON value can be written to memory");
    let text = String::from_utf8(bytes).expect("JSON is UTF-8");
    let text = if like.ends_with('\n') { text + "\n" } else { text };
    // A string in JSON contains no line feed.
    if like.contains("\r\n") { text.replace('\n', "\r\n") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn rules_are_added_after_those_that_are_there() {
        let text = "{\n    \"theme\": \"dark\",\n    \"permissions\": {\n        \"allow\": [\n            \"a\"\n        ]\n    },\n    \"env\": {}\n}";
        let edited = with_rules(Some(text), &rules(&["a", "b"])).expect("the text is valid");
        assert_eq!(edited, text.replace("\"a\"", "\"a\",\n            \"b\""));
        assert_eq!(with_rules(Some(&edited), &rules(&["a", "b"])), Ok(edited.clone()));
        assert_eq!(without_rules(&edited, Some(text), &rules(&["b"])), Ok(text.to_owned()));
    }

    #[test]
    fn line_ends_are_kept_and_repeated_keys_are_refused() {
        let text = "{\r\n  \"theme\": \"dark\",\r\n  \"permissions\": {\r\n    \"allow\": [\r\n      \"a\"\r\n    ]\r\n  }\r\n}\r\n";
        let edited = with_rules(Some(text), &rules(&["b"])).expect("the text is valid");
        assert_eq!(edited, text.replace("\"a\"", "\"a\",\r\n      \"b\""));
        assert_eq!(without_rules(&edited, Some(text), &rules(&["b"])), Ok(text.to_owned()));
        let twice = r#"{"hooks": [{"a": 1, "b": {}, "a": 2}], "a": 1}"#;
        assert_eq!(with_rules(Some(twice), &rules(&["b"])), Err(InvalidSettings::RepeatedKey("a".to_owned())));
        assert!(with_rules(Some(r#"{"a": {"a": 1.5, "b": null}, "b": [true, -1]}"#), &rules(&["b"])).is_ok());
    }

    #[test]
    fn a_missing_file_gets_only_the_rules() {
        let edited = with_rules(None, &rules(&["a"])).expect("there is nothing to parse");
        assert_eq!(edited, "{\n  \"permissions\": {\n    \"allow\": [\n      \"a\"\n    ]\n  }\n}\n");
        let removed = without_rules(&edited, None, &rules(&["a"])).expect("the text is valid");
        assert!(is_empty(&removed), "{removed}");
    }

    #[test]
    fn settings_of_others_remain_when_ours_are_removed() {
        let text = r#"{"permissions": {"allow": ["ours"], "deny": []}, "enabledPlugins": {}, "theme": "dark"}"#;
        let removed = without_rules(text, None, &rules(&["ours"])).expect("the text is valid");
        let removed: Value = serde_json::from_str(&removed).expect("it is JSON");
        assert_eq!(removed, json!({"permissions": {"deny": []}, "theme": "dark"}));
    }

    #[test]
    fn an_empty_list_that_was_there_before_remains() {
        let before = r#"{"permissions": {"allow": []}, "enabledPlugins": {}}"#;
        let edited = with_rules(Some(before), &rules(&["ours"])).expect("the text is valid");
        let removed = without_rules(&edited, Some(before), &rules(&["ours"])).expect("the text is valid");
        let [removed, before]: [Value; 2] = [&removed, before].map(|text| serde_json::from_str(text).expect("JSON"));
        assert_eq!(removed, before);
    }

    #[test]
    fn a_file_that_is_not_understood_is_never_edited() {
        for (text, problem) in [
            ("{\"a\": 1,}", "not valid JSON"),
            ("[]", "`settings.json` is not an object"),
            (r#"{"permissions": []}"#, "`permissions` is not an object"),
            (r#"{"permissions": {"allow": "all"}}"#, "`permissions.allow` is not a list"),
        ] {
            let error = with_rules(Some(text), &rules(&["a"])).expect_err(text).to_string();
            assert!(error.contains(problem), "{error}");
            assert!(without_rules(text, None, &rules(&["a"])).is_err(), "{text}");
        }
    }
}
