//! Patterns for names, with `*`.

use serde::{Deserialize, Serialize};

/// The name of a variable or a model, in which each `*` matches any number of characters, including none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NamePattern(pub String);

impl NamePattern {
    /// Whether the pattern matches `name`.
    pub fn matches(&self, name: &str) -> bool {
        matches(&self.0, name)
    }
}

/// Whether `pattern` matches `name`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else { return name == pattern };
    let Some(mut name) = name.strip_prefix(beginning) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match name.split_once(part) {
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_characters_at_any_position() {
        for (pattern, matching, others) in [
            ("A", &["A"][..], &["", "AA", "a"][..]),
            ("A*", &["A", "AB"], &["", "BA"]),
            ("*_KEY", &["_KEY", "A_KEY", "A_KEY_KEY"], &["KEY", "A_KEYS"]),
            ("A*B", &["AB", "A-B", "ABB"], &["A", "B", "ABC"]),
            ("A*BC*C", &["ABCC", "A-BC-C"], &["ABC", "ACBC"]),
            ("*SECRET*", &["SECRET", "MY_SECRETS"], &["SECRE"]),
            ("*", &["", "A"], &[]),
        ] {
            let pattern = NamePattern(pattern.to_owned());
            for name in matching {
                assert!(pattern.matches(name), "{pattern:?} and {name:?}");
            }
            for name in others {
                assert!(!pattern.matches(name), "{pattern:?} and {name:?}");
            }
        }
    }
}
