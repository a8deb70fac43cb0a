//! Finds the version of the installed agent.

use connector_api::{Exit, Installed, ProbeAnswer, ProbeProblem};

use crate::settings::AcpSettings;

/// Shown if the agent does not report its version.
const UNKNOWN: &str = "version unknown";

/// Reads the answer to `version_args`. The agent reports its capabilities later, when the session initializes it.
pub(crate) fn understand(settings: &AcpSettings, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
    let version = match answers.first() {
        None => UNKNOWN.to_owned(),
        Some(answer) if answer.exit == Exit::Code(0) => answer.version_line().unwrap_or(UNKNOWN).to_owned(),
        Some(answer) => {
            let said = [&answer.stderr, &answer.stdout].map(|text| text.trim());
            return Err(ProbeProblem::NotUnderstood {
                command: answer.args.join(" "),
                exit: answer.exit,
                said: said.into_iter().find(|text| !text.is_empty()).unwrap_or("(nothing)").chars().take(300).collect(),
            });
        }
    };
    let sandboxes = settings.modes.keys().copied().collect();
    Ok(Installed { version, sandboxes, features: Default::default() })
}
