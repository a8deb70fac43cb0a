//! Reads the sentence that a person typed after a prompt's name, such as `fix the parser --sandbox read-only`.
//!
//! Our options may appear anywhere in it, as `--model X` or `--model=X`. The rest is the person's text, unchanged. A word
//! such as `--verbose` that is not one of the prompt's options belongs to the text; so does an option in backticks.

use connector_api::Sandbox;

use crate::present::{Refused, prompts::Sentence, refusals};

/// An option in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SentenceOption {
    /// `--model X`
    Model,
    /// `--sandbox X`
    Sandbox,
    /// `--background`
    Background,
    /// `--base REF`
    Base,
}

impl SentenceOption {
    fn name(self) -> &'static str {
        match self {
            Self::Model => "--model",
            Self::Sandbox => "--sandbox",
            Self::Background => "--background",
            Self::Base => "--base",
        }
    }

    /// The expected value, in words; `None` if the option takes none.
    fn value(self) -> Option<&'static str> {
        match self {
            Self::Model => Some("a model"),
            Self::Sandbox => Some("a sandbox"),
            Self::Background => None,
            Self::Base => Some("a branch or commit"),
        }
    }
}

/// Reads `typed`, in which the options `known` may occur.
pub(crate) fn read_sentence(typed: &str, known: &[SentenceOption]) -> Result<Sentence, Refused> {
    let typed = typed.trim();
    // Claude Code gives each declared argument one word, and drops the rest.
    let is_one_word = !typed.contains(char::is_whitespace);
    match read(typed, known) {
        Err(_) if is_one_word => Ok(Sentence { is_one_word, text: typed.to_owned(), ..Sentence::default() }),
        sentence => Ok(Sentence { is_one_word, ..sentence? }),
    }
}

fn read(typed: &str, known: &[SentenceOption]) -> Result<Sentence, Refused> {
    let mut sentence = Sentence::default();
    let mut rest = typed;
    while let Some((before, word, after)) = next_word(rest) {
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let Some(option) = known.iter().copied().find(|option| option.name() == name) else {
            sentence.text.push_str(before);
            sentence.text.push_str(word);
            rest = after;
            continue;
        };
        let (value, after) = match (option.value(), attached) {
            (None, None) => ("", after),
            (None, Some(_)) => return Err(refusals::option_without_value(name)),
            (Some(_), Some(value)) => (value, after),
            (Some(_), None) => match next_word(after) {
                Some((_, value, after)) => (value, after),
                None => ("", after),
            },
        };
        if option.value().is_some_and(|_| value.is_empty() || value.starts_with("--")) {
            return Err(refusals::option_needs_value(name, option.value().unwrap_or_default()));
        }
        let is_repeated = match option {
            SentenceOption::Model => sentence.model.replace(value.to_owned()).is_some(),
            SentenceOption::Sandbox => {
                let sandbox = value.parse::<Sandbox>().map_err(|_| refusals::unknown_sandbox(value))?;
                sentence.sandbox.replace(sandbox).is_some()
            }
            SentenceOption::Background => std::mem::replace(&mut sentence.background, true),
            SentenceOption::Base => sentence.base.replace(value.to_owned()).is_some(),
        };
        if is_repeated {
            return Err(refusals::option_repeated(name));
        }
        // The white space before the option stays, and the white space after it goes.
        sentence.text.push_str(before);
        rest = after.trim_start();
    }
    sentence.text.push_str(rest);
    sentence.text = sentence.text.trim().to_owned();
    Ok(sentence)
}

/// The white space before the next word, the word, and the rest.
fn next_word(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find(|letter: char| !letter.is_whitespace())?;
    let length = text[start..].find(char::is_whitespace).unwrap_or(text.len() - start);
    Some((&text[..start], &text[start..start + length], &text[start + length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SentenceOption; 4] =
        [SentenceOption::Model, SentenceOption::Sandbox, SentenceOption::Background, SentenceOption::Base];

    fn text(typed: &str) -> String {
        read_sentence(typed, &ALL).expect("a valid sentence").text
    }

    #[test]
    fn options_are_found_wherever_they_stand_and_the_rest_is_unchanged() {
        for typed in [
            "--model m1 --sandbox read-only --background fix  the\n\tparser",
            "fix  the\n\tparser --background --sandbox=read-only --model=m1",
            "--sandbox read-only fix  the\n\t--model m1 --background parser",
        ] {
            let sentence = read_sentence(typed, &ALL).expect("a valid sentence");
            assert_eq!(sentence.text, "fix  the\n\tparser", "{typed}");
            assert_eq!(sentence.model.as_deref(), Some("m1"), "{typed}");
            assert_eq!((sentence.sandbox, sentence.background), (Some(Sandbox::ReadOnly), true), "{typed}");
        }
        let base = read_sentence("look at errors --base origin/main", &ALL).expect("a valid sentence");
        assert_eq!((base.text.as_str(), base.base.as_deref()), ("look at errors", Some("origin/main")));
    }

    #[test]
    fn other_words_stay_in_the_text() {
        for typed in ["add a --verbose flag", "what does `--model x` do?", "use -- and --models here", "\"a  b\" 'c'"] {
            assert_eq!(text(typed), typed);
        }
        let review = read_sentence("why --sandbox x here", &[SentenceOption::Base]).expect("a valid sentence");
        assert_eq!(review.text, "why --sandbox x here");
    }

    #[test]
    fn an_invalid_option_is_refused() {
        for (typed, problem) in [
            ("fix it --model", "`--model` needs a value: a model"),
            ("fix --model --background it", "`--model` needs a value: a model"),
            ("fix it --sandbox=", "`--sandbox` needs a value: a sandbox"),
            ("fix it --sandbox parser", "`parser` is not a valid value for `--sandbox`"),
            ("fix it --background=yes", "`--background` takes no value"),
            ("--model a fix --model b", "`--model` was given twice"),
        ] {
            let refused = read_sentence(typed, &ALL).expect_err(typed).plain();
            assert!(refused.starts_with(problem), "{refused}");
        }
    }

    #[test]
    fn a_single_word_may_be_all_that_a_client_passed_on() {
        for (typed, is_one_word) in [("fix", true), (" --model ", true), ("--sandbox", true), ("fix it", false)] {
            assert_eq!(read_sentence(typed, &ALL).expect("a valid sentence").is_one_word, is_one_word, "{typed}");
        }
    }
}
