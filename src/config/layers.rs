//! The user's settings, from the weakest layer to the strongest: file, environment, flags.

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

/// Names the file, and so is no setting.
const CONFIG_VARIABLE: &str = "CODEX_CONNECTOR_CONFIG";

/// Where the user's file is looked for, relative to the home directory.
const DEFAULT_FILE: &str = "~/.codex-connector/config.toml";

/// The environment of the process, or a test's.
pub(super) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    pub(super) fn new(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.collect())
    }

    /// `path` with a leading `~/` replaced by the home directory. `needed_by` says what the path is.
    pub(super) fn expand(&self, path: &Path, needed_by: &str) -> Result<PathBuf, ConfigProblem> {
        let Ok(below_home) = path.strip_prefix("~") else { return Ok(path.to_owned()) };
        let home = self.0.get(&OsString::from("HOME")).map(PathBuf::from).filter(|home| home.is_absolute());
        let home = home.ok_or_else(|| ConfigProblem::MissingHome { needed_by: needed_by.to_owned() })?;
        // Paths below it are written into records and specs, which are JSON.
        if home.to_str().is_none() {
            return Err(ConfigProblem::HomeNotUtf8 { home, needed_by: needed_by.to_owned() });
        }
        Ok(home.join(below_home))
    }
}

/// A setting before its type is known: in the environment and in flags everything is text.
pub(super) struct RawSetting {
    pub(super) origin: Origin,
    pub(super) path: Vec<String>,
    pub(super) text: String,
}

impl RawSetting {
    /// Text stays text where text is allowed. Elsewhere it is read as a TOML value, and stays text if it is none.
    pub(super) fn parse(self, shape: &Value) -> Vec<Setting> {
        let is_text = shape::find(shape, &self.path).is_none_or(shape::takes_text);
        let value = if is_text { None } else { toml_value(&self.text) };
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
    /// Who named it; none when it is where it is looked for by itself, and need not exist.
    named_by: Option<Origin>,
}

impl UserFile {
    /// Finds out which file is the user's, without looking for it.
    pub(super) fn named(overrides: &Overrides, environment: &Environment) -> Result<Self, ConfigProblem> {
        let variable = environment.0.get(&OsString::from(CONFIG_VARIABLE)).filter(|value| !value.is_empty());
        let (path, named_by) = match (&overrides.config_file, variable) {
            (Some(path), _) => (path.clone(), Some(Origin::Flag("--config"))),
            (None, Some(path)) => (PathBuf::from(path), Some(Origin::Variable(CONFIG_VARIABLE.into()))),
            (None, None) => (PathBuf::from(DEFAULT_FILE), None),
        };
        let path = environment.expand(&path, &format!("the configuration file, `{}`", path.display()))?;
        // Fails only for an empty path or a lost current directory; then reading the file says what is wrong.
        let path = std::path::absolute(&path).unwrap_or(path);
        Ok(Self { path, named_by })
    }

    /// The settings in the file: none when there is no file, and nobody named it.
    pub(super) fn settings(&self) -> Result<Vec<Setting>, ConfigProblem> {
        let path = &self.path;
        let bytes = match (read(path), &self.named_by) {
            (Ok(bytes), _) => bytes,
            (Err(error), None) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
            (Err(error), named_by) => {
                let named_by = named_by.as_ref().map(|origin| format!(", named by {origin}")).unwrap_or_default();
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
                // toml 0.8 has no words for some characters, such as control characters in a comment.
                let detail = match error.message() {
                    "" => "not TOML, perhaps an invisible character".to_owned(),
                    detail => detail.replace('\n', ", "),
                };
                Err(ConfigProblem::Syntax { path: path.clone(), line, column, detail })
            }
        }
    }
}

/// The settings in the environment. Names are in capitals, except those below `set`, which are names of variables.
pub(super) fn environment_settings(environment: &Environment, problems: &mut Vec<ConfigProblem>) -> Vec<RawSetting> {
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

/// Takes out the variables that are not settings, and names them: a Service called `codex-connector` makes Kubernetes set
/// `CODEX_CONNECTOR_PORT` and others in every pod, and a Dockerfile may set `CODEX_CONNECTOR_VERSION`.
///
/// These have no `__`. A name that has one, or that only lacks it (`CODEX_CONNECTOR_CEILING_SANDBOX`), was meant as a setting
/// and is not taken out: a limit that is misspelt must not be lost.
pub(super) fn take_foreign(raw: &mut Vec<RawSetting>, shape: &Value) -> Vec<String> {
    let keys = shape::keys(shape);
    let mut foreign = vec![];
    raw.retain(|raw| match (&raw.origin, &raw.path[..]) {
        (Origin::Variable(name), [word]) if !keys.iter().any(|key| key.replace('.', "_") == *word) => {
            foreign.push(name.clone());
            false
        }
        (Origin::Variable(_) | Origin::Defaults | Origin::File(_) | Origin::Flag(_), _) => true,
    });
    foreign
}

/// The settings on the command line.
pub(super) fn flag_settings(overrides: &Overrides, problems: &mut Vec<ConfigProblem>) -> Vec<RawSetting> {
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
