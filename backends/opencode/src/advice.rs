//! What a user can do about a failure, and whether another agent might do better.

use connector_api::{Cause, Complaint};

/// A failure in OpenCode's words, with what can be done. `status` is that of the provider's answer, where there was one.
pub(crate) fn complaint(said: &str, status: Option<u64>) -> Complaint {
    let words = said.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|word| words.contains(word));
    let (advice, cause) = if has(&["no providers are available", "providernoproviderserror"]) {
        (Some(LOG_IN), Some(Cause::NotLoggedIn))
    } else if matches!(status, Some(402 | 429))
        || has(&["quota", "usage limit", "rate limit", "too many requests", "insufficient credit", "credit balance"])
    {
        (Some("wait until the limit is reset, or name a `model` of another provider"), Some(Cause::OutOfQuota))
    } else if status == Some(401)
        || has(&["api key", "apikey", "unauthorized", "authentication", "not logged in", "providerautherror"])
    {
        (Some(LOG_IN), Some(Cause::NotLoggedIn))
    } else if has(&["model not found", "providermodelnotfounderror"]) {
        (
            Some(
                "name a `model` as PROVIDER/MODEL that `opencode models` lists, or leave it out; a provider is listed when it has a key",
            ),
            None,
        )
    } else if has(&["session not found"]) {
        (Some("start a new task, with all it has to know in `task`"), None)
    } else if has(&["is not valid json", "configuration is invalid", "config file at"]) {
        (Some("mend that file"), None)
    } else if has(&["auto-rejecting", "rejected permission"]) {
        (Some("allow it under `permission` in opencode.json"), None)
    } else if has(&["check server logs"]) {
        (Some("look into the newest file of ~/.local/share/opencode/log"), None)
    } else {
        (None, None)
    };
    Complaint { said: said.to_owned(), advice: advice.map(str::to_owned), cause }
}

const LOG_IN: &str = "run `opencode auth login`, or set the provider's key where the MCP server starts";
