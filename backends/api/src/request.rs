//! The request for one run of an agent.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Sandbox, Unsupported, check_model};

/// A request for one run, already validated, in the same form for every backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentRequest {
    /// The task in the user's words, byte for byte.
    pub prompt: String,
    /// The directory in which the agent works, as an absolute path.
    pub working_directory: PathBuf,
    /// The limits on the agent's access.
    pub sandbox: Sandbox,
    /// The model that the call names. If there is none, the backend's own configuration decides.
    pub model: Option<String>,
    /// The agent's own ID of an earlier session to resume. If there is none, the agent begins a new session. A resumed
    /// session does not inherit its sandbox or its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
}

impl AgentRequest {
    /// A request for a new session, with the backend's configured model.
    pub fn new(prompt: impl Into<String>, working_directory: impl Into<PathBuf>, sandbox: Sandbox) -> Self {
        let (prompt, working_directory) = (prompt.into(), working_directory.into());
        Self { prompt, working_directory, sandbox, model: None, resume: None }
    }

    /// The model to pass: the one that the call names, or else `configured`, the backend's own.
    ///
    /// Fails if the agent could mistake it for something else: see [`check_model`].
    pub fn model_to_pass<'a>(&'a self, configured: Option<&'a str>) -> Result<Option<&'a str>, Unsupported> {
        let model = self.model.as_deref().or(configured);
        match model.map_or(Ok(()), check_model) {
            Err(why) => Err(Unsupported::Value { parameter: "model", why: format!("it {why}") }),
            Ok(()) => Ok(model),
        }
    }

    /// The session to resume, for an agent whose sessions have UUIDs and that could mistake other words for something
    /// else.
    ///
    /// Fails for any other ID. `agent` is the agent's name and version.
    pub fn uuid_to_resume(&self, agent: &str) -> Result<Option<&str>, Unsupported> {
        match self.resume.as_deref() {
            Some(session) if !is_uuid(session) => {
                let why = "its session IDs look like 0199a213-81c0-7800-8aa1-bbab2a035a53";
                Err(Unsupported::resume(session, agent, why))
            }
            session => Ok(session),
        }
    }

    /// The working directory as text, for an agent that receives it in an argument or in a message.
    ///
    /// Fails if it is not UTF-8.
    pub fn directory_as_text(&self) -> Result<&str, Unsupported> {
        let not_text = || Unsupported::value("workingDirectory", "it is not UTF-8");
        self.working_directory.to_str().ok_or_else(not_text)
    }

    /// Fails if the prompt is blank, which `agent` does not accept.
    pub fn check_not_blank(&self, agent: &str) -> Result<(), Unsupported> {
        if self.prompt.trim().is_empty() {
            return Err(Unsupported::value("task", format!("it is blank, which {agent} does not accept")));
        }
        Ok(())
    }
}

/// Whether `id` is a UUID in its usual form, such as `0199a213-81c0-7800-8aa1-bbab2a035a53`. Many agents use UUIDs as
/// session IDs. They may give another word a special meaning, such as `latest`, or begin a new session for it.
pub fn is_uuid(id: &str) -> bool {
    let lengths = id.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && id.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-')
}

/// The name of the slash command that `prompt` starts with, such as `review` in `/review the parser`. Many agents run
/// such a command (their own, the user's or the project's) instead of passing the prompt to the model. Paths such as
/// `/etc/hosts` and comments such as `// TODO` are not commands. Trim the prompt first if the agent ignores leading
/// white space.
pub fn slash_command(prompt: &str) -> Option<&str> {
    let rest = prompt.strip_prefix('/')?;
    let word = rest.split_whitespace().next().unwrap_or_default();
    (!rest.starts_with(['/', '*']) && !word.contains('/')).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_model_overrides_the_configured_one_and_neither_can_be_an_option() {
        let model = |asked: Option<&str>, configured| {
            let mut request = AgentRequest::new("", "/", Sandbox::ReadOnly);
            request.model = asked.map(str::to_owned);
            request
                .model_to_pass(configured)
                .map(|model| model.map(str::to_owned))
                .map_err(|refusal| refusal.to_string())
        };
        assert_eq!(model(Some("a"), Some("b")), Ok(Some("a".into())));
        assert_eq!(model(None, Some("b")), Ok(Some("b".into())));
        assert_eq!(model(None, None), Ok(None));
        for (asked, configured) in [(Some("-x"), Some("b")), (None, Some("--help")), (Some(" "), None)] {
            assert!(model(asked, configured).is_err_and(|said| said.contains("`model`")), "{asked:?} {configured:?}");
        }
    }

    #[test]
    fn a_uuid_is_recognized_by_its_format() {
        assert!(is_uuid("0199a213-81c0-7800-8aa1-bbab2a035a53") && is_uuid("0199A213-81C0-7800-8AA1-BBAB2A035A53"));
        for other in ["", "latest", "1", "0199a213-81c0-7800-8aa1-bbab2a035a5", "0199a213-81c0-7800-8aa1-bbab2a035a5g"]
        {
            assert!(!is_uuid(other), "{other}");
        }
    }

    #[test]
    fn a_slash_and_a_word_are_a_command_and_a_path_is_not() {
        for (prompt, word) in [("/fix it", "fix"), ("/help", "help"), ("/git:commit\nnow", "git:commit"), ("/\n", "")] {
            assert_eq!(slash_command(prompt), Some(word), "{prompt:?}");
        }
        for prompt in
            ["/etc/hosts is broken", "// TODO", "/* why? */", " /fix it", "fix /help", "!ls", "", "/home/me/x"]
        {
            assert_eq!(slash_command(prompt), None, "{prompt:?}");
        }
    }
}
