//! Turns a request into the command line of `codex exec`.

use connector_api::{
    AgentRequest, Installed, Launch, ProgramSettings, PromptDelivery, Sandbox, StopSignal, Unsupported,
};

use crate::{settings::ProjectSettings, trust};

/// Maximum length of a prompt, in characters (0.169.0: "Input exceeds the maximum length").
const MAX_PROMPT_CHARS: usize = 1_048_576;

/// The command line for `request`, with flags that `installed` lists.
///
/// `extra_args` come before our own flags. If one of them lacks its value, or takes any number of values, it thus
/// cannot swallow the `-` that means "the prompt is on stdin".
pub(crate) fn launch(
    settings: &ProgramSettings,
    project_settings: ProjectSettings,
    request: &AgentRequest,
    installed: &Installed,
) -> Result<Launch, Unsupported> {
    check_prompt(&request.prompt)?;
    let has = |flag: &str| installed.features.contains(flag);
    let found = format!("Codex {}", installed.version);
    installed.check_flag(&found, "--json", "to follow what Codex does")?;
    let mut args = vec!["exec".to_owned(), "--json".to_owned()];
    args.extend(settings.extra_args.iter().cloned());
    let untrusted = trust::args(project_settings, request, installed)?;
    args.extend(sandbox_args(request.sandbox, installed)?);
    args.extend(untrusted);
    if let Some(model) = request.model_to_pass(settings.model.as_deref())? {
        installed.check_flag(&found, "--model", "to choose a model")?;
        args.extend(["--model".to_owned(), model.to_owned()]);
    }
    if !settings.require_git && has("--skip-git-repo-check") {
        args.push("--skip-git-repo-check".to_owned());
    }
    // For any other word, Codex silently begins a new session. 0.80.0 does so even for an unknown ID, which the session
    // detects.
    if let Some(session) = request.uuid_to_resume(&found)? {
        if !has("resume") {
            return Err(Unsupported::resume(session, &found, "its help does not list `exec resume`"));
        }
        // All options come first, because no version accepts all of them after `resume`.
        args.extend(["resume".to_owned(), session.to_owned()]);
    }
    args.push("-".to_owned());
    Ok(Launch { args, prompt: PromptDelivery::Stdin, stop_signal: StopSignal::Interrupt })
}

/// The same launch, but `workspace-write` does not include `/tmp` and `TMPDIR` (checked with 0.47.0, 0.125.0 and
/// 0.171.0).
pub(crate) fn without_temporary(launch: Launch) -> Launch {
    let keys = ["exclude_slash_tmp", "exclude_tmpdir_env_var"];
    let added = keys.iter().flat_map(|key| ["-c".to_owned(), format!("sandbox_workspace_write.{key}=true")]);
    let at = launch.args.iter().position(|arg| arg == "exec").map_or(0, |exec| exec + 1);
    let mut args = launch.args;
    args.splice(at..at, added);
    Launch { args, ..launch }
}

/// The flags for a sandbox.
///
/// For `workspace-write`, `--full-auto` is also passed if the help lists it, because in old versions only it also
/// turned off questions to the user. It is never passed with another sandbox, because it would override a stricter one.
/// 0.44.0 to 0.125.0 list and accept it together with `--sandbox`; 0.142.0 accepts it with a warning but does not list
/// it; 0.147.0 rejects it.
fn sandbox_args(sandbox: Sandbox, installed: &Installed) -> Result<Vec<String>, Unsupported> {
    let has = |flag: &str| installed.features.contains(flag);
    if !installed.sandboxes.contains(&sandbox) {
        return Err(Unsupported::Sandbox {
            sandbox,
            found: format!("Codex {}", installed.version),
            why: format!("its help does not list `--sandbox {sandbox}`"),
        });
    }
    let mut args = vec![];
    if sandbox == Sandbox::WorkspaceWrite && has("--full-auto") {
        args.push("--full-auto".to_owned());
    }
    if has("--sandbox") {
        args.extend(["--sandbox".to_owned(), sandbox.to_string()]);
    }
    Ok(args)
}

fn check_prompt(prompt: &str) -> Result<(), Unsupported> {
    // Since 0.125.0, Codex drops a byte order mark at the beginning, and then says "No prompt provided via stdin."
    if prompt.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(Unsupported::value("task", "it is blank, which Codex does not accept"));
    }
    let length = prompt.chars().count();
    if length > MAX_PROMPT_CHARS {
        return Err(Unsupported::PromptTooLong { agent: "Codex".into(), length, limit: MAX_PROMPT_CHARS });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        probe::understand,
        recordings::{Recording, VERSIONS},
        settings::{CodexSettings, read},
    };

    fn installed(version: &str) -> Installed {
        understand(&Recording::of(version).answers()).expect("a recorded version works")
    }

    fn request(prompt: &str, sandbox: Sandbox, model: Option<&str>) -> AgentRequest {
        AgentRequest { model: model.map(str::to_owned), ..AgentRequest::new(prompt, "/project", sandbox) }
    }

    fn settings() -> ProgramSettings {
        read(json!({})).expect("no setting is required").0
    }

    /// The arguments that make Codex ignore the settings of `/project`. `trust.rs` tests them.
    const UNTRUSTED: &str = r#" -c projects={"/project"={trust_level="untrusted"},"/"={trust_level="untrusted"}}"#;

    fn args(version: &str, settings: Value, sandbox: Sandbox, model: Option<&str>) -> String {
        let read = read(settings).expect("the settings of this test are valid");
        let (settings, CodexSettings { project_settings }) = read;
        let launch = launch(&settings, project_settings, &request("a task", sandbox, model), &installed(version));
        let args = launch.expect("an ordinary request").args.join(" ");
        let is_sandboxed = sandbox != Sandbox::DangerFullAccess;
        let ignores_project = project_settings == ProjectSettings::Ignore;
        assert_eq!(args.contains(UNTRUSTED), is_sandboxed && ignores_project, "{args}");
        args.replace(UNTRUSTED, "")
    }

    #[test]
    fn each_sandbox_uses_the_flags_of_the_installed_version() {
        for version in VERSIONS {
            // This version reads the settings of any project, even an untrusted one.
            let settings = if version == "0.80.0" { json!({"project_settings": "trust"}) } else { json!({}) };
            let of = |sandbox| args(version, settings.clone(), sandbox, None);
            let old = ["0.44.0", "0.47.0", "0.80.0", "0.105.0", "0.125.0"].contains(&version);
            assert_eq!(of(Sandbox::ReadOnly), "exec --json --sandbox read-only -", "{version}");
            assert_eq!(of(Sandbox::DangerFullAccess), "exec --json --sandbox danger-full-access -", "{version}");
            let workspace = if old { "--full-auto --sandbox workspace-write" } else { "--sandbox workspace-write" };
            assert_eq!(of(Sandbox::WorkspaceWrite), format!("exec --json {workspace} -"), "{version}");
        }
    }

    #[test]
    fn the_model_of_the_call_wins_and_none_is_invented() {
        let of = |settings, model| args("0.169.0", settings, Sandbox::ReadOnly, model);
        assert_eq!(of(json!({}), None), "exec --json --sandbox read-only -");
        assert_eq!(of(json!({"model": "a"}), None), "exec --json --sandbox read-only --model a -");
        assert_eq!(of(json!({"model": "a"}), Some("b")), "exec --json --sandbox read-only --model b -");
    }

    #[test]
    fn extra_arguments_and_the_git_check_are_passed() {
        let settings = json!({"extra_args": ["--profile", "work"], "require_git": false});
        let line = args("0.47.0", settings, Sandbox::ReadOnly, None);
        assert_eq!(line, "exec --json --profile work --sandbox read-only --skip-git-repo-check -");
    }

    #[test]
    fn a_resumed_session_is_named_after_all_options() {
        let session = "0199a213-81c0-7800-8aa1-bbab2a035a53";
        let ask = |version: &str, session: &str| {
            let project_settings = if version == "0.80.0" { ProjectSettings::Trust } else { ProjectSettings::Ignore };
            let request =
                AgentRequest { resume: Some(session.into()), ..request("x", Sandbox::WorkspaceWrite, Some("m")) };
            launch(&settings(), project_settings, &request, &installed(version)).map(|launch| launch.args.join(" "))
        };
        let line = ask("0.169.0", session).expect("the session can be resumed");
        assert_eq!(line, format!("exec --json --sandbox workspace-write{UNTRUSTED} --model m resume {session} -"));
        for version in VERSIONS {
            assert!(ask(version, session).is_ok(), "{version}");
            for other in ["", "last", "--last", "my session", "0199a213-81c0-7800-8aa1"] {
                assert!(matches!(ask(version, other), Err(Unsupported::Resume { .. })), "{version}: {other:?}");
            }
        }
    }

    #[test]
    fn prompts_that_codex_would_reject_are_refused() {
        let refuse = |prompt: &str, model: Option<&str>| {
            launch(
                &settings(),
                ProjectSettings::Ignore,
                &request(prompt, Sandbox::ReadOnly, model),
                &installed("0.169.0"),
            )
        };
        for blank in ["", " \n", "\u{feff}", "\u{feff} "] {
            assert!(matches!(refuse(blank, None), Err(Unsupported::Value { parameter: "task", .. })), "{blank:?}");
        }
        for model in ["", " ", "-m", "--model"] {
            assert!(matches!(refuse("x", Some(model)), Err(Unsupported::Value { parameter: "model", .. })), "{model}");
        }
        assert!(refuse(&"ä".repeat(MAX_PROMPT_CHARS), None).is_ok(), "characters are counted, not bytes");
        assert!(matches!(refuse(&"a".repeat(MAX_PROMPT_CHARS + 1), None), Err(Unsupported::PromptTooLong { .. })));
    }

    #[test]
    fn a_flag_missing_from_the_help_is_never_passed() {
        let without = |flags: &[&str]| {
            let mut installed = installed("0.169.0");
            flags.iter().for_each(|flag| assert!(installed.features.remove(*flag), "{flag} was listed"));
            installed
        };
        let ask = |installed: &Installed, model| {
            let settings = ProgramSettings { require_git: false, ..settings() };
            launch(&settings, ProjectSettings::Ignore, &request("x", Sandbox::ReadOnly, model), installed)
        };
        assert!(matches!(ask(&without(&["--json"]), None), Err(Unsupported::MissingFlag { .. })));
        assert!(matches!(ask(&without(&["--model"]), Some("m")), Err(Unsupported::MissingFlag { .. })));
        let launch = ask(&without(&["--skip-git-repo-check"]), None).expect("the flag is optional");
        assert_eq!(launch.args.join(" "), format!("exec --json --sandbox read-only{UNTRUSTED} -"));
    }

    #[test]
    fn the_temporary_directories_can_be_closed() {
        let request = request("x", Sandbox::WorkspaceWrite, None);
        let open =
            launch(&settings(), ProjectSettings::Ignore, &request, &installed("0.169.0")).expect("an ordinary request");
        let rest = open.args[1..].join(" ");
        let closed = without_temporary(open).args.join(" ");
        let keys =
            "-c sandbox_workspace_write.exclude_slash_tmp=true -c sandbox_workspace_write.exclude_tmpdir_env_var=true";
        assert_eq!(closed, format!("exec {keys} {rest}"));
    }

    #[test]
    fn without_the_sandbox_flag_only_full_auto_remains() {
        let help = "  --full-auto\n  --json\n  --help\n".to_owned();
        let mut answers = Recording::of("0.47.0").answers();
        answers[1].stdout = help;
        let installed = understand(&answers).expect("a usable help");
        let ask = |sandbox| launch(&settings(), ProjectSettings::Ignore, &request("x", sandbox, None), &installed);
        let launch = ask(Sandbox::WorkspaceWrite).expect("--full-auto enforces it");
        assert_eq!(launch.args.join(" "), format!("exec --json --full-auto{UNTRUSTED} -"));
        assert!(matches!(ask(Sandbox::ReadOnly), Err(Unsupported::Sandbox { .. })));
        assert!(matches!(ask(Sandbox::DangerFullAccess), Err(Unsupported::Sandbox { .. })));
    }
}
