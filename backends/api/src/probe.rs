//! Asking an installed agent what it can do.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::{Sandbox, Unsupported};

/// Arguments for one short, harmless run of the agent's program, such as `--version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeCommand {
    /// The arguments, without the program.
    pub args: Vec<String>,
}

impl ProbeCommand {
    /// A probe with these arguments.
    pub fn new<const N: usize>(args: [&str; N]) -> Self {
        Self { args: args.map(str::to_owned).into() }
    }
}

/// What the program said to one [`ProbeCommand`]. Kept on disk, so that the program is asked once and understood anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeAnswer {
    /// The arguments it was asked with.
    pub args: Vec<String>,
    /// How the run ended.
    pub exit: Exit,
    /// What it wrote to stdout, at most 1 MiB.
    pub stdout: String,
    /// What it wrote to stderr, at most 1 MiB.
    pub stderr: String,
}

impl ProbeAnswer {
    /// The version, if the run succeeded and printed it on a line of its own. Wrappers print other lines, too.
    pub fn bare_version(&self) -> Option<&str> {
        let is_version = |line: &&str| {
            line.starts_with(|first: char| first.is_ascii_digit())
                && line.contains('.')
                && !line.contains(char::is_whitespace)
        };
        self.stdout.lines().map(str::trim).find(is_version).filter(|_| self.exit == Exit::Code(0))
    }

    /// The first line that is not blank, on stdout or else on stderr.
    pub fn first_line(&self) -> Option<&str> {
        let mut lines = self.stdout.lines().chain(self.stderr.lines()).map(str::trim);
        lines.find(|line| !line.is_empty())
    }

    /// The problem that the agent would not have answered like this, with the beginning of what was said.
    pub fn not_understood(&self) -> ProbeProblem {
        let said = [&self.stdout, &self.stderr].into_iter().map(|text| text.trim()).find(|text| !text.is_empty());
        ProbeProblem::NotUnderstood {
            command: self.args.join(" "),
            exit: self.exit,
            said: said.unwrap_or("(nothing)").chars().take(300).collect(),
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It ended by itself, with this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// What a backend understood of the answers: the ground on which a command line is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The version, as the program writes it.
    pub version: String,
    /// The sandboxes that this version can really enforce, weakest first.
    pub sandboxes: Vec<Sandbox>,
    /// Flags and other features found, in the backend's own words; [`AgentBackend::launch`](crate::AgentBackend::launch)
    /// passes no flag that is not here.
    pub features: BTreeSet<String>,
}

impl Installed {
    /// Refuses to work without `flag`, which is needed for `purpose`, if the program does not have it. `agent` is the agent's
    /// name and version.
    pub fn check_flag(&self, agent: &str, flag: &str, purpose: &str) -> Result<(), Unsupported> {
        if self.features.contains(flag) {
            return Ok(());
        }
        Err(Unsupported::MissingFlag { found: agent.to_owned(), flag: flag.to_owned(), purpose: purpose.to_owned() })
    }
}

/// Why an installed program cannot be used at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeProblem {
    /// Its version is known not to work.
    #[error("found {found}, but the oldest version that works is {oldest}")]
    TooOld {
        /// The version found, as the program writes it.
        found: String,
        /// The oldest version that works.
        oldest: String,
    },
    /// There is no answer to a probe, as it was not asked.
    #[error("`{command}` was not asked")]
    NotAsked {
        /// The program's arguments in the probe.
        command: String,
    },
    /// It did not answer like the agent that it should be.
    #[error("`{command}` answered with {exit}: {said}")]
    NotUnderstood {
        /// The program's arguments in the probe.
        command: String,
        /// How the probe ended.
        exit: Exit,
        /// The beginning of what it said.
        said: String,
    },
}

/// The options that the text of a `--help` defines, long and short, without their values.
///
/// A definition begins a line, with at most eight spaces before it. An option that is only mentioned stands further in, or
/// behind other words, and is not taken.
pub fn options_in_help(help: &str) -> BTreeSet<String> {
    help.lines().flat_map(options_defined).map(str::to_owned).collect()
}

fn options_defined(line: &str) -> impl Iterator<Item = &str> {
    let text = line.trim_start();
    let begins = line.len() - text.len() <= 8 && text.starts_with('-');
    let words = text.split([',', ' ', '\t']).filter(|word| !word.is_empty()).take_while(move |_| begins);
    let names = words.take_while(|word| word.starts_with('-'));
    let names = names.map(|name| name.split(['=', '[']).next().unwrap_or(name));
    names.filter(|name| name.contains(char::is_alphanumeric))
}

/// What is known of the agent's login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Logged in; how, in the agent's words.
    Yes(String),
    /// Not logged in; what the agent said, and what to do about it.
    No {
        /// The agent's words.
        said: String,
        /// What the user can do.
        advice: String,
    },
    /// The agent has no way to tell.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_behind_a_banner() {
        let answer = |exit, stdout: &str| ProbeAnswer {
            args: vec![],
            exit: Exit::Code(exit),
            stdout: stdout.to_owned(),
            stderr: String::new(),
        };
        for text in ["1.18.33\n", "devshell 1.0: loaded\n1.18.33\n", "\n 1.18.33 \nbye\n"] {
            assert_eq!(answer(0, text).bare_version(), Some("1.18.33"), "{text}");
            assert_eq!(answer(1, text).bare_version(), None, "{text}");
        }
        for text in ["", "other 1.0", "1.0 other", "2026"] {
            assert_eq!(answer(0, text).bare_version(), None, "{text}");
        }
    }

    #[test]
    fn options_are_found_only_where_a_definition_starts() {
        for (line, options) in [
            ("  -m, --model <MODEL>    the model, as --model=x", &["--model", "-m"][..]),
            ("      --auto         allow, see --agent", &["--auto"]),
            ("        --eight", &["--eight"]),
            ("--none", &["--none"]),
            ("  --color=WHEN", &["--color"]),
            ("      --tools[=LIST]", &["--tools"]),
            ("  -m,--model X", &["--model", "-m"]),
            ("      --[no-]color", &[]),
            ("  -----", &[]),
            ("  - a list", &[]),
            ("          --session goes on", &[]),
            ("  model, as --model says", &[]),
            ("", &[]),
        ] {
            assert_eq!(options_in_help(line).into_iter().collect::<Vec<_>>(), options, "{line}");
        }
        assert_eq!(options_in_help("Options:\n  -a\n  --bee\n").len(), 2);
    }
}
