//! What the installed Claude Code can do, read from its own help.

use std::collections::BTreeSet;

use connector_api::{Exit, Installed, ProbeAnswer, ProbeProblem, Sandbox};

/// Reads the answers to `--version` and `--help`.
pub(crate) fn understand(answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
    let [version, help] = answers else {
        let said = "(it was not asked)".to_owned();
        return Err(ProbeProblem::NotUnderstood { command: "--version".into(), exit: Exit::Code(0), said });
    };
    let is_it = version.exit == Exit::Code(0) && version.stdout.contains("Claude Code");
    let number = version.stdout.split_whitespace().next().filter(|_| is_it).ok_or_else(|| version.not_understood())?;
    let features: BTreeSet<String> = help.stdout.lines().flat_map(flags).collect();
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

/// The long options that a line of the help defines.
fn flags(line: &str) -> Vec<String> {
    let text = line.trim_start();
    if line.len() - text.len() > 4 || !text.starts_with('-') {
        return vec![];
    }
    let words = text.split_whitespace().map(|word| word.trim_end_matches(','));
    words.take_while(|word| word.starts_with('-')).filter(|word| word.starts_with("--")).map(str::to_owned).collect()
}
