//! Values of secret variables, taken out of everything that is written or told.
//!
//! A value is replaced by `[redacted:NAME]` wherever it is found: as it is, and in the [`forms`] in which common programs
//! write it into URLs and JSON. What was changed in any other way (base64, shell quotes, cut in two) is not found. Which
//! variables are secret is guessed from their names, and which values from what they look like: see [`secrets`].
//!
//! Redact foreign values **before** they are put among words of ours, cut, or escaped. Afterwards a secret may no longer be
//! recognized, and a password may happen to be one of our own words, an id, or a part of the name of a file.
//!
//! A value that is a part of a path which every answer has to name is no secret there: see [`Redactor::sparing`].
//!
//! Not for what an agent is given: it gets its prompt and its environment as they are.

mod forms;
mod secrets;
mod stream;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::BTreeMap, ffi::OsString, fmt, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use secrets::Secret;
pub(crate) use stream::StreamRedactor;

/// Up to so many bytes of needles get the fastest automaton, which takes some hundred times as many.
const MAX_FAST_BYTES: usize = 2_000;

/// Takes the values of secret variables out of texts. Without any it costs nothing.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    secrets: Arc<[Secret]>,
    needles: Option<Arc<Needles>>,
}

struct Needles {
    automaton: AhoCorasick,
    /// What stands in the place of each needle.
    replacements: Vec<String>,
    longest: usize,
}

impl Redactor {
    /// Finds the values of those of `variables` that look secret.
    pub(crate) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self::finding(secrets::secrets(&variables.into_iter().collect::<Vec<_>>()))
    }

    /// The same, but for values that are a part of one of `paths`: whoever is told the path knows them, and without them it
    /// leads nowhere.
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
        let mut named = BTreeMap::new();
        for (needle, replacement) in secrets.iter().flat_map(Secret::needles) {
            named.entry(needle).or_insert(replacement);
        }
        let longest = named.keys().map(Vec::len).max();
        let is_fast = named.keys().map(Vec::len).sum::<usize>() <= MAX_FAST_BYTES;
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind((!is_fast).then_some(AhoCorasickKind::ContiguousNFA))
            .build(named.keys());
        let needles = longest.and_then(|longest| match automaton {
            Ok(automaton) => {
                let replacements = named.into_values().collect();
                Some(Arc::new(Needles { automaton, replacements, longest }))
            }
            Err(error) => {
                tracing::error!(%error, "secrets are not redacted: there are too many");
                None
            }
        });
        Self { secrets: secrets.into(), needles }
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_idle(&self) -> bool {
        self.needles.is_none()
    }

    /// `text` without secrets.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A value that is not UTF-8 can end within a character.
            Cow::Owned(bytes) => Cow::Owned(
                String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            ),
        }
    }

    /// `bytes` without secrets.
    pub(crate) fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.needles {
            Some(needles) => needles.replaced(bytes, bytes.len()).0,
            None => Cow::Borrowed(bytes),
        }
    }

    /// Takes the secrets out of `text`.
    pub(crate) fn redact(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.text(text) {
            *text = redacted;
        }
    }

    /// The beginning of something longer, without secrets, and without what may be the first part of one at its end.
    pub(crate) fn beginning<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.needles {
            Some(needles) => needles.replaced(bytes, needles.settled(bytes.len())).0,
            None => Cow::Borrowed(bytes),
        }
    }
}

impl Needles {
    /// Up to this byte of so many, what begins there ends among them, whichever needle it is.
    fn settled(&self, length: usize) -> usize {
        length.saturating_sub(self.longest - 1)
    }

    /// What `bytes` become up to `end`, or to the end of the needle that begins before it; and how many bytes that took.
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

/// How many needles there are, and never which.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.needles.as_ref().map_or(0, |needles| needles.replacements.len());
        f.debug_struct("Redactor").field("needles", &count).finish()
    }
}
