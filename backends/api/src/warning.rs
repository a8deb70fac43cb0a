//! Warnings about a run.

use serde::{Deserialize, Serialize};

/// A caveat about a run that its status does not show, such as an answer that may be incomplete. It is shown above the
/// answer and kept in the task's record.
///
/// Use it for anything that the user should act on or distrust. A problem that the agent reports while it works is an
/// [`AgentEvent::Warning`](crate::AgentEvent::Warning), which is only logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// One sentence without a full stop.
    pub message: String,
    /// Advice for the user, if there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Warning {
    /// A warning without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None }
    }

    /// A warning about work that was unfinished when the agent ended its turn, such as a command in the background.
    /// `None` if there is none. `work` contains commands or names of tools.
    pub fn unfinished<'a>(work: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut work = work.into_iter();
        let shown: Vec<_> = work.by_ref().take(MAX_NAMED_ITEMS).map(|name| format!("`{}`", one_line(name))).collect();
        let subject = match (shown.len(), work.count()) {
            (0, _) => return None,
            (_, 0) => shown.join(" and "),
            (_, more) => format!("{} and {more} more", shown.join(", ")),
        };
        Some(Self {
            message: format!("{subject} had not ended, as far as reported, when the turn ended, and may be unfinished"),
            advice: Some("check the result, or resume the session and ask the agent to wait for it".to_owned()),
        })
    }
}

/// Maximum number of commands that a warning names, and maximum length of each.
const MAX_NAMED_ITEMS: usize = 2;
const MAX_NAME_CHARS: usize = 100;

fn one_line(name: &str) -> String {
    let words: Vec<_> = name.split_whitespace().collect();
    let line = words.join(" ").replace('`', "'");
    match line.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_work_is_listed_up_to_a_limit() {
        let message = |work: &[&str]| Warning::unfinished(work.iter().copied()).map(|warning| warning.message);
        let end = "had not ended, as far as reported, when the turn ended, and may be unfinished";
        assert_eq!(message(&[]), None);
        assert_eq!(message(&["make"]), Some(format!("`make` {end}")));
        assert_eq!(message(&["make\n  all", "a `b`"]), Some(format!("`make all` and `a 'b'` {end}")));
        assert_eq!(message(&["a", "b", "c", "d"]), Some(format!("`a`, `b` and 2 more {end}")));
        let long = message(&[&"é".repeat(9_000)]).expect("there is one");
        assert!(long.starts_with("`é") && long.contains("…` had not ended") && long.chars().count() < 200, "{long}");
    }
}
