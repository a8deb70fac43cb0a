//! Finds out what the installed Claude Code can do, from its help.

use connector_api::{Exit, Installed, ProbeAnswer, ProbeProblem, Sandbox, options_in_help};

/// Reads the answers to `--version` and `--help`.
pub(crate) fn understand(answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
    let [version, help] = answers else {
        return Err(ProbeProblem::NotAsked { command: "--version".into() });
    };
    let number = version_in(version).ok_or_else(|| version.not_understood())?;
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

/// The version in a line such as `2.1.332 (Claude Code)`. It may be on any line, because wrappers print other lines.
fn version_in(answer: &ProbeAnswer) -> Option<&str> {
    let line = answer.stdout.lines().find(|line| line.contains("(Claude Code)") && begins_with_digit(line))?;
    line.split_whitespace().next().filter(|_| answer.exit == Exit::Code(0))
}

fn begins_with_digit(line: &str) -> bool {
    line.trim_start().starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_after_a_banner() {
        let version = |stdout: &str| {
            let stdout = stdout.to_owned();
            let answer = ProbeAnswer { args: vec![], exit: Exit::Code(0), stdout, stderr: String::new() };
            version_in(&answer).map(str::to_owned)
        };
        for said in [
            "2.1.332 (Claude Code)\n",
            "Welcome to Claude Code!\n2.1.332 (Claude Code)\n",
            "nix: 1.2.3\n 2.1.332 (Claude Code)",
        ] {
            assert_eq!(version(said).as_deref(), Some("2.1.332"), "{said}");
        }
        for said in ["", "2.1.332", "Welcome to Claude Code!", "1.2.3\nClaude Code"] {
            assert_eq!(version(said), None, "{said}");
        }
    }
}
