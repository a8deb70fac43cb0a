//! Remembers one word per session from one run to the next: the session's last reply.
//!
//! Sessions are files in the directory that `FAKE_AGENT_SESSIONS` names. Without it, nothing is kept.

use std::{
    env, fs,
    path::PathBuf,
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use super::FakeAgentError;

/// The memory of one session.
#[derive(Debug, Clone)]
pub(crate) struct SessionMemory {
    file: Option<PathBuf>,
    word: Option<String>,
}

/// Whether an earlier session can be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionLookup {
    Yes,
    No,
    /// Sessions are not kept.
    NotKept,
}

/// Whether there was a session with this ID.
pub(crate) fn is_known(id: &str) -> SessionLookup {
    match directory() {
        None => SessionLookup::NotKept,
        Some(directory) if is_plain(id) && directory.join(id).is_file() => SessionLookup::Yes,
        Some(_) => SessionLookup::No,
    }
}

impl SessionMemory {
    /// The memory of session `id`, which exists from now on.
    pub(crate) fn of(id: &str) -> Result<SessionMemory, FakeAgentError> {
        let Some(directory) = directory().filter(|_| is_plain(id)) else {
            return Ok(SessionMemory { file: None, word: None });
        };
        fs::create_dir_all(&directory)?;
        let file = directory.join(id);
        let word = fs::read_to_string(&file).ok().filter(|word| !word.is_empty());
        if word.is_none() {
            fs::write(&file, "")?;
        }
        Ok(SessionMemory { file: Some(file), word })
    }

    /// The word with which the session replied before.
    pub(crate) fn word(&self) -> Option<&str> {
        self.word.as_deref()
    }

    pub(crate) fn keep(&mut self, word: &str) -> Result<(), FakeAgentError> {
        self.word = Some(word.to_owned());
        match &self.file {
            Some(file) => Ok(fs::write(file, word)?),
            None => Ok(()),
        }
    }
}

/// A new ID in the form of a version 7 UUID, unique on this machine.
pub(crate) fn new_uuid() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (millis, nanos) = (now.as_millis(), now.subsec_nanos());
    format!(
        "{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}",
        (millis >> 16) & 0xffff_ffff,
        millis & 0xffff,
        nanos & 0xfff,
        (nanos >> 12) & 0xfff,
        process::id()
    )
}

fn directory() -> Option<PathBuf> {
    env::var_os("FAKE_AGENT_SESSIONS").map(PathBuf::from)
}

/// Whether an ID is a plain file name rather than a path.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_cannot_be_paths() {
        assert!(is_plain("ses_0199a213-81c0"));
        for id in ["", ".", "..", "a/b", "/etc/passwd"] {
            assert!(!is_plain(id), "{id:?}");
        }
    }

    #[test]
    fn a_word_is_kept_for_the_next_reader() {
        let file = env::temp_dir().join(new_uuid());
        let mut memory = SessionMemory { file: Some(file.clone()), word: None };
        assert_eq!(memory.word(), None);
        memory.keep("pear").expect("the directory is writable");
        assert_eq!((memory.word(), fs::read_to_string(&file).ok().as_deref()), (Some("pear"), Some("pear")));
        fs::remove_file(file).expect("it is ours");
    }
}
