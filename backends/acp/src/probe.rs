//! Which version of the agent is installed.

use connector_api::{Exit, Installed, ProbeAnswer, ProbeProblem};

use crate::settings::AcpSettings;

/// The longest version that is shown, in characters.
const MAX_VERSION_CHARS: usize = 60;

/// Stands for a version that is not told.
const UNKNOWN: &str = "version unknown";

/// Reads the answer to `version_args`. What the agent can do it says itself, when it is greeted.
pub(crate) fn understand(settings: &AcpSettings, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
    let version = match answers.first() {
        None => UNKNOWN.to_owned(),
        Some(answer) if answer.exit == Exit::Code(0) => {
            answer.first_line().unwrap_or(UNKNOWN).chars().take(MAX_VERSION_CHARS).collect()
        }
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
