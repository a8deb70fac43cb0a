//! The prompt of a new task: from arguments, a file or stdin.

use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use crate::present::{Refused, terminal_refusals};

/// The place that the prompt comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PromptSource {
    Words(String),
    File(PathBuf),
    Stdin,
    /// Nothing was given, and stdin is a terminal.
    Nothing,
}

impl PromptSource {
    fn of(words: &[String], file: Option<&Path>, stdin_is_terminal: bool) -> Self {
        match (words, file) {
            (_, Some(file)) if file == Path::new("-") => Self::Stdin,
            (_, Some(file)) => Self::File(file.to_owned()),
            ([only], None) if only == "-" => Self::Stdin,
            ([], None) if stdin_is_terminal => Self::Nothing,
            ([], None) => Self::Stdin,
            (words, None) => Self::Words(words.join(" ")),
        }
    }
}

/// The prompt: the words joined with spaces, the content of the file, or stdin. A word `-` means stdin.
pub(super) fn prompt(words: &[String], file: Option<&Path>) -> Result<String, Refused> {
    let prompt = match PromptSource::of(words, file, io::stdin().is_terminal()) {
        PromptSource::Words(words) => words,
        PromptSource::Nothing => String::new(),
        PromptSource::File(file) => {
            let bytes = fs::read(&file).map_err(|error| terminal_refusals::unreadable_prompt(&file, &error))?;
            String::from_utf8(bytes).map_err(|_| terminal_refusals::prompt_not_utf8(Some(&file)))?
        }
        PromptSource::Stdin => {
            let mut bytes = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|error| terminal_refusals::unreadable_stdin(&error))?;
            String::from_utf8(bytes).map_err(|_| terminal_refusals::prompt_not_utf8(None))?
        }
    };
    if prompt.trim().is_empty() {
        return Err(terminal_refusals::empty_prompt());
    }
    Ok(prompt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_before_stdin_which_is_not_read_from_a_terminal_unasked() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let of = |given: &[&str], file: Option<&str>, is_terminal| {
            PromptSource::of(&words(given), file.map(Path::new), is_terminal)
        };
        assert_eq!(of(&["fix", "it"], None, false), PromptSource::Words("fix it".to_owned()));
        assert_eq!(of(&["-", "it"], None, false), PromptSource::Words("- it".to_owned()));
        assert_eq!(of(&[], None, false), PromptSource::Stdin);
        assert_eq!(of(&[], None, true), PromptSource::Nothing);
        assert_eq!(of(&["-"], None, true), PromptSource::Stdin);
        assert_eq!(of(&[], Some("-"), true), PromptSource::Stdin);
        assert_eq!(of(&[], Some("task.md"), false), PromptSource::File("task.md".into()));
    }
}
