//! Redaction: replaces the values of secret variables in everything that is written or sent.
//!
//! A value is replaced by `[redacted:NAME]` wherever it occurs: unchanged, or in one of the [`forms`] in which common
//! programs encode it in URLs and JSON. A value that was changed in any other way (base64, shell quotes, split in two)
//! is not found. Which variables are secret is guessed from their names and values: see [`secrets`].
//!
//! Redact untrusted values **before** inserting them into our own text, and before cutting or escaping them.
//! Afterwards, a secret may no longer be recognizable, and a password may happen to equal one of our own words, an ID,
//! or a part of a file name.
//!
//! If a value is a part of a path that every answer must contain, it is not redacted: see [`Redactor::sparing`].
//!
//! An agent's input is not redacted: it receives its prompt and its environment unchanged.

mod forms;
mod secrets;
mod stream;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::BTreeMap, ffi::OsString, fmt, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use secrets::Secret;
pub(crate) use stream::StreamRedactor;

/// Maximum total size of needles, in bytes, for the fastest automaton. It takes some hundred times as much memory.
const MAX_FAST_BYTES: usize = 2_000;

/// Redacts the values of secret variables in texts. Costs nothing if there are none.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    secrets: Arc<[Secret]>,
    needles: Option<Arc<Needles>>,
}

struct Needles {
    automaton: AhoCorasick,
    /// The replacement for each needle.
    replacements: Vec<String>,
    longest: usize,
}

impl Redactor {
    /// A redactor for those of `variables` that look secret.
    pub(crate) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self::finding(secrets::secrets(&variables.into_iter().collect::<Vec<_>>()))
    }

    /// The same, without values that are part of one of `paths`. Anyone who sees the path knows them, and with a
    /// redacted path nobody could find the file.
    pub(crate) fn sparing(&self, paths: &[&Path]) -> Self {
        let is_spared = |secret: &&Secret| {
            paths.iter().any(|path| memchr::memmem::find(path.as_os_str().as_bytes(), &secret.value).is_some())
        };
        if !self.secrets.iter().any(|secret| is_spared(&secret)) {
            return self.clone();
        }
        Self::finding(self.secrets.iter().filter(|secret| !is_spared(secret)).cloned().collect())
    }

    fn finding(secrets: Vec<Secret>) -> Self {
        let mut by_needle = BTreeMap::new();
        for (needle, replacement) in secrets.iter().flat_map(Secret::needles) {
            by_needle.entry(needle).or_insert(replacement);
        }
        let longest = by_needle.keys().map(Vec::len).max();
        let is_fast = by_needle.keys().map(Vec::len).sum::<usize>() <= MAX_FAST_BYTES;
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind((!is_fast).then_some(AhoCorasickKind::ContiguousNFA))
            .build(by_needle.keys());
        let needles = longest.and_then(|longest| match automaton {
            Ok(automaton) => {
                let replacements = by_needle.into_values().collect();
                Some(Arc::new(Needles { automaton, replacements, longest }))
            }
            Err(error) => {
                tracing::error!(%error, "secrets are not redacted, because there are too many");
                None
            }
        });
        Self { secrets: secrets.into(), needles }
    }

    /// Whether there is nothing to redact.
    pub(crate) fn is_idle(&self) -> bool {
        self.needles.is_none()
    }

    /// Redacts `text`.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A value that is not UTF-8 can end inside a character.
            Cow::Owned(bytes) => Cow::Owned(
                String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            ),
        }
    }

    /// Redacts `bytes`.
    pub(crate) fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.needles {
            Some(needles) => needles.replaced(bytes, bytes.len()).0,
            None => Cow::Borrowed(bytes),
        }
    }

    /// Redacts `text` in place.
    pub(crate) fn redact(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.text(text) {
            *text = redacted;
        }
    }

    /// Redacts the beginning of a longer text. Omits the last bytes, in which a secret may begin.
    pub(crate) fn beginning<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.needles {
            Some(needles) => needles.replaced(bytes, needles.settled(bytes.len())).0,
            None => Cow::Borrowed(bytes),
        }
    }
}

impl Needles {
    /// Number of leading bytes, out of `length`, in which no needle begins that could end after all of them.
    fn settled(&self, length: usize) -> usize {
        length.saturating_sub(self.longest - 1)
    }

    /// Replaces the needles that begin before `end`. Returns the result and how many bytes of the input it covers:
    /// `end`, or more if the last needle ends later.
    fn replaced<'a>(&self, bytes: &'a [u8], end: usize) -> (Cow<'a, [u8]>, usize) {
        let mut replaced = Vec::new();
        let mut done = 0;
        for found in self.automaton.find_iter(bytes).take_while(|found| found.start() < end) {
            replaced.extend_from_slice(&bytes[done..found.start()]);
            replaced.extend_from_slice(self.replacements[found.pattern().as_usize()].as_bytes());
            done = found.end();
        }
        if done == 0 {
            return (Cow::Borrowed(&bytes[..end]), end);
        }
        let end = end.max(done);
        replaced.extend_from_slice(&bytes[done..end]);
        (Cow::Owned(replaced), end)
    }
}

/// Shows the number of needles, but never their values.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.needles.as_ref().map_or(0, |needles| needles.replacements.len());
        f.debug_struct("Redactor").field("needles", &count).finish()
    }
}
