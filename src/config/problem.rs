//! What is wrong with the configuration, in words for people and models.

use std::{fmt, path::PathBuf};

use crate::{
    present::Refused,
    task::{Message, message},
};

/// All that is wrong, so that it can be put right in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl ConfigProblems {
    /// The problems, each with the next step.
    pub fn explain(&self) -> Vec<Refused> {
        self.0.iter().map(ConfigProblem::explain).collect()
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<_> = self.0.iter().map(ConfigProblem::to_string).collect();
        f.write_str(&problems.join("\n"))
    }
}

impl std::error::Error for ConfigProblems {}

impl From<ConfigProblem> for ConfigProblems {
    fn from(problem: ConfigProblem) -> Self {
        Self(vec![problem])
    }
}

/// One thing that is wrong: where it is, what was found, what is allowed, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigProblem {
    /// The user's file cannot be read, or does not exist although it was named.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Who named it, if anyone, as the end of a phrase.
        named_by: String,
        /// What the system says.
        why: String,
    },
    /// The user's file is not TOML.
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The parser's words.
        detail: String,
    },
    /// A file, or the value of a variable or a flag, is not text.
    NotUtf8 {
        /// Where it was found.
        origin: String,
    },
    /// The argument of `--set` is not an assignment.
    NotAnAssignment {
        /// The argument.
        found: String,
    },
    /// The home directory is needed, and not known.
    MissingHome {
        /// The path that needs it.
        needed_by: String,
    },
    /// The home directory's name is not text.
    HomeNotUtf8 {
        /// The home directory.
        home: PathBuf,
        /// The path that needs it.
        needed_by: String,
    },
    /// There is no such key.
    UnknownKey {
        /// Where it was found.
        origin: String,
        /// The key, with dots.
        key: String,
        /// The key that is most like it.
        suggestion: Option<String>,
        /// What to do.
        next: String,
    },
    /// A key has a value that it cannot have.
    InvalidValue {
        /// Where it was found.
        origin: String,
        /// The key, with dots.
        key: String,
        /// The value, unless it may be a secret.
        found: Option<String>,
        /// What is wrong with it or what is allowed, as the end of a sentence.
        wrong: String,
        /// What to do.
        next: String,
    },
    /// The name of a section in `backends` is not allowed.
    InvalidName {
        /// Where it was found.
        origin: String,
        /// The section.
        section: String,
        /// Which name it is, and what is allowed.
        problem: String,
    },
    /// A backend does not say of which kind it is.
    MissingKind {
        /// Where the section was found.
        origin: String,
        /// The section, with dots.
        section: String,
        /// The kinds there are.
        kinds: String,
        /// The section that is most like it.
        suggestion: Option<String>,
    },
    /// The kind of a backend does not take its settings.
    Settings {
        /// Where the key, or the section, was found.
        origin: String,
        /// The key, with dots.
        key: String,
        /// What the kind says, as the end of a sentence.
        problem: String,
        /// The section.
        section: String,
    },
}

impl ConfigProblem {
    /// The problem, and the next step.
    pub fn explain(&self) -> Refused {
        // All of it may come from a file, a variable or a flag.
        let foreign = |text: &str| Message::from(text.to_owned());
        let or = |words: &'static str, suggestion: &Option<String>| match suggestion {
            Some(suggestion) => message![words, suggestion.clone(), "`?"],
            None => Message::default(),
        };
        match self {
            Self::Unreadable { path, named_by, why } => Refused::new(
                message!["cannot read ", path, foreign(named_by), ": ", foreign(why)],
                "make it a readable TOML file, or name another one with `--config FILE`",
            ),
            Self::Syntax { path, line, column, detail } => Refused::new(
                message![path, ", line ", *line, ", column ", *column, ": ", foreign(detail)],
                "correct that line; nothing of the file is used until it can be read",
            ),
            Self::NotUtf8 { origin } => {
                Refused::new(message![foreign(origin), ": this is not UTF-8"], "write it in UTF-8")
            }
            Self::NotAnAssignment { found } => Refused::new(
                message!["flag --set: `", foreign(found), "` is no assignment"],
                "write `--set KEY=VALUE`, such as `--set tasks.heartbeat_interval=10s`",
            ),
            Self::MissingHome { needed_by } => Refused::new(
                message![
                    "no home directory for ",
                    foreign(needed_by),
                    ": the environment variable HOME is not set to an absolute path"
                ],
                "set HOME, or write an absolute path (`--config FILE` for the file, `--data-dir DIR` for the data directory)",
            ),
            Self::HomeNotUtf8 { home, needed_by } => Refused::new(
                message![
                    "the home directory, ",
                    home,
                    ", cannot be used for ",
                    foreign(needed_by),
                    ": its name is not UTF-8"
                ],
                "set HOME to a directory whose name is UTF-8, or write an absolute path (`--config FILE` for the file, \
                 `--data-dir DIR` for the data directory)",
            ),
            Self::UnknownKey { origin, key, suggestion, next } => Refused::new(
                message![foreign(origin), ": `", foreign(key), "` is no key", or("; did you mean `", suggestion)],
                foreign(next),
            ),
            Self::InvalidValue { origin, key, found, wrong, next } => {
                let found = found.as_ref().map_or_else(
                    || "not right (the value may be a secret, and is not shown)".into(),
                    |found| foreign(found),
                );
                Refused::new(
                    message![foreign(origin), ": `", foreign(key), "` is ", found, foreign(wrong)],
                    foreign(next),
                )
            }
            Self::InvalidName { origin, section, problem } => Refused::new(
                message![foreign(origin), ": ", foreign(problem)],
                message!["rename the section `", foreign(section), "`"],
            ),
            Self::MissingKind { origin, section, kinds, suggestion } => {
                let or_rename = if suggestion.is_some() { "], or rename it" } else { "]" };
                Refused::new(
                    message![
                        foreign(origin),
                        ": `",
                        foreign(section),
                        ".kind` is missing; allowed: ",
                        foreign(kinds),
                        or("; or did you mean `", suggestion)
                    ],
                    message!["add a `kind` to [", foreign(section), or_rename],
                )
            }
            Self::Settings { origin, key, problem, section } => Refused::new(
                message![foreign(origin), ": `", foreign(key), "`", foreign(problem)],
                message!["correct it, or take it out; the `kind` of [", foreign(section), "] decides what it takes"],
            ),
        }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain().plain())
    }
}

impl std::error::Error for ConfigProblem {}
