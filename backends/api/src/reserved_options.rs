//! Options that `extra_args` may not set, because codex-connector or the call decides them.

use crate::SettingsProblem;

/// The options that `extra_args` may not contain, in groups with one reason each.
///
/// The reason says what decides the option instead, such as "each task gets the `sandbox` of its call".
#[derive(Debug, Clone, Copy)]
pub struct ReservedOptions(&'static [(&'static [&'static str], &'static str)]);

impl ReservedOptions {
    /// These groups of options.
    pub const fn new(groups: &'static [(&'static [&'static str], &'static str)]) -> Self {
        Self(groups)
    }

    /// Refuses `arg` if the option that it sets is reserved. `option` is that option in the spelling of the groups; the
    /// caller extracts it, because each agent has its own syntax.
    pub fn check(&self, arg: &str, option: &str) -> Result<(), SettingsProblem> {
        match self.0.iter().find(|(options, _)| options.contains(&option)) {
            Some((_, reason)) => Err(SettingsProblem::of("extra_args", &format!("must not contain `{arg}`: {reason}"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_option_is_refused_with_the_reason_of_its_group() {
        const RESERVED: ReservedOptions =
            ReservedOptions::new(&[(&["--model", "-m"], "the call names it"), (&["--json"], "it is always set")]);
        let refused = RESERVED.check("-mx", "-m").expect_err("it is reserved");
        assert_eq!(
            (refused.key.as_str(), refused.problem.as_str()),
            ("extra_args", "`extra_args` must not contain `-mx`: the call names it")
        );
        assert_eq!(RESERVED.check("--color", "--color"), Ok(()));
    }
}
