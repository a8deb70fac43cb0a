//! A type for text from outside, which must not be printed unescaped.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// Text from outside: a prompt, an agent's output, a path, the content of a file, a word of a request. It may contain
/// anything: escape sequences, Markdown, lines that imitate our own.
///
/// It cannot be formatted. Only `present` prints it, on one line with everything unsafe escaped, or in a fence. Its
/// `Debug` form is escaped by the standard library.
///
/// ```compile_fail
/// println!("{}", codex_connector::task::Untrusted::from("text"));
/// ```
///
/// Secrets are redacted as soon as a text enters, never after it has been combined with our own text.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// The unchanged text, for storing, comparing or passing to a program. Never print it.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The same text, mutable, for example to redact a secret.
    pub fn raw_mut(&mut self) -> &mut String {
        &mut self.0
    }

    /// The same text, owned.
    pub fn into_raw(self) -> String {
        self.0
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&Path> for Untrusted {
    fn from(path: &Path) -> Self {
        Self(path.to_string_lossy().into_owned())
    }
}

impl PartialEq<str> for Untrusted {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Untrusted {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_is_stored_unchanged() {
        let text = Untrusted::from("a\u{1b}[1m");
        let stored = serde_json::to_string(&text).expect("text is JSON");
        assert_eq!(stored, r#""a\u001b[1m""#);
        assert_eq!(serde_json::from_str::<Untrusted>(&stored).expect("it is a JSON string"), text);
    }

    #[test]
    fn debug_output_escapes_control_characters() {
        let shown = format!("{:?}", Untrusted::from("\u{1b}[1m\u{202e}\u{200b}\n"));
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{200b}', '\n']), "{shown:?}");
    }
}
