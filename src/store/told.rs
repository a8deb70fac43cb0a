//! What was told to whom: when each session was last told of tasks that ended.

use std::{collections::BTreeMap, fs};

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    atomic::{Durability, replace},
    files, if_there,
};

/// As many sessions are remembered; the one that asked longest ago is forgotten first.
const REMEMBERED: usize = 200;

/// The most bytes of a session's name.
const KEY: usize = 200;

impl Store {
    /// Remembers that the session `key` is told now, and returns when it was last told.
    ///
    /// Of two calls for one session at the same time both may be told the same. A file that is damaged is begun anew.
    pub fn told(&self, key: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        let path = self.layout.told();
        let key: String = key.chars().take(KEY).collect();
        let content = if_there(files::read(&path)).unwrap_or_default().unwrap_or_default();
        let mut told: BTreeMap<String, DateTime<Utc>> = serde_json::from_slice(&content).unwrap_or_default();
        let before = told.insert(key, now);
        if told.len() > REMEMBERED {
            let oldest = told.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| told.remove(&oldest));
        }
        if fs::symlink_metadata(&path).is_ok_and(|there| !there.is_file()) {
            super::atomic::set_aside(&path)?;
        }
        let content = serde_json::to_vec(&told).unwrap_or_default();
        replace(&path, &content, Durability::Volatile)?;
        Ok(before)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::tests::store;

    #[test]
    fn each_session_is_told_from_where_it_was_told_before() {
        let (_dir, store) = store();
        let at = |second| DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
        assert_eq!(store.told("a", at(1)).expect("it is writable"), None);
        assert_eq!(store.told("b", at(2)).expect("it is writable"), None);
        assert_eq!(store.told("a", at(3)).expect("it is writable"), Some(at(1)));
        for session in 0..300 {
            store.told(&format!("session {session}"), at(100 + session)).expect("it is writable");
        }
        assert_eq!(store.told("a", at(999)).expect("it is writable"), None, "it was forgotten");
        fs::write(store.layout.told(), "{torn").expect("it is writable");
        assert_eq!(store.told("a", at(1_000)).expect("it is writable"), None);
        assert_eq!(store.told("a", at(1_001)).expect("it is writable"), Some(at(1_000)));
    }
}
