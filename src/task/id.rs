//! The ID of a task.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Untrusted;

/// Eight lower-case hex digits. Always safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(String);

impl TaskId {
    /// A random ID. Only the store knows whether it is free.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string()[..8].to_owned())
    }

    /// Parses an ID. Fails with [`InvalidTaskId`] for anything but eight lower-case hex digits.
    pub fn parse(word: &str) -> Result<Self, InvalidTaskId> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if word.len() == 8 && word.chars().all(hex) {
            Ok(Self(word.to_owned()))
        } else {
            Err(InvalidTaskId(word.into()))
        }
    }

    /// The eight digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TaskId {
    type Error = InvalidTaskId;

    fn try_from(word: String) -> Result<Self, InvalidTaskId> {
        Self::parse(&word)
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.0
    }
}

/// A word that is not a valid task ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidTaskId(Untrusted);

impl InvalidTaskId {
    /// The word.
    pub fn word(&self) -> &Untrusted {
        &self.0
    }
}

/// Does not include the word, which may contain anything.
impl fmt::Display for InvalidTaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a task ID (eight hex digits, e.g. 1a2b3c4d)")
    }
}

impl std::error::Error for InvalidTaskId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_can_be_parsed() {
        let id = TaskId::random();
        assert_eq!(TaskId::parse(id.as_str()), Ok(id));
    }

    #[test]
    fn a_path_is_not_a_task_id() {
        for word in ["", "../../etc", "ABCDEF01", "abcdef0", "abcdef012", "abcde/01", "abcdef0\n"] {
            assert!(TaskId::parse(word).is_err(), "{word:?} was accepted");
        }
    }
}
