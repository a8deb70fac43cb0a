//! What the installed Claude Code can do, read from its own help.

use connector_api::{Exit, Installed, ProbeAnswer, ProbeProblem, Sandbox, options_in_help};

/// Reads the answers to `--version` and `--help`.
pub(crate) fn understand(answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
    let [version, help] = answers else {
        return Err(ProbeProblem::NotAsked { command: "--version".into() });
    };
    let is_it = version.exit == Exit::Code(0) && version.stdout.contains("Claude Code");
    let number = version.stdout.split_whitespace().next().filter(|_| is_it).ok_or_else(|| version.not_understood())?;
    let features = options_in_help(&help.stdout);
    if help.exit != Exit::Code(0) || !features.contains("--output-format") {
        return Err(help.not_understood());
    }
    let has = |flag: &str| features.contains(flag);
    let enforced = |sandbox: &Sandbox| match sandbox {
        Sandbox::ReadOnly | Sandbox::WorkspaceWrite => {
            has("--tools") && has("--permission-mode") && has("--strict-mcp-config") && has("--setting-sources")
        }
        Sandbox::DangerFullAccess => has("--permission-mode"),
    };
    let sandboxes = Sandbox::ALL.into_iter().filter(enforced).collect();
    Ok(Installed { version: number.to_owned(), sandboxes, features })
}
