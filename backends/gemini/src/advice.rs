//! The meaning of Gemini CLI's failure messages (0.61.0), and advice for its users.

use connector_api::{
    AgentEvent, AgentFailure, Cause, Exit, FailureRow, FailureTable,
    Pattern::{Status, Words},
    advice,
};

/// The exit code for "not logged in".
const NOT_LOGGED_IN: Exit = Exit::Code(41);

const LOGIN: FailureRow = FailureRow {
    patterns: &[Words("api_key_invalid"), Words("api key not valid"), Words("unauthenticated"), Status(401)],
    examples: &[
        "[API Error: {\"error\":{\"code\":400,\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}]",
        "[API Error: API key not valid. Please pass a valid API key.]",
        "[API Error: {\"error\":{\"status\":\"UNAUTHENTICATED\"}}]",
        "[API Error: {\"error\":{\"code\":401,\"message\":\"no\"}}]",
    ],
    advice: "run `gemini` in a terminal and sign in, or set GEMINI_API_KEY where the MCP server starts",
    cause: Some(Cause::NotLoggedIn),
};

/// The failures of Gemini CLI.
static FAILURES: FailureTable = FailureTable::new(&[
    FailureRow::DISK_FULL,
    FailureRow::DISK_QUOTA,
    LOGIN,
    FailureRow {
        patterns: &[
            Words("model is overloaded"),
            Words("no capacity available"),
            Words("model_capacity_exhausted"),
            Status(529),
        ],
        examples: &[
            "[API Error: The model is overloaded. Please try again later.]",
            "[API Error: No capacity available for model gemini-2.5-pro on the server]",
            "[API Error: {\"error\":{\"code\":429,\"details\":[{\"reason\":\"MODEL_CAPACITY_EXHAUSTED\"}]}}]",
            "[API Error: {\"error\":{\"code\":529}}]",
        ],
        advice: advice::WAIT_FOR_CAPACITY,
        cause: Some(Cause::Capacity),
    },
    FailureRow {
        patterns: &[
            Words("exhausted your .. quota"),
            Words("exceeded your current quota"),
            Words("quota exceeded for"),
            Words("resource_exhausted"),
            Words("resource has been exhausted"),
            Words("rate limit exceeded"),
            Status(429),
        ],
        examples: &[
            "[API Error: You have exhausted your daily quota on this model.]",
            "[API Error: You exceeded your current quota, please check your plan and billing details.]",
            "[API Error: Quota exceeded for quota metric 'Gemini 2.5 Pro Requests' and limit 'Requests per day']",
            "[API Error: {\"error\":{\"status\":\"RESOURCE_EXHAUSTED\"}}]",
            "[API Error: Resource has been exhausted (e.g. check quota).]",
            "[API Error: Rate limit exceeded. Try again later.]",
            "[API Error: {\"error\":{\"code\":429,\"message\":\"slow down\"}}]",
        ],
        advice: advice::WAIT_FOR_RESET,
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[Words("error resuming session")],
        examples: &["Error resuming session: No previous sessions found for this project."],
        advice: "set `workingDirectory` to the directory in which the session began, or start a new task and put everything \
                 that the agent needs to know into `task`",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("yolo mode is disabled")],
        examples: &["YOLO mode is disabled by your administrator."],
        advice: "allow it in Gemini CLI's settings (security.disableYoloMode), or use another agent",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("trusted directory")],
        examples: &["Gemini CLI is not running in a trusted directory."],
        advice: "run `gemini` in that directory once and trust it",
        cause: None,
    },
    FailureRow {
        patterns: &[
            Words("models .. not found"),
            Words("model .. not found"),
            Words("is not found for api version"),
            Words("model .. not supported"),
            Words("model .. not available"),
        ],
        examples: &[
            "[API Error: models x not found]",
            "[API Error: model x not found]",
            "[API Error: models/x is not found for API version v1beta, or is not supported for generateContent.]",
            "[API Error: the model x is not supported]",
            "[API Error: the model x is not available in your region]",
        ],
        advice: advice::CHANGE_MODEL,
        cause: None,
    },
    FailureRow {
        patterns: &[Words("fetch failed")],
        examples: &[
            "Attempt 1 failed. Retrying with backoff... Error: exception TypeError: fetch failed sending request",
        ],
        advice: advice::CHECK_NETWORK,
        cause: Some(Cause::Network),
    },
]);

/// The event for a request that is repeated.
pub(crate) fn transient_error(said: String) -> AgentEvent {
    FAILURES.transient_error(said)
}

/// A failure in the agent's own words, with advice and cause.
pub(crate) fn failure(said: String, exit: Exit) -> AgentFailure {
    if exit == NOT_LOGGED_IN { LOGIN.failure(said) } else { FAILURES.failure(said) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_flaws() {
        assert_eq!(FAILURES.flaws(), Vec::<String>::new());
    }
}
