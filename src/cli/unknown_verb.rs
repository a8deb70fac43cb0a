//! Suggestions for commands that do not exist.

use connector_api::nearest;

/// Words that other programs use, and our verb for each.
const WORDS_OF_OTHERS: [(&[&str], &str); 12] = [
    (&["stop", "kill", "abort", "terminate"], "cancel"),
    (&["log", "tail", "follow", "output"], "logs"),
    (&["start", "delegate", "exec", "new", "add", "submit"], "run"),
    (&["info", "status", "inspect", "view", "open", "get"], "show"),
    (&["cost", "costs", "stats", "tokens"], "usage"),
    (&["doctor", "validate", "health"], "check"),
    (&["clean", "gc"], "prune"),
    (&["remove", "delete", "del"], "rm"),
    (&["restart", "retry", "continue", "say", "reply"], "resume"),
    (&["install", "setup", "configure"], "init"),
    (&["history", "jobs", "top"], "ls"),
    (&["attach", "monitor"], "watch"),
];

/// The verb that was probably meant by `word`. `verbs` are all verbs of the program with their aliases.
pub(super) fn meant<'a>(word: &str, verbs: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let known = |name: &str| verbs.iter().copied().find(|verb| *verb == name);
    let of_others = WORDS_OF_OTHERS.iter().find(|(words, _)| words.contains(&word.as_str()));
    let same_meaning = of_others.and_then(|(_, verb)| known(verb));
    same_meaning.or_else(|| known(&word)).or_else(|| nearest(&word, verbs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_programs_and_typos_lead_to_a_verb_that_exists() {
        let verbs = ["cancel", "logs", "run", "show", "usage", "check", "prune", "resume", "init", "ls", "wait"];
        for (word, verb) in [
            ("stop", Some("cancel")),
            ("kill", Some("cancel")),
            ("tail", Some("logs")),
            ("follow", Some("logs")),
            ("log", Some("logs")),
            ("delegate", Some("run")),
            ("start", Some("run")),
            ("status", Some("show")),
            ("info", Some("show")),
            ("cost", Some("usage")),
            ("stats", Some("usage")),
            ("doctor", Some("check")),
            ("clean", Some("prune")),
            ("restart", Some("resume")),
            ("retry", Some("resume")),
            ("continue", Some("resume")),
            ("install", Some("init")),
            ("setup", Some("init")),
            ("STOP", Some("cancel")),
            ("Run", Some("run")),
            ("cancle", Some("cancel")),
            ("wiat", Some("wait")),
            ("photosynthesis", None),
        ] {
            assert_eq!(meant(word, &verbs), verb, "{word}");
        }
        assert_eq!(meant("setup", &["ls"]), None, "the verb does not exist");
    }
}
