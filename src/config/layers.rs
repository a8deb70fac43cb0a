//! Reads the user's settings in three layers: file, environment and flags, each of which overrides the ones before it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use figment::providers::{Format, Toml};
use serde_json::{Map, Value};

use super::{
    overrides::Overrides,
    problem::ConfigProblem,
    read::read,
    setting::{Origin, PREFIX, Setting},
    shape,
};

/// Names the configuration file. It has the prefix of the settings, but is not one of them.
const CONFIG_VARIABLE: &str = "CODEX_CONNECTOR_CONFIG";

/// Default path of the user's file.
const DEFAULT_FILE: &str = "~/.codex-connector/config.toml";

/// The environment of the process or of a test.
pub(super) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    pub(super) fn new(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.collect())
    }

    /// Replaces a leading `~/` of `path` with the home directory. Error messages describe the path as `needed_by`.
    pub(super) fn expand(&self, path: &Path, needed_by: &str) -> Result<PathBuf, ConfigProblem> {
        let Ok(below_home) = path.strip_prefix("~") else { return Ok(path.to_owned()) };
        let home = self.0.get(&OsString::from("HOME")).map(PathBuf::from).filter(|home| home.is_absolute());
        let home = home.ok_or_else(|| ConfigProblem::MissingHome { needed_by: needed_by.to_owned() })?;
        // Paths below the home directory are written into records and specs, which are JSON.
        if home.to_str().is_none() {
            return Err(ConfigProblem::HomeNotUtf8 { home, needed_by: needed_by.to_owned() });
        }
        Ok(home.join(below_home))
    }
}

/// A setting without a type: environment variables and flags contain only text.
pub(super) struct RawSetting {
    pub(super) origin: Origin,
    pub(super) path: Vec<String>,
    pub(super) text: String,
}

impl RawSetting {
    /// Keeps the text as a string if the key accepts strings. Otherwise parses it as a TOML value; if that fails, it
    /// stays a string.
    pub(super) fn parse(self, shape: &Value) -> Vec<Setting> {
        let accepts_strings = shape::find(shape, &self.path).is_none_or(shape::accepts_strings);
        let value = if accepts_strings { None } else { toml_value(&self.text) };
        Setting::all_in(&self.origin, self.path, value.unwrap_or(Value::String(self.text)))
    }
}

fn toml_value(text: &str) -> Option<Value> {
    let mut table: Map<String, Value> = Toml::from_str(&format!("value = {text}")).ok()?;
    (table.len() == 1).then(|| table.remove("value")).flatten()
}

/// The user's file.
pub(super) struct UserFile {
    pub(super) path: PathBuf,
    /// The flag or variable that names the file. `None` for the default path, where the file need not exist.
    named_by: Option<Origin>,
}

impl UserFile {
    /// Determines the path of the user's file, without opening it.
    pub(super) fn named(overrides: &Overrides, environment: &Environment) -> Result<Self, ConfigProblem> {
        let variable = environment.0.get(&OsString::from(CONFIG_VARIABLE)).filter(|value| !value.is_empty());
        let (path, named_by) = match (&overrides.config_file, variable) {
            (Some(path), _) => (path.clone(), Some(Origin::Flag("--config"))),
            (None, Some(path)) => (PathBuf::from(path), Some(Origin::Variable(CONFIG_VARIABLE.into()))),
            (None, None) => (PathBuf::from(DEFAULT_FILE), None),
        };
        let path = environment.expand(&path, &format!("the configuration file, `{}`", path.display()))?;
        // This fails only if the path is empty or the current directory is gone. Reading the file then reports the
        // problem.
        let path = std::path::absolute(&path).unwrap_or(path);
        Ok(Self { path, named_by })
    }

    /// The settings in the file. If the file is missing and no flag or variable names it, there are none.
    pub(super) fn settings(&self) -> Result<Vec<Setting>, ConfigProblem> {
        let path = &self.path;
        let bytes = match (read(path), &self.named_by) {
            (Ok(bytes), _) => bytes,
            (Err(error), None) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
            (Err(error), Some(named_by)) if error.kind() == ErrorKind::NotFound => {
                return Err(ConfigProblem::MissingFile { path: path.clone(), named_by: named_by.to_string() });
            }
            (Err(error), named_by) => {
                let named_by = named_by.as_ref().map(|origin| format!(" (from {origin})")).unwrap_or_default();
                return Err(ConfigProblem::Unreadable { path: path.clone(), named_by, why: error.to_string() });
            }
        };
        let text = String::from_utf8(bytes).map_err(|error| ConfigProblem::NotUtf8 {
            origin: format!("{}, byte {}", path.display(), error.utf8_error().valid_up_to() + 1),
        })?;
        let origin = Origin::File(path.clone());
        match Toml::from_str(&text) {
            Ok(table) => Ok(Setting::all_in(&origin, vec![], Value::Object(table))),
            Err(error) => {
                let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
                let line = before.split('\n').count();
                let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
                // toml 0.8 has no message for some characters, such as control characters in a comment.
                let detail = match error.message() {
                    "" => "invalid TOML, perhaps an invisible character".to_owned(),
                    detail => detail.replace('\n', ", "),
                };
                Err(ConfigProblem::Syntax { path: path.clone(), line, column, detail })
            }
        }
    }
}

/// The settings in the environment and on the command line.
pub(super) fn raw_settings(
    overrides: &Overrides,
    environment: &Environment,
    problems: &mut Vec<ConfigProblem>,
) -> Vec<RawSetting> {
    let mut found = environment_settings(environment, problems);
    found.extend(flag_settings(overrides, problems));
    found
}

/// The settings in the environment. Variable names are converted to lower case, except below `set`, where they are
/// themselves names of variables.
fn environment_settings(environment: &Environment, problems: &mut Vec<ConfigProblem>) -> Vec<RawSetting> {
    let mut found = vec![];
    for (name, value) in &environment.0 {
        let name = name.to_string_lossy();
        let Some(key) = name.strip_prefix(PREFIX).filter(|_| name != CONFIG_VARIABLE) else { continue };
        let origin = Origin::Variable(name.clone().into_owned());
        let Some(text) = value.to_str() else {
            problems.push(ConfigProblem::NotUtf8 { origin: origin.to_string() });
            continue;
        };
        let (key, below_set) = match key.split_once("__SET__") {
            Some((key, variable)) => (format!("{key}__SET"), Some(variable.to_owned())),
            None => (key.to_owned(), None),
        };
        let path = key.split("__").map(str::to_ascii_lowercase).chain(below_set).collect();
        found.push(RawSetting { origin, path, text: text.to_owned() });
    }
    found
}

/// Removes the variables that have the prefix of the settings but are not settings, and returns their names. For a
/// Service called `codex-connector`, Kubernetes sets `CODEX_CONNECTOR_PORT` and others in every pod, and a Dockerfile
/// may set `CODEX_CONNECTOR_VERSION`.
///
/// Such names contain no `__`. A name with `__`, or one that would be a setting with it
/// (`CODEX_CONNECTOR_CEILING_SANDBOX`), was meant as a setting and is kept: a misspelt limit must not be ignored.
pub(super) fn remove_foreign_variables(raw: &mut Vec<RawSetting>, shape: &Value) -> Vec<String> {
    let keys = shape::keys(shape);
    let mut removed = vec![];
    raw.retain(|raw| match (&raw.origin, &raw.path[..]) {
        (Origin::Variable(name), [word]) if !keys.iter().any(|key| key.replace('.', "_") == *word) => {
            removed.push(name.clone());
            false
        }
        (Origin::Variable(_) | Origin::Defaults | Origin::File(_) | Origin::Flag(_), _) => true,
    });
    removed
}

/// The settings on the command line.
fn flag_settings(overrides: &Overrides, problems: &mut Vec<ConfigProblem>) -> Vec<RawSetting> {
    let mut found = vec![];
    for assignment in &overrides.set {
        match assignment.split_once('=') {
            Some((key, text)) => found.push(RawSetting {
                origin: Origin::Flag("--set"),
                path: key.trim().split('.').map(str::to_owned).collect(),
                text: text.to_owned(),
            }),
            None => problems.push(ConfigProblem::NotAnAssignment { found: assignment.clone() }),
        }
    }
    if let Some(dir) = &overrides.data_dir {
        let origin = Origin::Flag("--data-dir");
        match dir.to_str() {
            Some(text) => found.push(RawSetting { origin, path: vec!["data_dir".into()], text: text.to_owned() }),
            None => problems.push(ConfigProblem::NotUtf8 { origin: origin.to_string() }),
        }
    }
    found
}
