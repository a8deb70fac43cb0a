//! The edits of `config.toml`, from text to text. Comments and formatting are kept.

use serde::{Deserialize, Serialize};
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value, value};

/// A key of `config.toml` and its new value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigChange {
    /// The section, such as `backends.gemini`.
    pub section: String,
    /// The key in the section.
    pub key: String,
    /// The value.
    pub value: ConfigValue,
}

/// A value that `init` writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigValue {
    /// A string.
    Text(String),
    /// A list of strings.
    List(Vec<String>),
}

impl ConfigChange {
    /// Sets a key to a string.
    pub(super) fn text(section: &str, key: &str, value: &str) -> Self {
        Self { section: section.to_owned(), key: key.to_owned(), value: ConfigValue::Text(value.to_owned()) }
    }

    /// Sets a key to a list of strings.
    pub(super) fn list(section: &str, key: &str, value: &[&str]) -> Self {
        let value = ConfigValue::List(value.iter().map(|text| (*text).to_owned()).collect());
        Self { section: section.to_owned(), key: key.to_owned(), value }
    }

    /// The line of the file, such as `sandbox = "read-only"`.
    pub fn line(&self) -> String {
        format!("{} = {}", self.key, self.value.toml())
    }
}

impl ConfigValue {
    fn toml(&self) -> Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::List(texts) => Value::Array(texts.iter().map(String::as_str).collect::<Array>()),
        }
    }
}

/// Why `config.toml` cannot be edited.
pub(super) type InvalidToml = toml_edit::TomlError;

/// The text with these changes.
pub(super) fn with_changes(text: Option<&str>, changes: &[ConfigChange]) -> Result<String, InvalidToml> {
    let mut document: DocumentMut = text.unwrap_or_default().parse()?;
    for change in changes {
        if let Some(section) = section_mut(&mut document, &change.section) {
            set(section, &change.key, change.value.toml());
        }
    }
    Ok(document.to_string())
}

/// Those of the changes whose keys still have the same values in the text.
pub(super) fn unchanged(text: &str, changes: Vec<ConfigChange>) -> Vec<ConfigChange> {
    let Ok(document) = text.parse::<DocumentMut>() else { return vec![] };
    changes.into_iter().filter(|change| has(&document, change)).collect()
}

/// Whether the change's key has its value.
fn has(document: &DocumentMut, change: &ConfigChange) -> bool {
    section(document, &change.section)
        .and_then(|now| now.get(&change.key)?.as_value())
        .is_some_and(|now| plain(now) == plain(&change.value.toml()))
}

/// The text with the values that these keys had `before`, unless somebody has changed them since. A section that is now
/// empty is removed, unless it was there before.
pub(super) fn without_changes(
    text: &str,
    before: Option<&str>,
    changes: &[ConfigChange],
) -> Result<String, InvalidToml> {
    let mut document: DocumentMut = text.parse()?;
    let before: DocumentMut = before.unwrap_or_default().parse()?;
    for change in changes {
        let old = section(&before, &change.section);
        if !has(&document, change) {
            continue;
        }
        let old_value = old.and_then(|old| old.get(&change.key)?.as_value()).cloned();
        if let Some(now) = section_mut(&mut document, &change.section) {
            match old_value {
                Some(old) => set(now, &change.key, old),
                None => drop(now.remove(&change.key)),
            }
        }
        remove_if_empty(document.as_table_mut(), &change.section, before.as_table());
    }
    Ok(document.to_string())
}

/// The value without the white space and comments around it.
fn plain(value: &Value) -> String {
    let mut value = value.clone();
    value.decor_mut().clear();
    value.to_string()
}

/// Sets a value, keeping the comment behind the old one.
fn set(section: &mut dyn TableLike, key: &str, mut new: Value) {
    match section.get_mut(key) {
        Some(Item::Value(old)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        Some(_) | None => drop(section.insert(key, value(new))),
    }
}

fn section<'a>(document: &'a DocumentMut, path: &str) -> Option<&'a dyn TableLike> {
    path.split('.').try_fold(document.as_table() as &dyn TableLike, |table, name| table.get(name)?.as_table_like())
}

/// The section at this path, which is created if it is missing. `None` if another value has its name.
fn section_mut<'a>(document: &'a mut DocumentMut, path: &str) -> Option<&'a mut dyn TableLike> {
    path.split('.').try_fold(document.as_table_mut() as &mut dyn TableLike, |table, name| {
        let is_new = table.get(name).is_none();
        if is_new {
            let mut created = Table::new();
            // A section that only contains others has no line of its own.
            created.set_implicit(true);
            table.insert(name, Item::Table(created));
        }
        table.get_mut(name)?.as_table_like_mut()
    })
}

fn remove_if_empty(table: &mut dyn TableLike, path: &str, before: &dyn TableLike) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let empty = Table::new();
    let before_inside = before.get(name).and_then(Item::as_table_like);
    if let (Some(rest), Some(inside)) = (rest, table.get_mut(name).and_then(Item::as_table_like_mut)) {
        remove_if_empty(inside, rest, before_inside.unwrap_or(&empty));
    }
    let is_empty = table.get(name).and_then(Item::as_table_like).is_some_and(TableLike::is_empty);
    if is_empty && before_inside.is_none() {
        table.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes() -> [ConfigChange; 4] {
        [
            ConfigChange::text("tasks", "default_sandbox", "workspace-write"),
            ConfigChange::text("ceiling", "sandbox", "workspace-write"),
            ConfigChange::text("backends.qwen", "kind", "acp"),
            ConfigChange::list("backends.qwen", "args", &["--acp"]),
        ]
    }

    #[test]
    fn a_missing_file_gets_only_the_changes() {
        let text = with_changes(None, &changes()).expect("there is nothing to parse");
        assert_eq!(
            text,
            "[tasks]\ndefault_sandbox = \"workspace-write\"\n\n[ceiling]\nsandbox = \"workspace-write\"\n\n\
             [backends.qwen]\nkind = \"acp\"\nargs = [\"--acp\"]\n"
        );
        assert_eq!(without_changes(&text, None, &changes()).expect("the text is valid").trim(), "");
    }

    #[test]
    fn comments_and_other_keys_are_kept() {
        let before = "# mine\n[tasks] # tasks\ndefault_sandbox = \"danger-full-access\" # for now\ndefault_timeout = \"2h\"\n\n\
                      [backends.codex]\nmodel = \"m\" # the model\n";
        let text = with_changes(Some(before), &changes()).expect("the text is valid");
        assert!(
            text.starts_with("# mine\n[tasks] # tasks\ndefault_sandbox = \"workspace-write\" # for now\n"),
            "{text}"
        );
        assert!(text.contains("model = \"m\" # the model\n"), "{text}");
        assert_eq!(with_changes(Some(&text), &changes()).expect("the text is valid"), text);
        assert_eq!(without_changes(&text, Some(before), &changes()).expect("the text is valid"), before);
    }

    #[test]
    fn values_that_were_changed_since_are_kept() {
        let text = with_changes(None, &changes()).expect("there is nothing to parse");
        let changed = text.replace("[ceiling]\nsandbox = \"workspace-write\"", "[ceiling]\nsandbox = \"read-only\"");
        let undone = without_changes(&changed, None, &changes()).expect("the text is valid");
        assert_eq!(undone.trim(), "[ceiling]\nsandbox = \"read-only\"");
        let kept: Vec<_> = unchanged(&changed, changes().to_vec()).iter().map(ConfigChange::line).collect();
        assert_eq!(kept, ["default_sandbox = \"workspace-write\"", "kind = \"acp\"", "args = [\"--acp\"]"]);
    }

    #[test]
    fn sections_in_one_line_are_edited_too() {
        let before = "ceiling = { timeout = \"2h\" }\ntasks.default_timeout = \"1h\"\n";
        let text = with_changes(Some(before), &changes()[..2]).expect("the text is valid");
        let parsed: DocumentMut = text.parse().expect("the text is TOML");
        assert_eq!(parsed["ceiling"]["sandbox"].as_str(), Some("workspace-write"), "{text}");
        assert_eq!(parsed["tasks"]["default_sandbox"].as_str(), Some("workspace-write"), "{text}");
    }

    #[test]
    fn a_file_that_is_not_toml_is_never_edited() {
        assert!(with_changes(Some("[tasks"), &changes()).is_err());
        assert!(without_changes("[tasks", None, &changes()).is_err());
    }
}
