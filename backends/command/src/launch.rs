//! Turns a request into the command line that the settings describe.

use connector_api::{AgentRequest, Launch, ProgramSettings, PromptDelivery, StopSignal, Unsupported};

use crate::settings::{CommandSettings, Prompt, SESSION, StopSignalSetting};

/// Maximum length of an argument on Linux, in bytes: 32 pages minus the NUL at its end (`MAX_ARG_STRLEN`).
const MAX_ARGUMENT_BYTES: usize = 131_071;

/// The command line for `request`.
pub(crate) fn launch(
    settings: &ProgramSettings,
    own: &CommandSettings,
    request: &AgentRequest,
) -> Result<Launch, Unsupported> {
    let agent = format!("`{}`", settings.program);
    if let Some(session) = &request.resume {
        let refuse = |why: &str| Unsupported::resume(session, &agent, why);
        if own.resume_args.is_empty() {
            return Err(refuse("this backend has no `resume_args` in its settings"));
        }
        if session.trim().is_empty() || session.starts_with('-') || session.contains(char::is_control) {
            return Err(refuse("it is not a valid session ID"));
        }
    }
    if !own.sandboxes.contains_key(&request.sandbox) {
        let setting = format!("sandboxes.{}", request.sandbox);
        return Err(Unsupported::sandbox_not_configured(request.sandbox, &agent, setting));
    }
    let model = request.model_to_pass(settings.model.as_deref())?;
    if model.is_some() && own.model_args.is_empty() {
        return Err(Unsupported::model_not_configured(&agent, "model_args"));
    }
    let workdir = request.directory_as_text()?;
    let mut args = own.args(request.sandbox, workdir, model);
    if let Some(session) = &request.resume {
        args.extend(own.resume_args.iter().map(|arg| arg.replace(SESSION, session)));
    }
    let prompt = match own.prompt {
        Prompt::Stdin => PromptDelivery::Stdin,
        Prompt::Argument => {
            check_argument(&request.prompt)?;
            args.extend(["--".to_owned(), request.prompt.clone()]);
            PromptDelivery::Argument
        }
    };
    let stop_signal = match own.stop_signal {
        StopSignalSetting::Interrupt => StopSignal::Interrupt,
        StopSignalSetting::Terminate => StopSignal::Terminate,
    };
    Ok(Launch { args, prompt, stop_signal })
}

fn check_argument(prompt: &str) -> Result<(), Unsupported> {
    let why = if prompt.contains('\0') {
        "it contains a NUL byte, which an argument cannot contain".to_owned()
    } else if prompt.len() > MAX_ARGUMENT_BYTES {
        format!(
            "it has {} bytes, but an argument can have at most {MAX_ARGUMENT_BYTES}; `prompt = \"stdin\"` has no limit",
            prompt.len()
        )
    } else {
        return Ok(());
    };
    Err(Unsupported::value("task", why))
}

#[cfg(test)]
mod tests {
    use connector_api::Sandbox;
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::read;

    fn launched(more: Value, prompt: &str, model: Option<&str>) -> Result<Launch, Unsupported> {
        let mut settings = json!({
            "program": "agent",
            "args": ["run", "--dir={workdir}"],
            "model_args": ["--model", "{model}"],
            "sandboxes": {"read-only": ["--no-write"], "danger-full-access": ["--mode", "{sandbox}"]},
        });
        for (key, value) in more.as_object().expect("a table of settings") {
            settings[key] = value.clone();
        }
        let (settings, own) = read(settings).expect("the settings of this test are valid");
        let request =
            AgentRequest { model: model.map(str::to_owned), ..AgentRequest::new(prompt, "/a {b}", Sandbox::ReadOnly) };
        launch(&settings, &own, &request)
    }

    fn args(more: Value, model: Option<&str>) -> Vec<String> {
        launched(more, "a task", model).expect("an ordinary request").args
    }

    #[test]
    fn argument_lists_are_appended_unless_placed() {
        assert_eq!(args(json!({}), None), ["run", "--dir=/a {b}", "--no-write"]);
        assert_eq!(args(json!({}), Some("m")), ["run", "--dir=/a {b}", "--no-write", "--model", "m"]);
        let placed = json!({"args": ["{model_args}", "{sandbox_args}", "run"]});
        assert_eq!(args(placed.clone(), Some("m")), ["--model", "m", "--no-write", "run"]);
        assert_eq!(args(placed, None), ["--no-write", "run"]);
    }

    #[test]
    fn the_model_of_the_call_wins_over_the_setting() {
        assert_eq!(args(json!({"model": "a"}), None)[4], "a");
        assert_eq!(args(json!({"model": "a"}), Some("b"))[4], "b");
    }

    #[test]
    fn a_model_is_refused_when_it_cannot_be_passed() {
        for model in ["", " ", "-x", "a\nb"] {
            assert!(matches!(launched(json!({}), "x", Some(model)), Err(Unsupported::Value { .. })), "{model:?}");
        }
        let refusal = launched(json!({"model_args": []}), "x", Some("m")).expect_err("the model cannot be passed");
        assert!(refusal.to_string().contains("model_args"));
    }

    #[test]
    fn a_prompt_argument_comes_last_and_alone() {
        let launch = launched(json!({"prompt": "argument"}), "--help", Some("m")).expect("an ordinary request");
        assert_eq!(launch.args, ["run", "--dir=/a {b}", "--no-write", "--model", "m", "--", "--help"]);
        assert_eq!(launch.prompt, PromptDelivery::Argument);
        for bad in ["a\0b", &"x".repeat(MAX_ARGUMENT_BYTES + 1)] {
            assert!(launched(json!({"prompt": "argument"}), bad, None).is_err());
            assert!(launched(json!({}), bad, None).is_ok(), "stdin accepts anything");
        }
    }

    #[test]
    fn the_stop_signal_and_the_environment_are_passed_on() {
        let settings = json!({"stop_signal": "terminate", "env": {"set": {"A": "b"}}});
        let launch = launched(settings, "x", None).expect("an ordinary request");
        assert_eq!(launch.stop_signal, StopSignal::Terminate);
    }
}
