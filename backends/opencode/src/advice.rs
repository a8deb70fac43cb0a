//! The meaning of OpenCode's failure messages, and advice for its users.

use connector_api::{
    AgentEvent, AgentFailure, Cause, FailureRow, FailureTable,
    Pattern::{Status, Words},
    advice,
};

/// The failures of OpenCode (1.18.33) and of the providers whose errors it reports.
static FAILURES: FailureTable = FailureTable::new(&[
    FailureRow::DISK_FULL,
    FailureRow::DISK_QUOTA,
    FailureRow {
        patterns: &[Words("model not found"), Words("providermodelnotfounderror")],
        examples: &["ProviderModelNotFoundError: Model not found: mock/nope.", "Model not found: mock/nope."],
        advice: "omit `model`, or name one that `opencode models` lists; it lists only providers that have a key",
        cause: None,
    },
    FailureRow {
        patterns: &[
            Words("exceeded your current quota"),
            Words("quota exceeded"),
            Words("insufficient_quota"),
            Words("hit your usage limit"),
            Words("usage limit reached"),
            Words("insufficient credit"),
            Words("insufficient credits"),
            Words("credit balance .. too low"),
            Status(402),
        ],
        examples: &[
            "You exceeded your current quota, please check your plan and billing details.",
            "Quota exceeded",
            "Error code: insufficient_quota",
            "You've hit your usage limit.",
            "Usage limit reached for this month",
            "Insufficient credit",
            "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
            "Your credit balance is too low to access the Anthropic API.",
            "402 Payment Required",
        ],
        advice: "wait until the limit is reset, or name a `model` of another provider",
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[Status(529), Words("overloaded_error"), Words("model is overloaded")],
        examples: &[
            "529 Overloaded",
            "{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}",
            "The model is overloaded. Please try again later.",
        ],
        advice: advice::WAIT_FOR_CAPACITY,
        cause: Some(Cause::Capacity),
    },
    FailureRow {
        patterns: &[
            Status(429),
            Words("rate limit exceeded"),
            Words("rate limit reached"),
            Words("rate_limit_error"),
            Words("too many requests"),
        ],
        examples: &[
            "unexpected status 429",
            "Rate limit exceeded: free-models-per-day",
            "Rate limit reached for gpt-5.5 in organization org-x",
            "{\"type\":\"rate_limit_error\"}",
            "Too Many Requests",
        ],
        advice: "wait a while and try again, or name a `model` of another provider",
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[
            Words("no providers are available"),
            Words("providernoproviderserror"),
            Words("providerautherror"),
            Words("incorrect api key"),
            Words("invalid api key"),
            Words("api key not valid"),
            Words("api key is missing"),
            Words("invalid x-api-key"),
            Words("not logged in"),
            Words("authentication_error"),
            Status(401),
        ],
        examples: &[
            "ProviderNoProvidersError: No providers are available",
            "ProviderAuthError: no key for this provider",
            "Incorrect API key provided",
            "Invalid API key",
            "API key not valid. Please pass a valid API key.",
            "OpenAI API key is missing. Pass it using the 'apiKey' parameter or the OPENAI_API_KEY environment variable.",
            "{\"type\":\"authentication_error\",\"message\":\"invalid x-api-key\"}",
            "You are not logged in",
            "401 Unauthorized",
        ],
        advice: "run `opencode auth login`, or set the provider's key where the MCP server starts",
        cause: Some(Cause::NotLoggedIn),
    },
    FailureRow {
        patterns: &[Words("cannot connect to api")],
        examples: &[
            "AI_APICallError: Cannot connect to API: Unable to connect. Is the computer able to access the url? \
             (cause: Error: Unable to connect. Is the computer able to access the url?)",
        ],
        advice: advice::CHECK_NETWORK,
        cause: Some(Cause::Network),
    },
    FailureRow {
        patterns: &[Words("session not found")],
        examples: &["Error: Session not found"],
        advice: advice::START_NEW_TASK,
        cause: None,
    },
    FailureRow {
        patterns: &[Words("is not valid json"), Words("configuration is invalid"), Words("config file at")],
        examples: &[
            "Config file at /home/user/opencode.json is not valid JSON(C)",
            "opencode.json is not valid JSON",
            "Configuration is invalid at /home/user/opencode.json",
        ],
        advice: "fix that file",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("auto-rejecting"), Words("rejected permission")],
        examples: &[
            "! permission requested: bash (touch x); auto-rejecting",
            "The user rejected permission to use this specific tool call.",
        ],
        advice: "allow it under `permission` in opencode.json",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("provider's content filter")],
        examples: &["the provider's content filter cut off the model's answer"],
        advice: "rephrase `task`: the same task would be stopped again",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("maximum number of output tokens")],
        examples: &["the model's answer was cut off at the maximum number of output tokens"],
        advice: advice::SPLIT_TASK,
        cause: None,
    },
    FailureRow {
        patterns: &[Words("check server logs")],
        examples: &["Unexpected error, check server logs for details"],
        advice: "see the newest file in ~/.local/share/opencode/log",
        cause: None,
    },
]);

/// The event for a request that is repeated.
pub(crate) fn transient_error(said: &str) -> AgentEvent {
    FAILURES.transient_error(said)
}

/// A failure in OpenCode's own words, with advice and cause. `status` is the HTTP status of the provider's answer, if
/// there was one; it matters only if no row matches the words.
pub(crate) fn failure(said: &str, status: Option<u64>) -> AgentFailure {
    let by_status = || FAILURES.find_status(status?);
    FAILURES.find(said).or_else(by_status).map_or_else(|| AgentFailure::new(said), |row| row.failure(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_flaws() {
        assert_eq!(FAILURES.flaws(), Vec::<String>::new());
    }
}
