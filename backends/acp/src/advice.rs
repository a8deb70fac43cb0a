//! The meaning of ACP agents' failure messages.

use connector_api::{
    Cause, FailureRow, FailureTable,
    Pattern::{Status, Words},
    advice,
};

/// The agent is not logged in. The protocol has an error code for this, but not every agent uses it.
pub(crate) const LOGIN: FailureRow = FailureRow {
    patterns: &[
        Words("authentication required"),
        Words("authentication failed"),
        Words("authentication_error"),
        Words("not authenticated"),
        Words("failed to authenticate"),
        Words("not logged in"),
        Words("run login"),
        Words("token could not be refreshed"),
        Words("api key not valid"),
        Words("incorrect api key provided"),
        Words("invalid api key"),
        Status(401),
    ],
    examples: &[
        "Authentication required",
        "Authentication failed: no credentials",
        "API Error: 401 {\"type\":\"authentication_error\"}",
        "You are not authenticated",
        "Failed to authenticate: OAuth token revoked.",
        "Not logged in",
        "Invalid API key · Please run /login",
        "Your access token could not be refreshed. Please log out and sign in again.",
        "API key not valid. Please pass a valid API key.",
        "Incorrect API key provided: sk-x.",
    ],
    advice: "log in with the agent's own program, then try again; if `[agent_env] remove` removes its key, give this \
             backend its own `env.remove`",
    cause: Some(Cause::NotLoggedIn),
};

/// The failures of codex-acp, claude-agent-acp, gemini and opencode, in the words of the wrapped agents.
pub(crate) static FAILURES: FailureTable = FailureTable::new(&[
    FailureRow::DISK_FULL,
    FailureRow::DISK_QUOTA,
    FailureRow {
        patterns: &[
            Words("hit your .. limit"),
            Words("usage limit reached"),
            Words("limit reached .. resets"),
            Words("out of extra usage"),
            Words("out of credits"),
            Words("hit your spend cap"),
            Words("exceeded your current quota"),
            Words("exhausted your .. quota"),
            Words("credit balance .. too low"),
            Words("use codex with your chatgpt plan"),
        ],
        examples: &[
            "You've hit your usage limit.",
            "Claude AI usage limit reached|1790000000",
            "5-hour limit reached ∙ resets 5pm",
            "You're out of extra usage · resets 5pm",
            "Your workspace is out of credits. Add credits to continue.",
            "You hit your spend cap set in your workspace. Increase your spend cap to continue.",
            "You exceeded your current quota, please check your plan and billing details.",
            "You have exhausted your daily quota on this model.",
            "Credit balance is too low",
            "To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt.com/explore/plus.",
        ],
        advice: advice::WAIT_FOR_RESET,
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[
            Words("model is at capacity"),
            Words("model is overloaded"),
            Words("experiencing high demand"),
            Words("overloaded_error"),
            Status(529),
        ],
        examples: &[
            "Selected model is at capacity. Please try a different model.",
            "The model is overloaded. Please try again later.",
            "We're currently experiencing high demand, which may cause temporary errors.",
            "API Error: 529 {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
        ],
        advice: advice::WAIT_FOR_CAPACITY,
        cause: Some(Cause::Capacity),
    },
    FailureRow {
        patterns: &[Status(429), Words("resource_exhausted"), Words("rate_limit_error"), Words("rate limit exceeded")],
        examples: &[
            "exceeded retry limit, last status: 429 Too Many Requests",
            "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\"}}",
            "{\"type\":\"rate_limit_error\"}",
            "Rate limit exceeded",
        ],
        advice: advice::WAIT_A_WHILE,
        cause: Some(Cause::OutOfQuota),
    },
    LOGIN,
]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_flaws() {
        assert_eq!(FAILURES.flaws(), Vec::<String>::new());
    }
}
