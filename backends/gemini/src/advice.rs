//! What a user can do about a failure, known by the words that Gemini CLI has for it (0.61.0).

use connector_api::{Cause, Complaint, Exit};

/// The exit code for "not logged in".
const NOT_LOGGED_IN: Exit = Exit::Code(41);

/// A complaint in the agent's own words, with what is known to help.
pub(crate) fn complaint(said: String, exit: Exit) -> Complaint {
    let words = said.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|word| words.contains(word));
    let (advice, cause) = if exit == NOT_LOGGED_IN
        || has(&["api_key_invalid", "api key not valid", "\"code\":401", "unauthenticated"])
    {
        (
            Some("run `gemini` in a terminal and sign in, or set GEMINI_API_KEY where the MCP server starts"),
            Some(Cause::NotLoggedIn),
        )
    } else if has(&["quota", "resource_exhausted", "\"code\":429", "rate limit"]) {
        (Some("wait until the limit is reset, or name another `model`"), Some(Cause::OutOfQuota))
    } else if has(&["error resuming session"]) {
        (
            Some(
                "a session is found only from the directory where it began; otherwise start a new task, with all it \
                 has to know in `task`",
            ),
            None,
        )
    } else if has(&["yolo mode is disabled"]) {
        (Some("allow it in Gemini CLI's settings (security.disableYoloMode), or name another agent"), None)
    } else if has(&["trusted directory"]) {
        (Some("run `gemini` in that directory once and trust it"), None)
    } else if has(&["model"]) && has(&["not found", "not_found", "not supported", "not available"]) {
        (Some("leave `model` out, or name one that your account has"), None)
    } else {
        (None, None)
    };
    Complaint { said, advice: advice.map(str::to_owned), cause }
}
