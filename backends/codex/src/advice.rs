//! The meaning of Codex's failure messages, and advice for its users.

use connector_api::{
    Cause, FailureRow, FailureTable,
    Pattern::{Status, Words},
    advice,
};

const CHECK_NETWORK: &str = "check the network and the model provider's `base_url`, then try again";

/// The failures of Codex, in the words of 0.171.0, from real runs or from its binary.
pub(crate) static FAILURES: FailureTable = FailureTable::new(&[
    FailureRow::DISK_FULL,
    FailureRow::DISK_QUOTA,
    FailureRow {
        patterns: &[
            Words("mcp servers failed"),
            Words("mcp server failed"),
            Words("mcp server .. not logged in"),
            Words("mcp login"),
        ],
        examples: &[
            "required MCP servers failed to initialize: github: UnexpectedServerResponse(\"HTTP 401: \")",
            "MCP server failed to start: 429 Too Many Requests",
            "The MCP server github is not logged in.",
            "Run `codex mcp login github`.",
        ],
        advice: advice::REPAIR_MCP_SERVER,
        cause: None,
    },
    FailureRow {
        patterns: &[Words("reason content_filter"), Words("content policy violation"), Words("flagged for possible")],
        examples: &[
            "stream disconnected before completion: Incomplete response returned, reason: content_filter",
            "content policy violation",
            "This request has been flagged for possible biological risk.",
        ],
        advice: "rephrase `task`: the provider's content filter stopped the answer, and would stop the same task again",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("no rollout found")],
        examples: &["Error: thread/resume: no rollout found for thread id (code -32600)"],
        advice: advice::START_NEW_TASK,
        cause: None,
    },
    FailureRow {
        patterns: &[Words("reason max_output_tokens")],
        examples: &["Incomplete response returned, reason: max_output_tokens"],
        advice: "split `task` into smaller ones: the answer reached the maximum number of output tokens",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("not inside a trusted directory")],
        examples: &["Not inside a trusted directory and --skip-git-repo-check was not specified."],
        advice: "name a `workingDirectory` inside a git repository, or set `require_git = false` for this backend",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("missing environment variable")],
        examples: &["Missing environment variable: `SOME_KEY`."],
        advice: "set that variable where the MCP server starts or in `env.set` of this backend, and check that `env.pass` \
                 and `env.remove` do not remove it",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("requires a newer version of codex")],
        examples: &["The 'gpt-6' model requires a newer version of Codex. Please upgrade to the latest app or CLI."],
        advice: "run `npm install -g @openai/codex@latest`",
        cause: None,
    },
    FailureRow {
        patterns: &[
            Words("token could not be refreshed"),
            Words("session could not be refreshed"),
            Words("failed to refresh token"),
        ],
        examples: &[
            "Your access token could not be refreshed. Please log out and sign in again.",
            "Your access token could not be refreshed because your refresh token was already used. Please log out and \
             sign in again.",
            "Your access token could not be refreshed because you have since logged out or signed in to another \
             account. Please sign in again.",
            "Your authentication session could not be refreshed automatically. Please log out and sign in again.",
            "Failed to refresh token: 400 Bad Request",
        ],
        advice: "run `codex logout` and then `codex login`",
        cause: Some(Cause::NotLoggedIn),
    },
    FailureRow {
        patterns: &[Words("use codex with your chatgpt plan")],
        examples: &["To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt.com/explore/plus."],
        advice: "upgrade the ChatGPT plan of this account, or log in with an API key",
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[Words("out of credits"), Words("workspace credit limit")],
        examples: &[
            "Your workspace is out of credits. Add credits to continue.",
            "Your workspace is out of credits. Ask your workspace owner to refill in order to continue.",
            "You've reached your workspace credit limit",
        ],
        advice: "add credits to the ChatGPT workspace, or ask its owner to add them",
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[Words("hit your spend cap")],
        examples: &[
            "You hit your spend cap set in your workspace. Increase your spend cap to continue.",
            "You hit your spend cap set by the owner of your workspace. Ask an owner to increase your spend cap to \
             continue.",
        ],
        advice: "increase the spend cap of the ChatGPT workspace, or ask its owner to increase it",
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[Words("quota exceeded"), Words("exceeded your current quota"), Words("insufficient_quota")],
        examples: &[
            "Quota exceeded. Check your plan and billing details.",
            "You exceeded your current quota, please check your plan and billing details.",
            "unexpected status 403 Forbidden: insufficient_quota",
        ],
        advice: "check the plan and the billing details of the API key's account, or name another `model`",
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[Words("hit your usage limit"), Words("reached your usage limit"), Words("usage_limit_reached")],
        examples: &[
            "You\u{2019}ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro)",
            "You've hit your usage limit for gpt-5.5.",
            "You've reached your usage limit. Increase your limits to continue using codex.",
            "http 429 Too Many Requests: usage_limit_reached",
        ],
        advice: advice::WAIT_FOR_RESET,
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[
            Words("model is at capacity"),
            Words("experiencing high demand"),
            Words("server_is_overloaded"),
            Words("server overloaded"),
            Words("servers are .. overloaded"),
            Words("capacity is unavailable"),
            Words("capacity unavailable"),
            Status(529),
        ],
        examples: &[
            "Selected model is at capacity. Please try a different model.",
            "We\u{2019}re currently experiencing high demand, which may cause temporary errors.",
            "error code server_is_overloaded",
            "server overloaded",
            "Our servers are currently overloaded. Please try again later.",
            "Policy-restricted capacity is unavailable. Please try again later.",
            "Flex capacity unavailable.",
            "unexpected status 529: overloaded",
        ],
        advice: advice::WAIT_FOR_CAPACITY,
        cause: Some(Cause::Capacity),
    },
    FailureRow {
        patterns: &[
            Status(429),
            Words("too many requests"),
            Words("rate limit exceeded"),
            Words("rate limit reached"),
            Words("rate_limit_exceeded"),
        ],
        examples: &[
            "exceeded retry limit, last status: 429",
            "exceeded retry limit, last status: Too Many Requests",
            "rate limit exceeded",
            "Rate limit reached for gpt-5.5 in organization org-x on tokens per min.",
            "code: rate_limit_exceeded",
        ],
        advice: advice::WAIT_A_WHILE,
        cause: Some(Cause::OutOfQuota),
    },
    FailureRow {
        patterns: &[
            Status(401),
            Words("not logged in"),
            Words("sign in again"),
            Words("log in again"),
            Words("incorrect api key provided"),
        ],
        examples: &[
            "unexpected status 401 Unauthorized: bad key, url: http://127.0.0.1/v1/responses",
            "Not logged in",
            "Codex account has no refresh token; sign in again",
            "Your session has ended. Please log in again.",
            "Incorrect API key provided: sk-x.",
        ],
        advice: "run `codex login`, or check the key of your model provider",
        cause: Some(Cause::NotLoggedIn),
    },
    FailureRow {
        patterns: &[Words("model provider .. not found")],
        examples: &["Error: Model provider `nope` not found"],
        advice: "define that provider in Codex's config.toml, or remove it from `extra_args`",
        cause: None,
    },
    FailureRow {
        patterns: &[Words("no models are available")],
        examples: &["No models are available"],
        advice: "name a `model`, in the call or in this backend's settings",
        cause: None,
    },
    FailureRow {
        patterns: &[
            Words("model .. does not exist"),
            Words("model is not supported"),
            Words("model .. not found"),
            Words("do not have access .. model"),
        ],
        examples: &[
            "The model `nope` does not exist",
            "The 'x' model is not supported when using Codex with a ChatGPT account.",
            "model `x` not found",
            "You do not have access to the model gpt-6.",
        ],
        advice: advice::CHANGE_MODEL,
        cause: None,
    },
    FailureRow {
        patterns: &[
            Words("context window"),
            Words("context_length_exceeded"),
            Words("exceeds the maximum length"),
            Status(413),
        ],
        examples: &[
            "Codex ran out of room in the model's context window. Start a new thread or clear earlier history before \
             retrying.",
            "code: context_length_exceeded",
            "Error: turn/start: turn/start failed: Input exceeds the maximum length of 1048576 characters. (code -32602)",
            "unexpected status 413 Payload Too Large",
        ],
        advice: advice::SPLIT_TASK,
        cause: None,
    },
    FailureRow {
        patterns: &[Words("no prompt provided")],
        examples: &["No prompt provided via stdin."],
        advice: "describe the work in `task`",
        cause: None,
    },
    FailureRow {
        patterns: &[
            Words("unexpected argument"),
            Words("unrecognized subcommand"),
            Words("invalid value .. for"),
            Words("usage codex"),
        ],
        examples: &[
            "error: unexpected argument '--no-such-flag' found",
            "error: unrecognized subcommand 'x'",
            "error: invalid value 'x' for '--sandbox <SANDBOX_MODE>'",
            "Usage: codex exec [OPTIONS] [PROMPT]",
        ],
        advice: "check `extra_args` of this backend, or run `npm install -g @openai/codex@latest`",
        cause: None,
    },
    FailureRow {
        patterns: &[
            Words("config.toml"),
            Words("codex/config.toml"),
            Words("loading config"),
            Words("loading configuration"),
        ],
        examples: &[
            "Error loading config.toml: invalid type: integer `1`, expected a string",
            "/root/.codex/config.toml:1:9: unknown variant",
            "Error loading config: invalid value",
            "error loading configuration: unknown field",
        ],
        advice: "fix Codex's config.toml",
        cause: None,
    },
    FailureRow {
        patterns: &[
            Words("waiting for network"),
            Words("connection failed"),
            Words("connection refused"),
            Words("error sending request"),
        ],
        examples: &[
            "Reconnecting... waiting for network (Connection failed: error sending request)",
            "tcp connect error: Connection refused (os error 111)",
        ],
        advice: CHECK_NETWORK,
        cause: Some(Cause::Network),
    },
    // The provider answered, but its answer was cut off, or the reason is unknown.
    FailureRow {
        patterns: &[Words("stream disconnected"), Words("re-connecting"), Words("reconnecting")],
        examples: &[
            "stream disconnected before completion: stream closed before response.completed",
            "Re-connecting... 3/5",
            "Reconnecting... 1/5 (stream disconnected before completion: stream closed before response.completed)",
        ],
        advice: CHECK_NETWORK,
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
    fn a_reconnect_is_explained_by_its_cause() {
        let said = "Reconnecting... 3/5 (unexpected status 401 Unauthorized: bad key, url: http://127.0.0.1/v1)";
        assert_eq!(FAILURES.failure(said).cause, Some(Cause::NotLoggedIn));
        let said = "Reconnecting... 5/5 (We're currently experiencing high demand, which may cause temporary errors.)";
        assert_eq!(FAILURES.failure(said).cause, Some(Cause::Capacity));
    }

    #[test]
    fn an_unknown_failure_has_neither_advice_nor_cause() {
        assert_eq!(FAILURES.failure("mock says no"), connector_api::AgentFailure::new("mock says no"));
    }
}
