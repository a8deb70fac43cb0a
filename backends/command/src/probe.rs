//! Finds the version of the installed program. The settings say what it can do.

use std::collections::BTreeSet;

use connector_api::{Exit, Installed, ProbeAnswer, ProbeProblem};

use crate::settings::CommandSettings;

/// Reads the answer to `version_args`, if the program was asked.
pub(crate) fn understand(settings: &CommandSettings, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
    let said = answers.first().map(version_line).transpose()?.flatten();
    Ok(Installed {
        version: said.unwrap_or("version unknown").to_owned(),
        sandboxes: settings.sandboxes.keys().copied().collect(),
        features: BTreeSet::new(),
    })
}

/// The line that looks like a version, if there is one.
fn version_line(answer: &ProbeAnswer) -> Result<Option<&str>, ProbeProblem> {
    if answer.exit == Exit::Code(0) {
        return Ok(answer.version_line());
    }
    let line = answer.first_line();
    Err(ProbeProblem::NotUnderstood {
        command: answer.args.join(" "),
        exit: answer.exit,
        said: format!(
            "{}; set `version_args` of this backend to the arguments that print its version, or to [] not to ask",
            line.unwrap_or("(nothing)").chars().take(300).collect::<String>()
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::read;

    fn understood(exit: i32, stdout: &str, stderr: &str) -> Result<Installed, ProbeProblem> {
        let settings = read(json!({"program": "agent", "sandboxes": {"read-only": []}}));
        let answer = ProbeAnswer {
            args: vec!["--version".into()],
            exit: Exit::Code(exit),
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        understand(&settings.expect("minimal settings").1, &[answer])
    }

    #[test]
    fn the_version_is_the_first_line_that_looks_like_one() {
        assert_eq!(
            understood(0, "\n agent 1.2 \nmore", "x").map(|installed| installed.version).as_deref(),
            Ok("agent 1.2")
        );
        assert_eq!(understood(0, "", "agent 1.2").map(|installed| installed.version).as_deref(), Ok("agent 1.2"));
        assert_eq!(understood(0, "", "").map(|installed| installed.version).as_deref(), Ok("version unknown"));
    }

    #[test]
    fn a_program_that_rejects_the_version_arguments_is_not_usable() {
        let problem = understood(2, "", "unknown option").expect_err("exit code 2");
        assert!(problem.to_string().contains("unknown option; set `version_args`"), "{problem}");
    }

    #[test]
    fn a_program_without_version_arguments_has_an_unknown_version() {
        let settings = read(json!({"program": "a", "sandboxes": {"read-only": []}, "version_args": []}));
        let installed = understand(&settings.expect("the least settings").1, &[]).expect("nothing to understand");
        assert_eq!(installed.version, "version unknown");
    }
}
