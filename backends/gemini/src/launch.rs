//! Turns a request into the command line of `gemini`.

use connector_api::{
    AgentRequest, Installed, Launch, ProgramSettings, PromptDelivery, Sandbox, StopSignal, Unsupported, slash_command,
};

/// Maximum number of bytes that Gemini CLI reads from stdin. It ignores the rest with a warning (0.61.0).
const MAX_PROMPT_BYTES: usize = 8 << 20;

/// The command line for `request`, with options that `installed` lists.
pub(crate) fn launch(
    settings: &ProgramSettings,
    request: &AgentRequest,
    installed: &Installed,
) -> Result<Launch, Unsupported> {
    let found = format!("Gemini CLI {}", installed.version);
    check_prompt(request)?;
    if !installed.sandboxes.contains(&request.sandbox) {
        let why = match request.sandbox {
            Sandbox::ReadOnly | Sandbox::WorkspaceWrite => {
                "its model can leave every stricter mode with `exit_plan_mode`, without asking anyone; ask for \
                 danger-full-access, or use another agent"
            }
            Sandbox::DangerFullAccess => "its help does not list `--approval-mode` with `yolo`",
        };
        return Err(Unsupported::Sandbox { sandbox: request.sandbox, found, why: why.into() });
    }
    let has = |flag: &str| installed.features.contains(flag);
    let mut args = vec!["--output-format=stream-json".to_owned()];
    args.extend(settings.extra_args.iter().cloned());
    args.push("--approval-mode=yolo".to_owned());
    // Without it, the run fails in a directory that the user has not trusted (exit code 55). Versions that do not list
    // it do not check.
    if has("--skip-trust") {
        args.push("--skip-trust".to_owned());
    }
    if let Some(model) = request.model_to_pass(settings.model.as_deref())? {
        installed.check_flag(&found, "--model", "to choose a model")?;
        args.push(format!("--model={model}"));
    }
    // It also accepts `latest` and numbers, which mean different sessions at different times.
    if let Some(session) = request.uuid_to_resume(&found)? {
        if !has("--resume") {
            return Err(Unsupported::resume(session, &found, "its help does not list `--resume`"));
        }
        args.push(format!("--resume={session}"));
    }
    // SIGINT stops it just as fast. Neither signal stops its commands; the supervisor does (0.61.0).
    Ok(Launch { args, prompt: PromptDelivery::Stdin, stop_signal: StopSignal::Terminate })
}

/// Refuses a prompt that would not reach the model unchanged.
fn check_prompt(request: &AgentRequest) -> Result<(), Unsupported> {
    request.check_not_blank("Gemini CLI")?;
    if request.prompt.len() > MAX_PROMPT_BYTES {
        return Err(Unsupported::value("task", "it is longer than 8 MiB, and Gemini CLI would ignore the rest"));
    }
    // `/fix it` runs a command that Gemini CLI, the user or the project defines.
    if slash_command(&request.prompt).is_some() {
        let why = "it begins with `/` and a word, which Gemini CLI reads as a command; begin with another word";
        return Err(Unsupported::value("task", why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{contract::answers, probe::understand, settings};

    fn launched(change: impl FnOnce(&mut AgentRequest, &mut Installed)) -> Result<Launch, Unsupported> {
        let settings = settings::read(json!({"extra_args": ["--extensions=none"]})).expect("valid settings");
        let mut installed = understand(&answers()).expect("real answers");
        let mut request = AgentRequest::new("a task", "/", Sandbox::DangerFullAccess);
        request.model = Some("gemini-2.5-pro".into());
        request.resume = Some("0199a213-81c0-4800-8aa1-bbab2a035a53".into());
        change(&mut request, &mut installed);
        launch(&settings, &request, &installed)
    }

    #[test]
    fn the_whole_request_appears_in_the_command_line() {
        let launch = launched(|_, _| ()).expect("an ordinary request");
        let wanted = [
            "--output-format=stream-json",
            "--extensions=none",
            "--approval-mode=yolo",
            "--skip-trust",
            "--model=gemini-2.5-pro",
            "--resume=0199a213-81c0-4800-8aa1-bbab2a035a53",
        ];
        assert_eq!((launch.args, launch.prompt), (wanted.map(str::to_owned).to_vec(), PromptDelivery::Stdin));
    }

    #[test]
    fn options_missing_from_the_help_are_not_passed() {
        let without = |flag: &str| launched(|_, installed| assert!(installed.features.remove(flag)));
        assert!(without("--skip-trust").is_ok_and(|launch| !launch.args.contains(&"--skip-trust".to_owned())));
        assert!(matches!(without("--model"), Err(Unsupported::MissingFlag { .. })));
        assert!(matches!(without("--resume"), Err(Unsupported::Resume { .. })));
    }

    #[test]
    fn the_stricter_sandboxes_are_refused_with_the_reason() {
        for sandbox in [Sandbox::ReadOnly, Sandbox::WorkspaceWrite] {
            let refusal = launched(|request, _| request.sandbox = sandbox).expect_err("it is not enforced");
            assert!(refusal.to_string().contains("exit_plan_mode"), "{refusal}");
        }
    }

    #[test]
    fn a_session_is_named_by_its_id_not_its_position() {
        for session in ["latest", "1", "--help", ""] {
            assert!(launched(|request, _| request.resume = Some(session.into())).is_err(), "{session:?}");
        }
    }

    #[test]
    fn a_task_that_would_be_altered_before_the_model_is_refused() {
        let taken = |prompt: &str| launched(|request, _| request.prompt = prompt.into()).is_ok();
        for prompt in [" \n", "/fix it", "/help", "/git:commit", "/\n", &"x".repeat(MAX_PROMPT_BYTES + 1)] {
            assert!(!taken(prompt), "{:?}", &prompt[..prompt.len().min(20)]);
        }
        for prompt in ["/etc/hosts is broken", "// TODO", "/* why? */", " /fix it", "fix /help"] {
            assert!(taken(prompt), "{prompt:?}");
        }
    }
}
