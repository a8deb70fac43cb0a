//! `probes.json`: what installed programs answered when they were asked what they can do.
//!
//! The cache holds the raw answers, so a newer version of codex-connector interprets them again.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use connector_api::ProbeAnswer;
use serde::{Deserialize, Serialize};

use super::{
    atomic::{Durability, replace},
    files,
    layout::Layout,
    upkeep::Upkeep,
};

/// Identifies the program file that was asked. Replacing a program changes its key, except if a version manager's shim
/// stays the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeKey {
    path: PathBuf,
    size: u64,
    modified_seconds: i64,
    /// npm gives every file in a package the same modification time, so only this field reveals an update.
    changed_seconds: i64,
    inode: u64,
}

impl ProbeKey {
    /// The key of the program at `path`, with symbolic links resolved; `None` if it cannot be inspected.
    pub fn of(path: &Path) -> Option<Self> {
        let path = fs::canonicalize(path).ok()?;
        let file = fs::metadata(&path).ok()?;
        Some(Self {
            path,
            size: file.size(),
            modified_seconds: file.mtime(),
            changed_seconds: file.ctime(),
            inode: file.ino(),
        })
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Probed {
    key: ProbeKey,
    answers: Vec<ProbeAnswer>,
}

/// Maximum number of cached programs. A version manager has a separate file for each version, and entries of old
/// versions are never used again.
const MAX_PROGRAMS: usize = 100;

/// The cached answers of installed programs.
#[derive(Debug, Clone)]
pub struct ProbeCache {
    layout: Arc<Layout>,
}

impl ProbeCache {
    /// The cache in this data directory.
    pub fn of(upkeep: &Upkeep) -> Self {
        Self { layout: Arc::clone(upkeep.layout()) }
    }

    /// The cached answers of this program to exactly these questions.
    pub fn answers(&self, key: &ProbeKey, questions: &[Vec<String>]) -> Option<Vec<ProbeAnswer>> {
        let probed = self.read().remove(&name(key, questions))?;
        (probed.key == *key && probed.answers.iter().map(|answer| &answer.args).eq(questions)).then_some(probed.answers)
    }

    /// Caches the answers of this program, and replaces older ones. If that fails, the program is simply asked again.
    pub fn keep(&self, key: &ProbeKey, questions: &[Vec<String>], answers: &[ProbeAnswer]) {
        let mut probes = self.read();
        if probes.len() >= MAX_PROGRAMS {
            probes.clear();
        }
        probes.insert(name(key, questions), Probed { key: key.clone(), answers: answers.to_vec() });
        self.write(&probes);
    }

    fn read(&self) -> BTreeMap<String, Probed> {
        files::read(&self.layout.probes(), files::MAX_LARGE_FILE_BYTES)
            .ok()
            .and_then(|content| serde_json::from_slice(&content).ok())
            .unwrap_or_default()
    }

    fn write(&self, probes: &BTreeMap<String, Probed>) {
        let content = serde_json::to_vec(probes).expect("probes have only string keys");
        if let Err(error) = replace(&self.layout.probes(), &content, Durability::Volatile) {
            tracing::warn!(%error, "cannot cache a program's answers");
        }
    }
}

/// The cache key. Two backends may ask the same program different questions.
fn name(key: &ProbeKey, questions: &[Vec<String>]) -> String {
    let questions: Vec<String> = questions.iter().map(|args| args.join(" ")).collect();
    format!("{} [{}]", key.path.display(), questions.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::upkeep;

    #[test]
    fn the_number_of_cached_answers_is_bounded() {
        let (_dir, upkeep) = upkeep();
        let cache = ProbeCache::of(&upkeep);
        let key = |number: i64| ProbeKey {
            path: format!("/programs/{number}").into(),
            size: 1,
            modified_seconds: 1,
            changed_seconds: 1,
            inode: 1,
        };
        for number in 0..250 {
            cache.keep(&key(number), &[], &[]);
        }
        assert!(cache.read().len() <= MAX_PROGRAMS, "{}", cache.read().len());
        assert_eq!(cache.answers(&key(249), &[]), Some(vec![]), "the newest is kept");
    }
}
