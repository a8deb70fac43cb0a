//! Guesses which known word a misspelled word was meant to be.

use strsim::osa_distance;

/// Maximum length of a word that is compared, in bytes. Comparing longer words would be slow, and they are not typing
/// errors.
const MAX_WORD_BYTES: usize = 200;

/// The word in `known` that `word` was probably meant to be, if there is one.
///
/// Letters may be added, left out, replaced, or swapped with their neighbor: one letter, plus one for every four bytes
/// of the known word.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > MAX_WORD_BYTES {
        return None;
    }
    let candidates = known.iter().map(|known| (osa_distance(word, known), *known));
    let near = candidates.filter(|(distance, known)| *distance <= 1 + known.len() / 4);
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_recognized_and_a_different_word_is_not() {
        const KNOWN: [&str; 3] = ["model", "workdir", "extra_args"];
        for (word, meant) in [
            ("modle", Some("model")),
            ("workidr", Some("workdir")),
            ("extra-arg", Some("extra_args")),
            ("prompt", None),
            ("model", Some("model")),
            (&"model".repeat(100), None),
        ] {
            assert_eq!(nearest(word, &KNOWN), meant, "{word}");
        }
    }
}
