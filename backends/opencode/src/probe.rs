//! What the installed OpenCode can do, read from its own help.

use std::collections::BTreeSet;

use connector_api::{Exit, Installed, ProbeAnswer, ProbeProblem, Sandbox};

/// Reads the answers to `--version` and `run --help`.
pub(crate) fn understand(answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
    let [version, help] = answers else {
        let said = "(it was not asked)".to_owned();
        return Err(ProbeProblem::NotUnderstood { command: "--version".into(), exit: Exit::Code(0), said });
    };
    let number = version.stdout.trim();
    let is_number = number.starts_with(|first: char| first.is_ascii_digit()) && !number.contains(char::is_whitespace);
    if version.exit != Exit::Code(0) || !is_number {
        return Err(version.not_understood());
    }
    // 1.18.33 writes it to stderr where stdout is no terminal.
    let lines = help.stdout.lines().chain(help.stderr.lines());
    let features: BTreeSet<String> = lines.clone().flat_map(flags).collect();
    let is_it = lines.clone().any(|line| line.trim_start().starts_with("opencode run"));
    if help.exit != Exit::Code(0) || !is_it || !features.contains("--format") {
        return Err(help.not_understood());
    }
    let sandboxes = if features.contains("--auto") { vec![Sandbox::DangerFullAccess] } else { vec![] };
    Ok(Installed { version: number.to_owned(), sandboxes, features })
}

/// The long options that a line of the help defines.
fn flags(line: &str) -> Vec<String> {
    let text = line.trim_start();
    if line.len() - text.len() > 8 || !text.starts_with('-') {
        return vec![];
    }
    let words = text.split_whitespace().map(|word| word.trim_end_matches(','));
    words.take_while(|word| word.starts_with('-')).filter(|word| word.starts_with("--")).map(str::to_owned).collect()
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
    fn every_option_that_the_help_lists_is_found_and_no_word_of_a_description() {
        let installed = understand(&[answer("--version", 0, "1.18.33\n", ""), answer("run", 0, "", HELP)]);
        let installed = installed.expect("the real program");
        for flag in ["--format", "--session", "--model", "--dir", "--auto", "--thinking", "--print-logs", "--log-level"]
        {
            assert!(installed.features.contains(flag), "{flag}");
        }
        assert_eq!(installed.features.len(), 24, "{:?}", installed.features);
    }

    #[test]
    fn an_option_is_where_options_begin_and_not_where_a_description_goes_on() {
        assert_eq!(flags("  -m, --model        model to use"), ["--model"]);
        assert_eq!(flags("      --auto         allow, see --agent"), ["--auto"]);
        assert_eq!(flags("                     --session goes on"), Vec::<String>::new());
    }

    #[test]
    fn another_program_is_not_taken_for_it() {
        let version = || answer("--version", 0, "1.18.33\n", "");
        assert!(understand(&[version(), answer("run", 0, "other run [message]\n      --format  x\n", "")]).is_err());
        assert!(understand(&[version(), answer("run", 1, "", HELP)]).is_err());
        assert!(understand(&[answer("--version", 0, "other 1.0\n", ""), answer("run", 0, "", HELP)]).is_err());
    }

    #[test]
    fn without_a_way_to_allow_everything_no_sandbox_can_be_had() {
        let help = HELP.lines().filter(|line| !line.contains("--auto")).collect::<Vec<_>>().join("\n");
        let installed = understand(&[answer("--version", 0, "1.18.33\n", ""), answer("run", 0, &help, "")]);
        assert_eq!(installed.expect("it is OpenCode").sandboxes, []);
    }
}
