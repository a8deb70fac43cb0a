//! The settings in force and where each comes from, for `config show`.

use std::{ffi::OsString, path::PathBuf};

use serde_json::Value;

use super::{
    Config, ConfigProblems,
    layers::{self, Environment, UserFile},
    overrides::Overrides,
    setting::{Origin, Setting},
    valid_settings::ValidSettings,
};
use crate::registry::Registry;

/// All settings that are in force, and all problems.
#[derive(Debug)]
pub struct EffectiveSettings {
    /// The path of the user's file, if it is known.
    pub file: Option<PathBuf>,
    /// Whether that file exists.
    pub file_exists: bool,
    /// The valid settings, ordered by key.
    pub settings: Vec<EffectiveSetting>,
    /// The problems, if the configuration is invalid. The settings that cause them are left out.
    pub problems: Option<ConfigProblems>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveSetting {
    /// The dotted key.
    pub key: String,
    /// The value; `None` if it may be a secret.
    pub value: Option<Value>,
    /// Where the value comes from.
    pub source: SettingSource,
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingSource {
    /// The built-in defaults.
    Default,
    /// This file.
    File(PathBuf),
    /// The environment variable with this name.
    Variable(String),
    /// The command-line flag with this name.
    Flag(&'static str),
}

impl EffectiveSettings {
    /// Reads the settings in the same way as [`Config::load`]. An unreadable file counts as empty.
    pub fn read(
        overrides: &Overrides,
        registry: &Registry,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        let variables: Vec<_> = variables.collect();
        let loaded = Config::load(overrides, registry, variables.iter().cloned());
        let environment = Environment::new(variables.into_iter());
        let file = UserFile::named(overrides, &environment);
        let written = file.as_ref().ok().and_then(|file| file.settings().ok()).unwrap_or_default();
        // `Config::load` has reported all problems.
        let mut reported = vec![];
        let raw = layers::raw_settings(overrides, &environment, &mut reported);
        let valid = ValidSettings::of(written, raw, registry, &mut reported);
        let mut settings = last_of_each_key(valid.settings);
        if let Ok(config) = &loaded
            && !settings.iter().any(|setting| setting.key == "log_dir")
        {
            let value = Some(config.log_dir.to_string_lossy().into());
            settings.push(EffectiveSetting { key: "log_dir".to_owned(), value, source: SettingSource::Default });
        }
        settings.sort_by(|a, b| a.key.cmp(&b.key));
        Self {
            file_exists: file.as_ref().is_ok_and(|file| file.path.exists()),
            file: file.ok().map(|file| file.path),
            settings,
            problems: loaded.err(),
        }
    }
}

/// The settings that override earlier ones with the same key.
fn last_of_each_key(settings: Vec<Setting>) -> Vec<EffectiveSetting> {
    let mut last: Vec<EffectiveSetting> = Vec::new();
    for setting in settings {
        let key = setting.key();
        // A value also replaces a table with the same name, and the other way around.
        let is_replaced = |earlier: &EffectiveSetting| {
            let below = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
            let is_empty_table = setting.value.as_object().is_some_and(serde_json::Map::is_empty);
            earlier.key == key || below(&key, &earlier.key) || (below(&earlier.key, &key) && !is_empty_table)
        };
        last.retain(|earlier| !is_replaced(earlier));
        let is_open = setting.shown().is_some() || setting.value.as_object().is_some_and(serde_json::Map::is_empty);
        let value = is_open.then(|| setting.value.clone());
        last.push(EffectiveSetting { key, value, source: setting.origin.into() });
    }
    last
}

impl From<Origin> for SettingSource {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Defaults => Self::Default,
            Origin::File(path) => Self::File(path),
            Origin::Variable(name) => Self::Variable(name),
            Origin::Flag(name) => Self::Flag(name),
        }
    }
}
