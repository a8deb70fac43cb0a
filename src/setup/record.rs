//! The record of what `init` did, in the data directory, so that it can be undone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    config_toml::ConfigChange,
    plan::SetupChoices,
    user_file::{UserFile, UserFileProblem},
};

/// The number of this format.
const FORMAT: u32 = 1;

/// Everything that `init` did and has not undone. Each step is recorded before it is carried out, so a part of it may be
/// missing if `init` was interrupted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupRecord {
    /// The number of the format.
    format: u32,
    /// The user's decisions in the last run.
    pub choices: SetupChoices,
    /// `config.toml`, if it was changed.
    pub config: Option<RecordedFile>,
    /// The changes to it.
    pub changes: Vec<ConfigChange>,
    /// `settings.json`, if it was changed.
    pub settings: Option<RecordedFile>,
    /// The rules that were added to it.
    pub rules: Vec<String>,
    /// Whether the server was added.
    pub server: bool,
    /// The entry of a server that was removed.
    pub removed_server: Option<Value>,
    /// Whether the marketplace was added.
    pub marketplace: bool,
    /// Whether the plugin was installed.
    pub plugin: bool,
}

/// A file before and after the changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedFile {
    /// The path by which it is known.
    pub path: PathBuf,
    /// The content before the first change; `None` if the file did not exist.
    pub before: Option<String>,
    /// The content after the last change.
    pub after: Option<String>,
    /// Whether nobody else changed the file in between.
    pub is_ours_alone: bool,
}

impl Default for SetupRecord {
    fn default() -> Self {
        Self {
            format: FORMAT,
            choices: SetupChoices::default(),
            config: None,
            changes: vec![],
            settings: None,
            rules: vec![],
            server: false,
            removed_server: None,
            marketplace: false,
            plugin: false,
        }
    }
}

/// Why the record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordProblem {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] UserFileProblem),
    /// It is damaged, or a later version has written it.
    #[error("{} is damaged, or was written by a later version", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
    },
}

impl SetupRecord {
    /// The path of the record in a data directory.
    pub(super) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("init").join("record.json")
    }

    /// Reads the record; `None` if there is none.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, RecordProblem> {
        let path = Self::path(data_dir);
        let Some(text) = UserFile::read(&path)?.text else { return Ok(None) };
        match serde_json::from_str::<Self>(&text) {
            Ok(record) if record.format == FORMAT => Ok(Some(record)),
            Ok(_) | Err(_) => Err(RecordProblem::Invalid { path }),
        }
    }

    /// Writes the record.
    pub(super) fn write(&self, data_dir: &Path) -> Result<(), RecordProblem> {
        let text = serde_json::to_string_pretty(self).expect("a record can be written as JSON");
        Ok(UserFile::read(&Self::path(data_dir))?.write(Some(&(text + "\n")))?)
    }
}

impl RecordedFile {
    /// Notes that a file is about to be changed. If it was changed before, its first content is kept.
    pub(super) fn begin(slot: &mut Option<Self>, file: &UserFile) {
        match slot {
            // The content is still the first one if a step was interrupted before it changed the file.
            Some(known) if known.path == file.path => {
                known.is_ours_alone &= known.after == file.text || known.before == file.text;
            }
            Some(_) | None => {
                *slot = Some(Self {
                    path: file.path.clone(),
                    before: file.text.clone(),
                    after: file.text.clone(),
                    is_ours_alone: true,
                });
            }
        }
    }

    /// The content to restore, if `now` is exactly what was left behind or was never changed.
    pub(super) fn restorable(&self, now: Option<&str>) -> Option<Option<&str>> {
        (self.is_ours_alone && [&self.after, &self.before].iter().any(|known| known.as_deref() == now))
            .then_some(self.before.as_deref())
    }
}
