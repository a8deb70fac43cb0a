//! Finds out what the installed Gemini CLI can do, from its help.

use connector_api::{Exit, Installed, ProbeAnswer, ProbeProblem, Sandbox, options_in_help};

/// Reads the answers to `--version`, which is a bare number, and `--help`.
pub(crate) fn understand(answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
    let [version, help] = answers else {
        return Err(ProbeProblem::NotAsked { command: "--version".into() });
    };
    let number = version.bare_version().ok_or_else(|| version.not_understood())?;
    if help.exit != Exit::Code(0) || !help.stdout.contains("Gemini CLI") || !help.stdout.contains("stream-json") {
        return Err(help.not_understood());
    }
    let features = options_in_help(&help.stdout);
    let enforced = |sandbox: &Sandbox| match sandbox {
        // Without a user to ask, its model can leave these modes: see this crate's documentation.
        Sandbox::ReadOnly | Sandbox::WorkspaceWrite => false,
        Sandbox::DangerFullAccess => features.contains("--approval-mode") && help.stdout.contains("\"yolo\""),
    };
    let sandboxes = Sandbox::ALL.into_iter().filter(enforced).collect();
    Ok(Installed { version: number.to_owned(), sandboxes, features })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::answers;

    #[test]
    fn a_program_other_than_gemini_is_rejected() {
        let mut old = answers();
        old[1].stdout = old[1].stdout.replace("stream-json", "json");
        let mut other = answers();
        other[0].stdout = "codex-cli 0.169.0".into();
        for answers in [old, other] {
            assert!(matches!(understand(&answers), Err(ProbeProblem::NotUnderstood { .. })));
        }
    }

    #[test]
    fn without_the_yolo_mode_no_sandbox_is_available() {
        let mut answers = answers();
        answers[1].stdout = answers[1].stdout.replace("\"yolo\"", "\"all\"");
        assert_eq!(understand(&answers).map(|installed| installed.sandboxes), Ok(vec![]));
    }
}
