//! Turns a request into the command line of `opencode run`.

use connector_api::{
    AgentRequest, Installed, Launch, ProgramSettings, PromptDelivery, Sandbox, StopSignal, Unsupported,
};

/// The command line for `request`, with options that `installed` lists. The prompt goes to stdin, because OpenCode
/// changes the quotes and backslashes in a prompt argument.
pub(crate) fn launch(
    settings: &ProgramSettings,
    request: &AgentRequest,
    installed: &Installed,
) -> Result<Launch, Unsupported> {
    let found = format!("OpenCode {}", installed.version);
    let has = |flag: &str| installed.features.contains(flag);
    request.check_not_blank("OpenCode")?;
    allow_everything(request.sandbox, installed, &found)?;
    // Without `--dir`, it works in the directory that `PWD` names, which is where the server was started.
    installed.check_flag(&found, "--dir", "to work in the task's directory")?;
    let directory = request.directory_as_text()?;
    let mut args =
        vec!["run".to_owned(), "--format=json".to_owned(), format!("--dir={directory}"), "--auto".to_owned()];
    if has("--thinking") {
        args.push("--thinking".to_owned());
    }
    args.extend(settings.extra_args.iter().cloned());
    if let Some(model) = request.model_to_pass(settings.model.as_deref())? {
        installed.check_flag(&found, "--model", "to choose a model")?;
        args.push(format!("--model={model}"));
    }
    let has_log = has("--print-logs") && has("--log-level");
    if let Some(session) = &request.resume {
        let refuse = |why: &str| Unsupported::resume(session, &found, why);
        if !is_session_id(session) {
            return Err(refuse("its session IDs look like ses_de81cff72ffeKXHeoDRRAPCfk9"));
        }
        if !has("--session") || !has_log {
            return Err(refuse(
                "its help does not list `--session`, or the options for the log that shows a session's directory",
            ));
        }
        args.push(format!("--session={session}"));
    }
    if has_log {
        // Only its log shows why a request failed, and which directory a session belongs to.
        let level = if request.resume.is_some() { "INFO" } else { "ERROR" };
        args.extend(["--print-logs".to_owned(), format!("--log-level={level}")]);
    }
    Ok(Launch { args, prompt: PromptDelivery::Stdin, stop_signal: StopSignal::Interrupt })
}

/// Fails unless the sandbox is `danger-full-access` and OpenCode has the option for it.
fn allow_everything(sandbox: Sandbox, installed: &Installed, found: &str) -> Result<(), Unsupported> {
    let why = match sandbox {
        Sandbox::ReadOnly | Sandbox::WorkspaceWrite => {
            "its permissions are not a sandbox, because a project's own opencode.json can override them, and its agent \
             `plan` runs shell commands; ask for `danger-full-access`, or use an agent with a sandbox"
        }
        Sandbox::DangerFullAccess if !installed.sandboxes.contains(&sandbox) => {
            "its help does not list `--auto`, without which it denies everything that needs the user's permission"
        }
        Sandbox::DangerFullAccess => return Ok(()),
    };
    Err(Unsupported::Sandbox { sandbox, found: found.to_owned(), why: why.to_owned() })
}

/// Whether this is a single word and not an option. OpenCode itself reports unknown sessions.
fn is_session_id(session: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    session.starts_with(|first: char| first.is_ascii_alphanumeric()) && session.chars().all(is_letter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings;

    const ID: &str = "ses_de81cff72ffeKXHeoDRRAPCfk9";

    fn request(resume: Option<&str>, sandbox: Sandbox) -> AgentRequest {
        AgentRequest {
            model: Some("openrouter/openai/gpt-5".into()),
            resume: resume.map(str::to_owned),
            ..AgentRequest::new("a task", "/home/user/my project", sandbox)
        }
    }

    fn installed(without: &str) -> Installed {
        let flags =
            ["--format", "--dir", "--auto", "--thinking", "--model", "--session", "--print-logs", "--log-level"];
        let features = flags.into_iter().filter(|flag| *flag != without).map(str::to_owned).collect();
        Installed { version: "1.18.33".into(), sandboxes: vec![Sandbox::DangerFullAccess], features }
    }

    fn launched(request: &AgentRequest, without: &str) -> Result<Vec<String>, Unsupported> {
        let settings = settings::read(json!({"model": "a/b"})).expect("valid settings");
        launch(&settings, request, &installed(without)).map(|launch| launch.args)
    }

    #[test]
    fn the_whole_request_appears_in_the_command_line() {
        let args = launched(&request(Some(ID), Sandbox::DangerFullAccess), "").expect("an ordinary request");
        let expected = [
            "run",
            "--format=json",
            "--dir=/home/user/my project",
            "--auto",
            "--thinking",
            "--model=openrouter/openai/gpt-5",
            "--session=ses_de81cff72ffeKXHeoDRRAPCfk9",
            "--print-logs",
            "--log-level=INFO",
        ];
        assert_eq!(args, expected);
    }

    #[test]
    fn options_missing_from_the_help_are_not_passed() {
        let fresh = request(None, Sandbox::DangerFullAccess);
        for flag in ["--thinking", "--print-logs"] {
            let args = launched(&fresh, flag).expect("it can do without");
            assert!(!args.iter().any(|arg| arg.starts_with(flag)), "{flag}");
        }
        for flag in ["--dir", "--model"] {
            let refused = launched(&fresh, flag);
            assert!(matches!(refused, Err(Unsupported::MissingFlag { flag: missing, .. }) if missing == flag));
        }
        for flag in ["--session", "--print-logs", "--log-level"] {
            let refused = launched(&request(Some(ID), Sandbox::DangerFullAccess), flag);
            assert!(matches!(refused, Err(Unsupported::Resume { .. })), "{flag}");
        }
    }

    #[test]
    fn an_unenforceable_sandbox_is_refused_with_the_reason() {
        for sandbox in [Sandbox::ReadOnly, Sandbox::WorkspaceWrite] {
            let refused = launched(&request(None, sandbox), "").expect_err("nothing enforces it");
            assert!(refused.to_string().contains("opencode.json"), "{refused}");
        }
    }

    #[test]
    fn a_session_that_could_be_read_as_something_else_is_refused() {
        for session in ["-s", "", "ses_1 --auto", "../x", "ses_1\n"] {
            let refused = launched(&request(Some(session), Sandbox::DangerFullAccess), "");
            assert!(matches!(refused, Err(Unsupported::Resume { .. })), "{session:?}");
        }
    }
}
