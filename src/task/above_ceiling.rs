//! What is said about a task that is above the ceiling.

use std::{path::PathBuf, time::Duration};

use connector_api::Sandbox;

use super::{ChosenBy, RuleOrigin, millis_of, span};

/// What is asked for is more than is allowed. `Display` says what, and the rule that forbids it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AboveCeiling {
    /// The sandbox allows more than is allowed.
    #[error("{} is above the ceiling, {max} ({rule})", match by {
        ChosenBy::Call => format!("`sandbox` {asked}"),
        ChosenBy::Default => format!("no `sandbox` is given, and the default, {asked} (`tasks.default_sandbox`),"),
    })]
    Sandbox {
        /// What is asked for.
        asked: Sandbox,
        /// By whom.
        by: ChosenBy,
        /// What is allowed.
        max: Sandbox,
        /// By which rule.
        rule: RuleOrigin,
    },
    /// The time limit is too long, or there is none.
    #[error("{} is above the ceiling, {} ({rule})", match by {
        ChosenBy::Call => asked.map_or("no limit (a `timeoutMs` of 0, or of more than ten years)".to_owned(), |asked| format!("`timeoutMs` {}", millis_of(asked))),
        ChosenBy::Default => format!("no `timeoutMs` is given, and the default, {} (`tasks.default_timeout`),", limit(*asked)),
    }, span(*max))]
    Timeout {
        /// What is asked for.
        asked: Option<Duration>,
        /// By whom.
        by: ChosenBy,
        /// What is allowed.
        max: Duration,
        /// By which rule.
        rule: RuleOrigin,
    },
    /// The model is none of those that are allowed.
    #[error("`model` {asked} is none of those that are allowed: {allowed} ({rule})")]
    Model {
        /// What is asked for.
        asked: String,
        /// What is allowed.
        allowed: String,
        /// By which rule.
        rule: RuleOrigin,
    },
    /// The directory is in none of those that are allowed.
    #[error("`workingDirectory` {}{} is in none of the directories that are allowed: {roots} ({rule})", asked.display(),
        match real {
            real if real == asked => String::new(),
            real => format!(", which is {},", real.display()),
        })]
    Directory {
        /// What is asked for.
        asked: PathBuf,
        /// Where that really is.
        real: PathBuf,
        /// What is allowed.
        roots: String,
        /// By which rule.
        rule: RuleOrigin,
    },
}

impl AboveCeiling {
    /// What to do about it.
    pub fn next(&self) -> String {
        let (instead, rule) = match self {
            Self::Sandbox { max, rule, .. } => (format!("pass `sandbox: \"{max}\"`"), rule),
            Self::Timeout { max, rule, .. } => (format!("pass a `timeoutMs` from 1 to {}", millis_of(*max)), rule),
            Self::Model { rule, .. } => ("pass one of these as `model`, or leave it out".to_owned(), rule),
            Self::Directory { rule, .. } => ("pass a `workingDirectory` in one of these".to_owned(), rule),
        };
        format!("{instead}, or ask whoever runs this machine to change `{}`", rule.key)
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
        let (asked, by) = (Sandbox::DangerFullAccess, ChosenBy::Default);
        let sandbox = AboveCeiling::Sandbox { asked, by, max: Sandbox::ReadOnly, rule: rule() };
        assert_eq!(
            sandbox.to_string(),
            "no `sandbox` is given, and the default, danger-full-access (`tasks.default_sandbox`), is above the ceiling, \
             read-only (`ceiling.x`, from config.toml)"
        );
        let max = Duration::from_secs(60);
        let huge = AboveCeiling::Timeout { asked: None, by: ChosenBy::Call, max, rule: rule() };
        assert!(huge.to_string().contains("of 0, or of more than ten years"), "{huge}");
        let timeout = AboveCeiling::Timeout { asked: None, by, max, rule: rule() };
        assert_eq!(
            timeout.to_string(),
            "no `timeoutMs` is given, and the default, no limit (`tasks.default_timeout`), is above the ceiling, 1m 0s \
             (`ceiling.x`, from config.toml)"
        );
    }
}
