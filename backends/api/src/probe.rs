//! Questions to an installed agent about what it can do, and its answers.

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

/// The program's answer to one [`ProbeCommand`]. It is cached on disk: the program is asked once, but its answer is
/// interpreted on every use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeAnswer {
    /// The arguments of the probe.
    pub args: Vec<String>,
    /// How the run ended.
    pub exit: Exit,
    /// Its stdout, at most 1 MiB.
    pub stdout: String,
    /// Its stderr, at most 1 MiB.
    pub stderr: String,
}

impl ProbeAnswer {
    /// The version, if the run succeeded and printed it alone on a line. Wrappers may print other lines.
    pub fn bare_version(&self) -> Option<&str> {
        let is_version = |line: &&str| {
            line.starts_with(|first: char| first.is_ascii_digit())
                && line.contains('.')
                && !line.contains(char::is_whitespace)
        };
        self.stdout.lines().map(str::trim).find(is_version).filter(|_| self.exit == Exit::Code(0))
    }

    /// The first nonblank line on stdout, or else on stderr.
    pub fn first_line(&self) -> Option<&str> {
        let mut lines = self.stdout.lines().chain(self.stderr.lines()).map(str::trim);
        lines.find(|line| !line.is_empty())
    }

    /// The first line that looks like a version, such as `agent 1.2` or `v1.2.3 (build 7)`, on stdout or else on stderr.
    /// An agent that ignores the question may print anything else.
    pub fn version_line(&self) -> Option<&str> {
        const MAX_LENGTH: usize = 60;
        let is_number = |word: &str| {
            let word = word.trim_start_matches(|letter: char| !letter.is_ascii_digit() && letter != '.');
            word.split_once('.').is_some_and(|(major, rest)| {
                !major.is_empty()
                    && major.bytes().all(|byte| byte.is_ascii_digit())
                    && rest.starts_with(|next: char| next.is_ascii_digit())
            })
        };
        let is_version = |line: &&str| {
            line.chars().count() <= MAX_LENGTH
                && !line.contains(['{', '}', '"'])
                && line.split_whitespace().any(is_number)
        };
        self.stdout.lines().chain(self.stderr.lines()).map(str::trim).find(is_version)
    }

    /// The problem that the expected agent would not answer like this. It quotes the beginning of the answer.
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
    /// It exited with this code.
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

/// The result of a backend's probes. The backend builds command lines from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The version, as the program writes it.
    pub version: String,
    /// The sandboxes that this version can actually enforce, strictest first.
    pub sandboxes: Vec<Sandbox>,
    /// Flags and other features found, under names that the backend chooses.
    /// [`AgentBackend::launch`](crate::AgentBackend::launch) passes only flags from this list.
    pub features: BTreeSet<String>,
}

impl Installed {
    /// Fails if the program does not have `flag`, which the backend needs for `purpose`. `agent` is the agent's name
    /// and version.
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
    /// The version is too old to work.
    #[error("found {found}, but the oldest version that works is {oldest}")]
    TooOld {
        /// The version found, as the program writes it.
        found: String,
        /// The oldest version that works.
        oldest: String,
    },
    /// There is no answer to a probe, because the probe did not run.
    #[error("`{command}` was not run")]
    NotAsked {
        /// The program's arguments in the probe.
        command: String,
    },
    /// The program did not answer like the agent that was expected.
    #[error("`{command}` answered with {exit}: {said}")]
    NotUnderstood {
        /// The program's arguments in the probe.
        command: String,
        /// How the probe ended.
        exit: Exit,
        /// The beginning of its answer.
        said: String,
    },
}

/// The long and short options that a `--help` text defines, without their values.
///
/// A definition is at the beginning of a line, after at most eight spaces. Options that a description mentions are
/// indented further or follow other words, and are not included.
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

/// Whether the agent is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Logged in; the agent's own description of how.
    Yes(String),
    /// Not logged in.
    No {
        /// The agent's own words.
        said: String,
        /// Advice for the user.
        advice: String,
    },
    /// The agent does not offer a way to find out.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_after_a_banner() {
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
    fn a_line_without_a_version_is_not_one() {
        let line = |stdout: &str| {
            let (stdout, stderr) = (stdout.to_owned(), String::new());
            ProbeAnswer { args: vec![], exit: Exit::Code(0), stdout, stderr }.version_line().map(str::to_owned)
        };
        for (stdout, version) in [
            ("agent 1.2\n", Some("agent 1.2")),
            ("welcome\nmine v2.0.1 (build 7)\n", Some("mine v2.0.1 (build 7)")),
            ("agent@0.3.0", Some("agent@0.3.0")),
            ("{\"type\":\"start\",\"sessionID\":\"s1.2\"}", None),
            ("Hello! How can I help you today?", None),
            ("done in 3 s.", None),
            ("", None),
        ] {
            assert_eq!(line(stdout).as_deref(), version, "{stdout}");
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
            ("          --session continues", &[]),
            ("  model, as --model says", &[]),
            ("", &[]),
        ] {
            assert_eq!(options_in_help(line).into_iter().collect::<Vec<_>>(), options, "{line}");
        }
        assert_eq!(options_in_help("Options:\n  -a\n  --bee\n").len(), 2);
    }
}
