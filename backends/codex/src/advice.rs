//! What a user can do about what Codex said.

use connector_api::Cause;

/// One line of advice for a complaint, where there is any, and why it is, where another agent might do better. The advice
/// names a command, a key, or a parameter.
pub(crate) fn for_complaint(said: &str) -> Option<(String, Option<Cause>)> {
    let said = said.replace('\u{2019}', "'").to_lowercase();
    let rule = RULES.iter().find(|rule| rule.any_of.iter().any(|all| all.iter().all(|word| said.contains(word))));
    rule.map(|rule| (rule.advice.to_owned(), rule.cause))
}

/// Advice for every complaint in which all words of one of the lists occur.
struct Rule {
    any_of: &'static [&'static [&'static str]],
    advice: &'static str,
    cause: Option<Cause>,
}

/// The first that fits is taken, so the ones that say more stand first.
const RULES: [Rule; 14] = [
    Rule {
        any_of: &[&["not inside a trusted directory"]],
        advice: "name a `workingDirectory` inside a git repository, or set `require_git = false` for this backend",
        cause: None,
    },
    Rule {
        any_of: &[&["missing environment variable"]],
        advice: "set that variable where the MCP server starts or in `env.set` of this backend, and see that \
                 `env.pass` and `env.remove` let it through",
        cause: None,
    },
    Rule {
        any_of: &[&["requires a newer version of codex"]],
        advice: "run `npm install -g @openai/codex@latest`",
        cause: None,
    },
    Rule {
        any_of: &[&["usage limit"], &["quota"], &["billing"]],
        advice: "wait until the limit is reset, or name another `model`",
        cause: Some(Cause::OutOfQuota),
    },
    Rule {
        any_of: &[&["429"], &["rate limit"], &["too many requests"]],
        advice: "wait a while and try again, or name another `model`",
        cause: Some(Cause::OutOfQuota),
    },
    Rule {
        any_of: &[&["401"], &["unauthorized"], &["not logged in"], &["refresh token"], &["log in again"]],
        advice: "run `codex login`, or check the key of your model provider",
        cause: Some(Cause::NotLoggedIn),
    },
    Rule {
        any_of: &[&["model provider", "not found"]],
        advice: "define that provider in Codex's config.toml, or take it out of `extra_args`",
        cause: None,
    },
    Rule {
        any_of: &[&["no models are available"]],
        advice: "name a `model`, in the call or in this backend's settings",
        cause: None,
    },
    Rule {
        any_of: &[
            &["model", "does not exist"],
            &["model", "not supported"],
            &["model", "not found"],
            &["model", "do not have access"],
        ],
        advice: "leave `model` out, or name one that your account has",
        cause: None,
    },
    Rule {
        any_of: &[&["context window"], &["context_length"], &["maximum length"], &["too large"]],
        advice: "split `task` into smaller ones",
        cause: None,
    },
    Rule { any_of: &[&["no prompt provided"]], advice: "say in `task` what to do", cause: None },
    Rule {
        any_of: &[&["unexpected argument"], &["unrecognized"], &["usage: codex"]],
        advice: "check `extra_args` of this backend, or run `npm install -g @openai/codex@latest`",
        cause: None,
    },
    Rule { any_of: &[&["config.toml"], &["loading config"]], advice: "repair Codex's config.toml", cause: None },
    Rule {
        any_of: &[
            &["waiting for network"],
            &["connection failed"],
            &["connection refused"],
            &["error sending request"],
            &["stream disconnected"],
            &["connecting..."],
        ],
        advice: "check the network and the model provider's `base_url`, then try again",
        cause: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(said: &str) -> String {
        for_complaint(said).map(|(advice, _)| advice).unwrap_or_default()
    }

    #[test]
    fn what_codex_is_known_to_say_has_advice() {
        for (said, word) in [
            ("unexpected status 401 Unauthorized: bad key, url: http://127.0.0.1/v1", "codex login"),
            ("Not logged in", "codex login"),
            ("The model `nope` does not exist", "`model`"),
            ("The 'x' model is not supported when using Codex with a ChatGPT account.", "`model`"),
            ("You’ve hit your usage limit. Upgrade to Pro", "limit is reset"),
            ("exceeded retry limit, last status: 429 Too Many Requests", "wait"),
            ("Not inside a trusted directory and --skip-git-repo-check was not specified.", "require_git"),
            ("Missing environment variable: `SOME_KEY`.", "env.set"),
            ("Reconnecting... waiting for network (Connection failed: error sending request)", "base_url"),
            ("Re-connecting... 3/5", "network"),
            ("Codex ran out of room in the model's context window. Start a new thread", "smaller"),
            ("Error: Model provider `nope` not found", "provider"),
            ("error: unexpected argument '--x' found\n\nUsage: codex exec [PROMPT]", "extra_args"),
            ("No prompt provided via stdin.", "`task`"),
        ] {
            assert!(advice(said).contains(word), "{said}: {:?}", advice(said));
        }
    }

    #[test]
    fn what_another_agent_might_not_suffer_from_has_its_cause() {
        let cause = |said| for_complaint(said).and_then(|(_, cause)| cause);
        assert_eq!(cause("Not logged in"), Some(Cause::NotLoggedIn));
        assert_eq!(cause("You’ve hit your usage limit. Upgrade to Pro"), Some(Cause::OutOfQuota));
        assert_eq!(cause("exceeded retry limit, last status: 429 Too Many Requests"), Some(Cause::OutOfQuota));
        assert_eq!(cause("The model `nope` does not exist"), None);
    }

    #[test]
    fn other_words_have_none_and_every_advice_is_one_line() {
        assert_eq!(for_complaint("mock says no"), None);
        assert!(RULES.iter().all(|rule| !rule.advice.contains('\n') && !rule.advice.contains("  ")));
    }
}
