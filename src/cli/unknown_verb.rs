//! Suggestions for commands and options that do not exist.

use connector_api::nearest;

/// Words that other programs use, and our verb for each.
const WORDS_OF_OTHERS: [(&[&str], &str); 16] = [
    (&["stop", "kill", "abort", "terminate"], "cancel"),
    (&["log", "tail", "follow", "output"], "logs"),
    (&["start", "delegate", "exec", "new", "add", "submit"], "run"),
    (&["info", "status", "inspect", "view", "open", "get"], "show"),
    (&["result", "results"], "show --result"),
    (&["cost", "costs", "stats", "tokens"], "usage"),
    (&["doctor", "validate", "health"], "check"),
    (&["clean", "gc"], "prune"),
    (&["remove", "delete", "del"], "rm"),
    (&["restart", "retry", "continue", "say", "reply"], "resume"),
    (&["install", "setup", "configure"], "init"),
    (&["history", "jobs", "top"], "ls"),
    (&["attach", "monitor"], "watch"),
    (&["patch", "changes"], "diff"),
    (&["revert", "rollback", "restore"], "undo"),
    (&["merge", "accept"], "apply"),
];

/// Words that look like one of our verbs, but mean something that this program cannot do.
const NOT_OFFERED: [&str; 4] = ["pause", "login", "logout", "review"];

/// Options that other programs use, and our option for each.
const OPTIONS_OF_OTHERS: [(&[&str], &str); 1] = [(&["--background", "--bg"], "--detach")];

/// The option that was probably meant by `option`. `options` are all options of the verb.
pub(super) fn meant_option(option: &str, options: &[&str]) -> Option<&'static str> {
    let of_others = OPTIONS_OF_OTHERS.iter().find(|(theirs, _)| theirs.contains(&option));
    of_others.map(|(_, ours)| *ours).filter(|ours| options.contains(ours))
}

/// The verb, perhaps with an option, that was probably meant by `word`. `verbs` are all verbs of the program with their
/// aliases.
pub(super) fn meant<'a>(word: &str, verbs: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    if NOT_OFFERED.contains(&word.as_str()) {
        return None;
    }
    let known = |name: &str| verbs.iter().copied().find(|verb| *verb == name);
    let of_others = WORDS_OF_OTHERS.iter().find(|(words, _)| words.contains(&word.as_str()));
    let is_known = |command: &str| command.split(' ').next().is_some_and(|verb| known(verb).is_some());
    let same_meaning = of_others.map(|(_, command)| *command).filter(|command| is_known(command));
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
            ("result", Some("show --result")),
            ("pause", None),
            ("login", None),
            ("diff", None),
            ("apply", None),
            ("undo", None),
            ("review", None),
            ("web", None),
            ("photosynthesis", None),
        ] {
            assert_eq!(meant(word, &verbs), verb, "{word}");
        }
        assert_eq!(meant("setup", &["ls"]), None, "the verb does not exist");
    }

    #[test]
    fn an_option_of_other_programs_leads_to_one_of_the_same_verb() {
        assert_eq!(meant_option("--background", &["--json", "--detach"]), Some("--detach"));
        assert_eq!(meant_option("--background", &["--json"]), None, "the verb has no such option");
        assert_eq!(meant_option("--backgroun", &["--detach"]), None);
    }
}
