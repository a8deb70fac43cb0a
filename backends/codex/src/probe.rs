//! Finds out what the installed Codex can do, from its help.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
};

use connector_api::{Exit, Installed, Login, ProbeAnswer, ProbeProblem, Sandbox, UsageScope, options_in_help};

use crate::stderr;

/// The first version whose `--json` prints the event stream that [`wire`](crate::wire) reads.
const OLDEST_VERSION: (u64, u64) = (0, 44);

/// The first version whose token counts cover the whole thread when it is resumed. Those of 0.77.0 cover only the run.
const FIRST_WITH_THREAD_TOTALS: (u64, u64) = (0, 79);

/// Reads the answers to `--version` and `exec --help`.
pub(crate) fn understand(answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
    let version = answers.first().ok_or_else(|| ProbeProblem::NotAsked { command: "--version".into() })?;
    let help = answers.get(1).ok_or_else(|| ProbeProblem::NotAsked { command: "exec --help".into() })?;
    let number = version_in(version).ok_or_else(|| version.not_understood())?;
    if is_too_old(number) {
        return Err(ProbeProblem::TooOld {
            found: number.into(),
            oldest: format!("{}.{}", OLDEST_VERSION.0, OLDEST_VERSION.1),
        });
    }
    let mut features = options_in_help(&help.stdout);
    features.extend(subcommands_in(&help.stdout).map(str::to_owned));
    if help.exit != Exit::Code(0) || !features.contains("--help") {
        return Err(help.not_understood());
    }
    let sandboxes = Sandbox::ALL.into_iter().filter(|sandbox| is_enforced(*sandbox, &features, &help.stdout));
    Ok(Installed { version: number.into(), sandboxes: sandboxes.collect(), features })
}

/// Reads the answer to `login status`.
pub(crate) fn understand_login(answer: &ProbeAnswer) -> Login {
    let lines = answer.stdout.lines().chain(answer.stderr.lines());
    let said: Vec<_> = lines.filter(|line| !line.trim().is_empty() && !stderr::is_noise(line)).collect();
    let said = said.join("\n");
    match answer.exit {
        Exit::Code(0) => Login::Yes(said),
        _ if said.to_lowercase().contains("not logged in") => Login::No {
            said,
            advice: "run `codex login`, unless Codex's config.toml defines your own model provider".into(),
        },
        // Codex 0.171 does not create this directory by itself.
        _ if said.contains("CODEX_HOME") => {
            Login::No { said, advice: "create the directory that CODEX_HOME names, and run `codex login`".into() }
        }
        _ => Login::Unknown,
    }
}

/// Whether Codex has its own key or provider: in the environment, in `extra_args`, or in its config.toml.
pub(crate) fn works_without_login(
    extra_args: &[String],
    environment: &BTreeMap<OsString, OsString>,
    own_settings: &str,
) -> bool {
    let has_key = |name: &str| environment.get(&OsString::from(name)).is_some_and(|key| !key.is_empty());
    let names_provider = |text: &str| {
        let provider = text.trim().strip_prefix("model_provider").and_then(|rest| rest.trim_start().strip_prefix('='));
        // `openai` is the built-in provider, which needs a login.
        provider.is_some_and(|value| !value.trim().trim_matches(['"', '\'']).starts_with("openai"))
    };
    ["CODEX_API_KEY", "OPENAI_API_KEY"].into_iter().any(has_key)
        || extra_args.iter().any(|arg| arg == "--oss" || names_provider(arg.trim_start_matches("--config=")))
        || own_settings.lines().any(names_provider)
}

/// The version in a line such as `codex-cli 0.169.0`: in the first line that has a version right after a name such as
/// `codex`, or else anywhere after such a name. Wrappers print other lines first, and some of those also begin with
/// `codex`.
fn version_in(answer: &ProbeAnswer) -> Option<&str> {
    let lines = || answer.stdout.lines().map(|line| line.split_whitespace().skip_while(|word| !is_name(word)).skip(1));
    let right_after_name = lines().find_map(|mut words| words.next().and_then(version));
    let number = right_after_name.or_else(|| lines().find_map(|mut words| words.find_map(version)));
    number.filter(|_| answer.exit == Exit::Code(0))
}

/// Whether this is a name of Codex. Every recorded version calls itself `codex-cli`.
fn is_name(word: &str) -> bool {
    word == "codex" || word.starts_with("codex-")
}

/// The version in this word, without a leading `v` and surrounding punctuation.
fn version(word: &str) -> Option<&str> {
    let word = word.trim_matches(['(', ')', ',', ';', ':']);
    let number = word.strip_prefix('v').unwrap_or(word);
    major_and_minor(number).map(|_| number)
}

/// Whether this version is too old. A Codex built from source reports 0.0.0, so only its help counts.
fn is_too_old(number: &str) -> bool {
    major_and_minor(number).is_some_and(|version| version < OLDEST_VERSION) && number != "0.0.0"
}

/// The scope of this version's token counts.
pub(crate) fn usage_scope(number: &str) -> UsageScope {
    match major_and_minor(number) {
        Some(version) if version < FIRST_WITH_THREAD_TOTALS && number != "0.0.0" => UsageScope::Run,
        Some(_) | None => UsageScope::Session,
    }
}

pub(crate) fn major_and_minor(number: &str) -> Option<(u64, u64)> {
    let mut parts = number.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    parts.next()?.starts_with(|c: char| c.is_ascii_digit()).then_some((major, minor))
}

/// The subcommands that a help text lists.
fn subcommands_in(help: &str) -> impl Iterator<Item = &str> {
    let listed = help.lines().skip_while(|line| line.trim() != "Commands:").skip(1);
    listed.take_while(|line| line.starts_with("  ")).filter_map(|line| line.split_whitespace().next())
}

fn is_enforced(sandbox: Sandbox, features: &BTreeSet<String>, help: &str) -> bool {
    let by_flag = features.contains("--sandbox") && takes_value(help, "--sandbox", sandbox.as_str());
    by_flag || (sandbox == Sandbox::WorkspaceWrite && features.contains("--full-auto"))
}

/// Whether `flag` takes `value`: its description lists it, or lists no values at all.
fn takes_value(help: &str, flag: &str, value: &str) -> bool {
    let mut lines = help.lines().skip_while(|line| !options_in_help(line).contains(flag));
    let first = lines.next().unwrap_or_default();
    let rest = lines.take_while(|line| options_in_help(line).is_empty());
    let text: Vec<_> = std::iter::once(first).chain(rest).flat_map(str::split_whitespace).collect();
    let text = text.join(" ");
    match text.split_once("[possible values:") {
        Some((_, values)) => values.split([',', ']']).any(|listed| listed.trim() == value),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn token_counts_cover_the_thread_from_0_79_on() {
        for (version, scope) in [
            ("0.47.0", UsageScope::Run),
            ("0.77.0", UsageScope::Run),
            ("0.79.0", UsageScope::Session),
            ("0.171.0", UsageScope::Session),
            ("1.0.0", UsageScope::Session),
            ("0.0.0", UsageScope::Session),
        ] {
            assert_eq!(usage_scope(version), scope, "{version}");
        }
    }

    use super::*;
    use crate::recordings::{Recording, VERSIONS};

    fn answer(args: &[&str], exit: i32, stdout: &str) -> ProbeAnswer {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        ProbeAnswer { args, exit: Exit::Code(exit), stdout: stdout.into(), stderr: String::new() }
    }

    fn understood(version: &str, help: &str) -> Result<Installed, ProbeProblem> {
        understand(&[answer(&["--version"], 0, version), answer(&["exec", "--help"], 0, help)])
    }

    const HELP: &str =
        "Options:\n  -s, --sandbox <MODE>\n          As -a with\n          --full-auto\n      --json\n  -h, --help\n";

    #[test]
    fn every_recorded_version_is_understood() {
        for version in VERSIONS {
            let installed = understand(&Recording::of(version).answers()).expect("a recorded version works");
            assert_eq!(installed.version, version);
            assert_eq!(installed.sandboxes, Sandbox::ALL);
            for flag in ["--json", "--sandbox", "-s", "--model", "--skip-git-repo-check", "--color"] {
                assert!(installed.features.contains(flag), "{version}: {flag}");
            }
            assert!(!installed.features.contains("-a"), "{version}: `-a` is only mentioned");
            assert!(installed.features.contains("resume"), "{version}");
        }
    }

    #[test]
    fn full_auto_is_found_up_to_0_125() {
        let has = |version| {
            let installed = understand(&Recording::of(version).answers()).expect("a recorded version works");
            installed.features.contains("--full-auto")
        };
        assert!(["0.44.0", "0.47.0", "0.80.0", "0.105.0", "0.125.0"].into_iter().all(has));
        assert!(!["0.142.0", "0.155.0", "0.169.0"].into_iter().any(has));
    }

    #[test]
    fn versions_with_a_suffix_are_compared_by_their_numbers() {
        let installed = understood("codex-cli 0.170.0-alpha.1\n", HELP).expect("newer than 0.44");
        assert_eq!(installed.version, "0.170.0-alpha.1");
        assert!(understood("codex-cli 1.0.0", HELP).is_ok());
        assert!(understood("codex-cli 0.0.0", HELP).is_ok(), "built from source");
        for old in ["0.43.9", "0.20.0", "0.1.2504172351"] {
            let problem = understood(&format!("codex-cli {old}"), HELP).expect_err("older than 0.44");
            assert_eq!(problem, ProbeProblem::TooOld { found: old.into(), oldest: "0.44".into() });
        }
    }

    #[test]
    fn the_version_is_found_after_a_banner_and_before_a_suffix() {
        for said in [
            "codex devshell: profile work loaded\ncodex-cli 0.171.0\n",
            "codex: node 22.1.0 is old\ncodex-cli 0.171.0\n",
            "codex\ncodex-cli 0.171.0\n",
            "codex-cli 0.171.0 (build 5f3e)\n",
            "codex-cli v0.171.0\n",
            "direnv: loading\n  codex 0.171.0, built with love\n",
            "codex version: 0.171.0\n",
            "\u{1f4e6} codex-cli (0.171.0)\n",
        ] {
            let installed = understood(said, HELP).unwrap_or_else(|problem| panic!("{said}: {problem}"));
            assert_eq!(installed.version, "0.171.0", "{said}");
        }
    }

    #[test]
    fn another_program_is_rejected() {
        for version in ["", "Python 3.12.1", "codex-cli", "codex-cli next", "codex devshell: loaded", "0.171.0 codex"] {
            assert!(matches!(understood(version, HELP), Err(ProbeProblem::NotUnderstood { .. })), "{version:?}");
        }
        let problem = understood("codex-cli 0.169.0", "Welcome!").expect_err("that is not Codex's help");
        assert_eq!(problem.to_string(), "`exec --help` answered with exit code 0: Welcome!");
        assert!(understand(&[]).is_err());
    }

    #[test]
    fn a_flag_mentioned_only_in_prose_does_not_count() {
        let features = understood("codex-cli 0.169.0", HELP).expect("a usable help").features;
        assert_eq!(features.into_iter().collect::<Vec<_>>(), ["--help", "--json", "--sandbox", "-h", "-s"]);
    }

    #[test]
    fn a_sandbox_missing_from_the_help_is_not_enforced() {
        let help = HELP.replace("As -a", "[possible values: read-only,\n          workspace-write] As -a");
        let installed = understood("codex-cli 0.169.0", &help).expect("a usable help");
        assert_eq!(installed.sandboxes, [Sandbox::ReadOnly, Sandbox::WorkspaceWrite]);
        let installed = understood("codex-cli 0.169.0", "  --full-auto\n  --help").expect("a usable help");
        assert_eq!(installed.sandboxes, [Sandbox::WorkspaceWrite]);
    }

    #[test]
    fn the_login_status_quotes_codex() {
        let recording = Recording::of("0.169.0");
        let Login::No { said, .. } = understand_login(&recording.login("login-status", 1)) else {
            panic!("not logged in")
        };
        assert_eq!(said, "Not logged in");
        let yes = understand_login(&recording.login("login-status-key", 0));
        assert!(matches!(yes, Login::Yes(said) if said.starts_with("API key configured")));
        assert_eq!(understand_login(&answer(&["login", "status"], 101, "panicked")), Login::Unknown);
    }

    #[test]
    fn a_key_or_a_provider_replaces_a_login() {
        let key: BTreeMap<_, _> = [("CODEX_API_KEY".into(), "k".into())].into();
        let none = BTreeMap::new();
        let args = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
        for (extra_args, environment, own_settings, works) in [
            (args(&[]), &none, "", false),
            (args(&[]), &key, "", true),
            (args(&["-c", "model_provider=\"local\""]), &none, "", true),
            (args(&["--config=model_provider=local"]), &none, "", true),
            (args(&[]), &none, "model = \"x\"\nmodel_provider = \"mine\"\n", true),
            (args(&[]), &none, "model_provider = \"openai\"\n[model_providers.mine]\n", false),
            (args(&[]), &none, "# model_provider = \"mine\"\n", false),
        ] {
            assert_eq!(works_without_login(&extra_args, environment, own_settings), works, "{own_settings}");
        }
        let missing = answer(&["login", "status"], 1, "Error finding codex home: CODEX_HOME points to \"/x\"");
        assert!(matches!(understand_login(&missing), Login::No { .. }));
    }
}
