//! The prompts of the kit.

use std::path::Path;

pub(super) const WORD: &str = "pineapple";

pub(super) fn say_prompt(word: &str) -> String {
    format!("Reply with exactly this word: `{word}`")
}

pub(super) fn create_prompt(path: &Path) -> String {
    format!("Create the file `{}` with the content: `{WORD}`", path.display())
}

pub(super) fn touch_prompt(path: &Path) -> String {
    format!("Run the shell command: `touch '{}'`", path.display())
}

/// Keeps a model busy for minutes, without commands or files.
pub(super) const COUNTING_PROMPT: &str = "Write the numbers from 1 to 5000 in words, one a line, and nothing else.";

/// A command that writes its PID to `file`, and then runs until it is stopped.
pub(super) fn run_prompt(file: &Path) -> String {
    format!("Run the shell command: `echo $$ > '{}'; exec tail -f /dev/null`", file.display())
}

/// Text that asks for nothing.
pub(super) fn filler(characters: usize) -> String {
    "This sentence is padding. ".chars().cycle().take(characters).collect()
}

/// A session ID of the same form that does not exist.
pub(super) fn unknown_session(session: &str) -> String {
    let zero = if session.ends_with("000000") { '1' } else { '0' };
    let mut letters: Vec<char> = session.chars().collect();
    for letter in letters.iter_mut().rev().filter(|letter| letter.is_ascii_alphanumeric()).take(6) {
        *letter = zero;
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_session_id_is_well_formed_and_different() {
        for (session, other) in [
            ("0199a213-81c0-4800-8aa1-bbab2a035a53", "0199a213-81c0-4800-8aa1-bbab2a000000"),
            ("ses_000000", "ses_111111"),
            ("ab", "00"),
        ] {
            assert_eq!(unknown_session(session), other);
        }
    }
}
