//! The meaning of Claude Code's failure messages, and advice for its users.

use connector_api::{
    Cause, FailureRow, FailureTable,
    Pattern::{Status, Words},
    advice,
};

/// The failures of Claude Code (2.1.332).
pub(crate) static FAILURES: FailureTable = FailureTable::new(&[
    FailureRow::DISK_FULL,
    FailureRow::DISK_QUOTA,
    FailureRow {
        patterns: &[Words("mcp server")],
        examples: &["MCP server github: 401 Unauthorized"],
        advice: advice::REPAIR_MCP_SERVER,
        cause: None,
    },
    FailureRow {
        patterns: &[
            Words("out of extra usage"),
            Words("out of usage"),
            Words("seat type doesn't include"),
            Words("usage allocation has been disabled"),
            Words("usage limit is set to"),
            Words("requires usage credits"),
            Words("credit balance .. too low"),
            Words("specified api usage limits"),
            Status(402),
        ],
        examples: &[
            "You're out of extra usage · resets 5pm",
            "You're out of usage credits. See Usage in Settings",
            "Your org is out of usage · contact your admin",
            "Your seat type doesn't include usage credits",
            "Your usage allocation has been disabled by your admin",
            "Your group's usage limit is set to $0",
            "Fable 5 requires usage credits",
            "Credit balance is too low",
            "API Error: 400 You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
            "API Error: 402 {\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"Payment required\"}}",
        ],
        advice: "wait until the limit is reset, add usage credits to the account, or ask its administrator to add them",
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[
            Words("hit your .. limit"),
            Words("usage limit reached"),
            Words("limit reached .. resets"),
            Words("reached your .. limit"),
        ],
        examples: &[
            "You've hit your limit · resets 5pm (UTC)",
            "You've hit your weekly limit · resets Oct 6, 5pm",
            "You've hit your monthly spend limit. See Usage in Settings",
            "Claude AI usage limit reached|1790000000",
            "5-hour limit reached ∙ resets 5pm",
            "You've reached your Opus limit · resets 5pm",
        ],
        advice: advice::WAIT_FOR_RESET,
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[
            Status(529),
            Status(503),
            Words("overloaded_error"),
            Words("api error 500 .. overloaded"),
            Words("experiencing high demand"),
            Words("server is temporarily limiting requests"),
        ],
        examples: &[
            "API Error: Repeated 529 Overloaded errors",
            "API Error: 503 Service Unavailable",
            "API Error: 500 {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Overloaded\"}}",
            "We are experiencing high demand for Opus 4.",
            "API Error: Server is temporarily limiting requests (not your usage limit)",
            "API Error: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
        ],
        advice: "wait a while and try again, or name another `model`: Anthropic has no capacity for this one now",
        cause: Some(Cause::Capacity),
    },
    FailureRow {
        patterns: &[
            Status(429),
            Words("rate_limit_error"),
            Words("rate limit exceeded"),
            Words("request was rate limited"),
        ],
        examples: &[
            "API Error: 429 {\"type\":\"error\",\"error\":{\"message\":\"slow down\"}}",
            "API Error: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}",
            "Rate limit exceeded",
            "the request was rate limited",
        ],
        advice: advice::WAIT_A_WHILE,
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[
            Words("run login"),
            Words("log in again"),
            Words("invalid api key"),
            Words("invalid x-api-key"),
            Words("authentication_error"),
            Words("oauth token .. expired"),
            Words("oauth token revoked"),
            Status(401),
        ],
        examples: &[
            "Invalid API key · Please run /login",
            "Not logged in · Please run /login",
            "Failed to authenticate: OAuth token revoked. Please log in again or contact your administrator.",
            "OAuth token has expired. Please obtain a new token or refresh your existing token.",
            "API Error: 401 {\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"invalid x-api-key\"}}",
        ],
        advice: "run `claude` and `/login`, or set ANTHROPIC_API_KEY where the MCP server starts",
        cause: Some(Cause::NotLoggedIn),
    },
    FailureRow {
        patterns: &[Words("organization has been disabled")],
        examples: &[
            "API Error: 400 {\"type\":\"error\",\"error\":{\"message\":\"This organization has been disabled.\"}}",
        ],
        advice: "log in to an account of another organization, or unset ANTHROPIC_API_KEY if its key belongs to the disabled one",
        cause: Some(Cause::NotLoggedIn),
    },
    FailureRow {
        patterns: &[Words("no conversation found")],
        examples: &["No conversation found with session ID: 6f6b0a3a-81c0-4800-8aa1-bbab2a035a53"],
        advice: advice::START_NEW_TASK,
        cause: None,
    },
    FailureRow {
        patterns: &[Words("root/sudo privileges")],
        examples: &["--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons"],
        advice: "run it as another user, or ask for the sandbox workspace-write; where it is safe, such as in a \
                 container, you can also give this backend `env = { set = { IS_SANDBOX = \"1\" } }` in config.toml",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("output token maximum")],
        examples: &[
            "API Error: Claude's response exceeded the 32000 output token maximum. To configure this behavior, set the \
             CLAUDE_CODE_MAX_OUTPUT_TOKENS environment variable.",
        ],
        advice: "split `task` into smaller ones, or set CLAUDE_CODE_MAX_OUTPUT_TOKENS in `env.set` of this backend",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("prompt is too long")],
        examples: &["Prompt is too long"],
        advice: advice::SPLIT_TASK,
        cause: None,
    },
    FailureRow {
        patterns: &[
            Words("issue with the selected model"),
            Words("model .. not exist"),
            Words("not_found_error .. model"),
            Words("model .. not available"),
        ],
        examples: &[
            "There's an issue with the selected model (nope). It may not exist or you may not have access to it.",
            "The model nope does not exist",
            "API Error: 404 {\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: nope\"}}",
            "The model nope is not available on your plan",
        ],
        advice: advice::CHANGE_MODEL,
        cause: None,
    },
]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_flaws() {
        assert_eq!(FAILURES.flaws(), Vec::<String>::new());
    }

    #[test]
    fn root_is_told_which_variable_claude_code_requires() {
        let said = "--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons";
        assert!(FAILURES.find(said).is_some_and(|row| row.advice.contains("IS_SANDBOX = \"1\"")));
    }

    #[test]
    fn a_server_error_is_neither_a_login_nor_a_quota_failure() {
        let said = "API Error: 500 {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Internal server \
                    error\"},\"request_id\":\"req_011CX401bYq4290\"}";
        assert!(FAILURES.find(said).is_none());
        assert!(FAILURES.find("API Error: 400 the script says no").is_none());
    }
}
