//! Problems in the configuration, and their messages for people and models.

use std::{fmt, path::PathBuf};

use crate::{
    present::Refused,
    task::{Message, message},
};

/// All problems in a configuration, so that the user can fix them together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl ConfigProblems {
    /// The message for each problem, with the next step.
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

/// One problem: where it is, what was found, what was expected, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigProblem {
    /// The user's file does not exist, although it was named.
    MissingFile {
        /// The file.
        path: PathBuf,
        /// The flag or variable that names the file.
        named_by: String,
    },
    /// The user's file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The flag or variable that names the file, if any, as the end of a phrase.
        named_by: String,
        /// The operating system's message.
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
        /// The parser's message.
        detail: String,
    },
    /// A file, or the value of a variable or a flag, is not text.
    NotUtf8 {
        /// Where it was written: a file, variable or flag.
        origin: String,
    },
    /// The argument of `--set` is not an assignment.
    NotAnAssignment {
        /// The argument.
        found: String,
    },
    /// The home directory is needed but unknown.
    MissingHome {
        /// The path that needs it.
        needed_by: String,
    },
    /// The home directory's name is not UTF-8.
    HomeNotUtf8 {
        /// The home directory.
        home: PathBuf,
        /// The path that needs it.
        needed_by: String,
    },
    /// The key does not exist.
    UnknownKey {
        /// Where it was written: a file, variable or flag.
        origin: String,
        /// The dotted key.
        key: String,
        /// The most similar valid key.
        suggestion: Option<String>,
        /// The next step.
        next: String,
    },
    /// A key has an invalid value.
    InvalidValue {
        /// Where it was written: a file, variable or flag.
        origin: String,
        /// The dotted key.
        key: String,
        /// The value, unless it may be a secret.
        found: Option<String>,
        /// Why it is invalid, or what was expected, as the end of a sentence.
        reason: String,
        /// The next step.
        next: String,
    },
    /// The name of a section in `backends` is invalid.
    InvalidName {
        /// Where it was written: a file, variable or flag.
        origin: String,
        /// The section.
        section: String,
        /// The name, and the rule that it breaks.
        problem: String,
    },
    /// A backend has no `kind`.
    MissingKind {
        /// Where the section was written.
        origin: String,
        /// The dotted name of the section.
        section: String,
        /// The kinds of this binary, as the end of a sentence.
        kinds: String,
        /// The existing section with the most similar name.
        suggestion: Option<String>,
    },
    /// The kind of a backend rejects its settings.
    Settings {
        /// Where the key or the section was written.
        origin: String,
        /// The dotted key.
        key: String,
        /// The kind's message, as the end of a sentence that begins with the key.
        problem: String,
        /// The section.
        section: String,
    },
}

impl ConfigProblem {
    /// The message for the problem, with the next step.
    pub fn explain(&self) -> Refused {
        // All these texts may come from a file, a variable or a flag.
        let foreign = |text: &str| Message::from(text.to_owned());
        let or = |words: &'static str, suggestion: &Option<String>| match suggestion {
            Some(suggestion) => message![words, suggestion.clone(), "`?"],
            None => Message::default(),
        };
        match self {
            Self::MissingFile { path, named_by } => Refused::new(
                message![path, " (from ", foreign(named_by), ") does not exist"],
                "create it, or correct the path",
            ),
            Self::Unreadable { path, named_by, why } => Refused::new(
                message!["cannot read ", path, foreign(named_by), ": ", foreign(why)],
                "make the file readable, or choose another one with `--config FILE`",
            ),
            Self::Syntax { path, line, column, detail } => Refused::new(
                message![path, ", line ", *line, ", column ", *column, ": ", foreign(detail)],
                "correct that line; no setting in this file is used until all of it is valid TOML",
            ),
            Self::NotUtf8 { origin } => {
                Refused::new(message![foreign(origin), ": not valid UTF-8"], "convert it to UTF-8")
            }
            Self::NotAnAssignment { found } => Refused::new(
                message!["invalid value for --set: expected KEY=VALUE, got `", foreign(found), "`"],
                "write for example `--set tasks.heartbeat_interval=10s`",
            ),
            Self::MissingHome { needed_by } => Refused::new(
                message![
                    "cannot find the home directory for ",
                    foreign(needed_by),
                    ": the environment variable HOME is not set to an absolute path"
                ],
                "set HOME, or use absolute paths (`--config FILE` for the file, `--data-dir DIR` for the data directory)",
            ),
            Self::HomeNotUtf8 { home, needed_by } => Refused::new(
                message![
                    "cannot use the home directory, ",
                    home,
                    ", for ",
                    foreign(needed_by),
                    ": its name is not valid UTF-8"
                ],
                "set HOME to a directory whose name is UTF-8, or use absolute paths (`--config FILE` for the file, \
                 `--data-dir DIR` for the data directory)",
            ),
            Self::UnknownKey { origin, key, suggestion, next } => Refused::new(
                message![foreign(origin), ": unknown key `", foreign(key), "`", or("; did you mean `", suggestion)],
                foreign(next),
            ),
            Self::InvalidValue { origin, key, found, reason, next } => {
                let found = found
                    .as_ref()
                    .map_or_else(|| "(hidden, because it may be a secret)".into(), |found| foreign(found));
                Refused::new(
                    message![
                        foreign(origin),
                        ": invalid value ",
                        found,
                        " for `",
                        foreign(key),
                        "`: ",
                        foreign(reason)
                    ],
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
                        ": missing key `",
                        foreign(section),
                        ".kind`; expected ",
                        foreign(kinds),
                        or("; or did you mean `", suggestion)
                    ],
                    message!["add a `kind` to [", foreign(section), or_rename],
                )
            }
            Self::Settings { origin, key, problem, section } => Refused::new(
                message![foreign(origin), ": `", foreign(key), "`", foreign(problem)],
                message!["correct the settings of [", foreign(section), "]; its `kind` determines which are valid"],
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
