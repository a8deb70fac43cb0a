//! What is wrong with the configuration, in words for people and models.

use std::{fmt, path::PathBuf};

/// All that is wrong, so that it can be put right in one go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<_> = self.0.iter().map(ConfigProblem::to_string).collect();
        f.write_str(&problems.join("\n"))
    }
}

impl From<ConfigProblem> for ConfigProblems {
    fn from(problem: ConfigProblem) -> Self {
        Self(vec![problem])
    }
}

/// One thing that is wrong: where it is, what was found, what is allowed, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// The user's file cannot be read, or does not exist although it was named.
    #[error("cannot read {path}{named_by}: {why}\nnext: make it a readable TOML file, or name another one with `--config FILE`", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Who named it, if anyone, as the end of a phrase.
        named_by: String,
        /// What the system says.
        why: String,
    },
    /// The user's file is not TOML.
    #[error("{path}, line {line}, column {column}: {said}\nnext: correct that line; nothing of the file is used until it can be read", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The parser's words.
        said: String,
    },
    /// A file, or the value of a variable or a flag, is not text.
    #[error("{origin}: this is not UTF-8\nnext: write it in UTF-8")]
    NotUtf8 {
        /// Where it was found.
        origin: String,
    },
    /// The argument of `--set` is not an assignment.
    #[error(
        "flag --set: `{found}` is no assignment\nnext: write `--set KEY=VALUE`, such as `--set tasks.heartbeat_interval=10s`"
    )]
    NotAnAssignment {
        /// The argument.
        found: String,
    },
    /// The home directory is needed, and not known.
    #[error(
        "no home directory for {needed_by}: the environment variable HOME is not set to an absolute path\nnext: set HOME, or write an absolute path (`--config FILE` for the file, `--data-dir DIR` for the data directory)"
    )]
    NoHome {
        /// The path that needs it.
        needed_by: String,
    },
    /// The home directory's name is not text.
    #[error("the home directory, {home}, cannot be used for {needed_by}: its name is not UTF-8\nnext: set HOME to a directory whose name is UTF-8, or write an absolute path (`--config FILE` for the file, `--data-dir DIR` for the data directory)", home = home.display())]
    HomeNotUtf8 {
        /// The home directory.
        home: PathBuf,
        /// The path that needs it.
        needed_by: String,
    },
    /// There is no such key.
    #[error("{origin}: `{key}` is no key{did_you_mean}\nnext: {next}", did_you_mean = meant.as_ref().map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default())]
    UnknownKey {
        /// Where it was found.
        origin: String,
        /// The key, with dots.
        key: String,
        /// The key that is most like it.
        meant: Option<String>,
        /// What to do.
        next: String,
    },
    /// A key has a value that it cannot have.
    #[error("{origin}: `{key}` is {found}{wrong}\nnext: {next}", found = found.as_deref().unwrap_or("not right (the value may be a secret, and is not shown)"))]
    BadValue {
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
    #[error("{origin}: {problem}\nnext: rename the section `{section}`")]
    BadName {
        /// Where it was found.
        origin: String,
        /// The section.
        section: String,
        /// Which name it is, and what is allowed.
        problem: String,
    },
    /// A backend does not say of which kind it is.
    #[error("{origin}: `{section}.kind` is missing; allowed: {kinds}{did_you_mean}\nnext: add a `kind` to [{section}]{or_rename}",
        did_you_mean = meant.as_ref().map(|meant| format!("; or did you mean `{meant}`?")).unwrap_or_default(),
        or_rename = if meant.is_some() { ", or rename it" } else { "" })]
    NoKind {
        /// Where the section was found.
        origin: String,
        /// The section, with dots.
        section: String,
        /// The kinds there are.
        kinds: String,
        /// The section that is most like it.
        meant: Option<String>,
    },
    /// The kind of a backend does not take its settings.
    #[error(
        "{origin}: `{key}`{problem}\nnext: correct it, or take it out; the `kind` of [{section}] decides what it takes"
    )]
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
