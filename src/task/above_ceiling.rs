//! Errors about requests that exceed the ceiling.

use std::{fmt, path::PathBuf, time::Duration};

use connector_api::Sandbox;

use super::{ChosenBy, RuleOrigin, SandboxChoice, millis_of, span};

/// The request exceeds the ceiling. `Display` names the parameter of the call, the value and the rule that forbids it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AboveCeiling {
    /// The sandbox is too permissive.
    Sandbox {
        /// The requested sandbox.
        asked: Sandbox,
        /// The source of that sandbox.
        by: SandboxChoice,
        /// The most permissive sandbox that is allowed.
        max: Sandbox,
        /// The rule that says so.
        rule: RuleOrigin,
    },
    /// The time limit is too long, or missing.
    Timeout {
        /// The requested time limit.
        asked: Option<Duration>,
        /// Whether the call or the default chose it.
        by: ChosenBy,
        /// The longest time limit that is allowed.
        max: Duration,
        /// The rule that says so.
        rule: RuleOrigin,
    },
    /// The model is not allowed.
    Model {
        /// The requested model.
        asked: String,
        /// The allowed models.
        allowed: String,
        /// The rule that says so.
        rule: RuleOrigin,
    },
    /// The directory is outside the allowed ones.
    Directory {
        /// The requested directory.
        asked: PathBuf,
        /// Its real path.
        real: PathBuf,
        /// The allowed directories.
        roots: String,
        /// The rule that says so.
        rule: RuleOrigin,
    },
}

/// How a caller names values: as parameters of a tool call, or as options of the command line.
struct Names {
    sandbox: &'static str,
    timeout: &'static str,
    /// A time limit as a value of `timeout`.
    duration: fn(Duration) -> String,
    no_timeout: &'static str,
    model: &'static str,
    directory: &'static str,
}

const PARAMETERS: Names = Names {
    sandbox: "`sandbox`",
    timeout: "`timeoutMs`",
    duration: |limit| millis_of(limit).to_string(),
    no_timeout: "no limit (a `timeoutMs` of 0, or of more than ten years)",
    model: "`model`",
    directory: "`workingDirectory`",
};

const OPTIONS: Names = Names {
    sandbox: "`--sandbox`",
    timeout: "`--timeout`",
    duration: span,
    no_timeout: "no limit (`--timeout none`)",
    model: "`--model`",
    directory: "the directory",
};

impl fmt::Display for AboveCeiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.described(&PARAMETERS))
    }
}

impl std::error::Error for AboveCeiling {}

impl AboveCeiling {
    /// The problem for a person at a terminal, with the names of options.
    pub fn problem_of_options(&self) -> String {
        self.described(&OPTIONS)
    }

    fn described(&self, names: &Names) -> String {
        match self {
            Self::Sandbox { asked, by, max, rule } => {
                let name = names.sandbox;
                let asked = match by {
                    SandboxChoice::Call => format!("{name} {asked}"),
                    SandboxChoice::EarlierTask => format!("no {name} is given, and that of the earlier task, {asked},"),
                    SandboxChoice::Default { key } => {
                        format!("no {name} is given, and the default, {asked} (`{key}`),")
                    }
                };
                format!("{asked} exceeds the ceiling, {max} ({rule})")
            }
            Self::Timeout { asked, by, max, rule } => {
                let name = names.timeout;
                let asked = match (by, asked) {
                    (ChosenBy::Call, None) => names.no_timeout.to_owned(),
                    (ChosenBy::Call, Some(asked)) => format!("{name} {}", (names.duration)(*asked)),
                    (ChosenBy::Default, asked) => {
                        let default = limit(*asked);
                        format!("no {name} is given, and the default, {default} (`tasks.default_timeout`),")
                    }
                };
                format!("{asked} exceeds the ceiling, {} ({rule})", span(*max))
            }
            Self::Model { asked, allowed, rule } => {
                format!("{} {asked} is not allowed. Allowed: {allowed} ({rule})", names.model)
            }
            Self::Directory { asked, real, roots, rule } => {
                let also = if real == asked { String::new() } else { format!(", which is {},", real.display()) };
                let asked = asked.display();
                format!("{} {asked}{also} is outside the allowed directories: {roots} ({rule})", names.directory)
            }
        }
    }

    /// The next step for a person at a terminal.
    pub fn next_option(&self) -> String {
        let (instead, rule) = match self {
            Self::Sandbox { max, rule, .. } => (format!("add `--sandbox {max}`"), rule),
            Self::Timeout { max, rule, .. } => (format!("add `--timeout` with at most {}", span(*max)), rule),
            Self::Model { rule, .. } => ("choose one of these with `--model`, or leave it out".to_owned(), rule),
            Self::Directory { rule, .. } => ("choose a directory in one of these with `-C DIR`".to_owned(), rule),
        };
        format!("{instead}, or change `{}`", rule.key)
    }

    /// The next step for the caller.
    pub fn next(&self) -> String {
        let (instead, rule) = match self {
            Self::Sandbox { max, rule, .. } => (format!("pass `sandbox: \"{max}\"`"), rule),
            Self::Timeout { max, rule, .. } => (format!("pass a `timeoutMs` from 1 to {}", millis_of(*max)), rule),
            Self::Model { rule, .. } => ("pass one of these as `model`, or leave it out".to_owned(), rule),
            Self::Directory { rule, .. } => ("pass a `workingDirectory` in one of these".to_owned(), rule),
        };
        format!("{instead}, or ask the user to change `{}`", rule.key)
    }
}

fn limit(timeout: Option<Duration>) -> String {
    timeout.map_or_else(|| "no limit".to_owned(), span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_above_the_ceiling_is_reported_as_a_default() {
        let rule = || RuleOrigin { key: "ceiling.x".to_owned(), place: "config.toml".to_owned() };
        let asked = Sandbox::DangerFullAccess;
        let by = SandboxChoice::Default { key: "tasks.default_sandbox".to_owned() };
        let sandbox = AboveCeiling::Sandbox { asked, by, max: Sandbox::ReadOnly, rule: rule() };
        assert_eq!(
            sandbox.to_string(),
            "no `sandbox` is given, and the default, danger-full-access (`tasks.default_sandbox`), exceeds the ceiling, \
             read-only (`ceiling.x`, from config.toml)"
        );
        assert_eq!(sandbox.next_option(), "add `--sandbox read-only`, or change `ceiling.x`");
        let by = SandboxChoice::EarlierTask;
        let earlier = AboveCeiling::Sandbox { asked, by, max: Sandbox::ReadOnly, rule: rule() };
        assert!(earlier.to_string().contains("that of the earlier task, danger-full-access, exceeds"), "{earlier}");
        let (max, by) = (Duration::from_secs(60), ChosenBy::Default);
        let huge = AboveCeiling::Timeout { asked: None, by: ChosenBy::Call, max, rule: rule() };
        assert!(huge.to_string().contains("of 0, or of more than ten years"), "{huge}");
        assert!(huge.problem_of_options().starts_with("no limit (`--timeout none`) exceeds"), "{huge:?}");
        let long = AboveCeiling::Timeout { asked: Some(2 * max), by: ChosenBy::Call, max, rule: rule() };
        assert!(long.to_string().starts_with("`timeoutMs` 120000 exceeds"), "{long}");
        assert!(long.problem_of_options().starts_with("`--timeout` 2m 0s exceeds the ceiling, 1m 0s"), "{long:?}");
        let timeout = AboveCeiling::Timeout { asked: None, by, max, rule: rule() };
        assert_eq!(
            timeout.to_string(),
            "no `timeoutMs` is given, and the default, no limit (`tasks.default_timeout`), exceeds the ceiling, 1m 0s \
             (`ceiling.x`, from config.toml)"
        );
    }
}
