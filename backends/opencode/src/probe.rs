//! Finds out what the installed OpenCode can do, from its help.

use connector_api::{Exit, Installed, ProbeAnswer, ProbeProblem, Sandbox, options_in_help};

/// Reads the answers to `--version` and `run --help`.
pub(crate) fn understand(answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
    let [version, help] = answers else {
        return Err(ProbeProblem::NotAsked { command: "--version".into() });
    };
    let number = version.bare_version().ok_or_else(|| version.not_understood())?;
    // 1.18.33 writes its help to stderr if stdout is not a terminal.
    let text = format!("{}\n{}", help.stdout, help.stderr);
    let features = options_in_help(&text);
    let is_it = text.lines().any(|line| line.trim_start().starts_with("opencode run"));
    if help.exit != Exit::Code(0) || !is_it || !features.contains("--format") {
        return Err(help.not_understood());
    }
    let sandboxes = if features.contains("--auto") { vec![Sandbox::DangerFullAccess] } else { vec![] };
    Ok(Installed { version: number.to_owned(), sandboxes, features })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(arg: &str, exit: i32, stdout: &str, stderr: &str) -> ProbeAnswer {
        let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
        ProbeAnswer { args: vec![arg.into()], exit: Exit::Code(exit), stdout, stderr }
    }

    const HELP: &str = include_str!("../tests/recordings/help-1.18.33.txt");

    #[test]
    fn options_in_the_help_are_found_and_words_of_descriptions_are_not() {
        let installed = understand(&[answer("--version", 0, "1.18.33\n", ""), answer("run", 0, "", HELP)]);
        let installed = installed.expect("the real program");
        for flag in ["--format", "--session", "--model", "--dir", "--auto", "--thinking", "--print-logs", "--log-level"]
        {
            assert!(installed.features.contains(flag), "{flag}");
        }
        assert_eq!(installed.features.len(), 24 + 9, "{:?}", installed.features);
    }

    #[test]
    fn another_program_is_rejected() {
        let version = || answer("--version", 0, "1.18.33\n", "");
        assert!(understand(&[version(), answer("run", 0, "other run [message]\n      --format  x\n", "")]).is_err());
        assert!(understand(&[version(), answer("run", 1, "", HELP)]).is_err());
        assert!(understand(&[answer("--version", 0, "other 1.0\n", ""), answer("run", 0, "", HELP)]).is_err());
    }

    #[test]
    fn without_an_allow_all_option_no_sandbox_is_available() {
        let help = HELP.lines().filter(|line| !line.contains("--auto")).collect::<Vec<_>>().join("\n");
        let installed = understand(&[answer("--version", 0, "1.18.33\n", ""), answer("run", 0, &help, "")]);
        assert_eq!(installed.expect("it is OpenCode").sandboxes, []);
    }
}
