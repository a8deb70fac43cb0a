//! Separates the reason for a failure from noise in Codex's stderr.

/// Whether `line` also appears in successful runs, or is meaningless to people.
pub(crate) fn is_noise(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || line.starts_with("Reading additional input from stdin...")
        // "create PATH aliases" since 0.142, "update PATH" before: CODEX_HOME is in a temporary directory.
        || line.starts_with("WARNING: proceeding, even though we could not ")
        || line.starts_with("warning: `--full-auto` is deprecated")
        // 0.125 prints this at the end of every run, 0.169 after SIGINT.
        || line.contains("failed to record rollout items")
        || line == "Stack backtrace:"
        || line.ends_with(": <unknown>")
}

/// Whether this is the message of an argument parser (clap) that rejected the command line.
pub(crate) fn is_usage_error(said: &str) -> bool {
    ["unexpected argument", "unrecognized", "invalid value", "Usage:"].iter().any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recordings::Recording;

    #[test]
    fn a_successful_run_prints_only_noise_to_stderr() {
        for version in crate::recordings::VERSIONS {
            let stderr = Recording::of(version).text("success.stderr");
            let telling: Vec<_> = stderr.lines().filter(|line| !is_noise(line)).collect();
            assert!(telling.is_empty(), "{version}: {telling:?}");
        }
    }

    #[test]
    fn failure_messages_are_not_noise() {
        assert!(!is_noise("Not inside a trusted directory and --skip-git-repo-check was not specified."));
        assert!(!is_noise("Error: Model provider `nope` not found"));
        assert!(is_noise("   0: <unknown>"));
    }
}
