//! Output of the commands other than `check`, and command-line arguments in errors.

use std::{net::SocketAddr, path::Path};

use super::{
    outcome::{brief, running},
    text::one_line,
};
use crate::{
    task::{ResultText, TaskId, TaskRecord},
    visible::{is_invisible, is_terminal_control, shell_line},
};

/// Maximum number of characters of an argument.
const MAX_ARGUMENT_CHARACTERS: usize = 500;

/// The output of `wait` for one ended task.
pub(crate) fn wait_result(record: &TaskRecord, result: Option<ResultText>) -> String {
    format!("{}\n\n", brief(record, result))
}

/// For a person who starts the server in a terminal, where it would print nothing.
pub(crate) const WAITS_FOR_CLIENT: &str = "This is an MCP server: it waits for a client to write to its stdin. Press Ctrl-C to stop it, and run \
     `codex-connector --help` to see what else it can do.";

/// A time limit on the command line is invalid.
pub(crate) const EXPECTED_TIME: &str = "expected a time such as 90s, 30m or 2h";

/// The value of `--http` is not an address.
pub(crate) const EXPECTED_ADDRESS: &str =
    "expected a port, or an address and a port, such as 8181, localhost:8181, 127.0.0.1:8181 or [::1]:8181";

/// `wait` has reached its time limit, and the tasks `pending` have not ended.
pub(crate) fn timed_out<'a>(pending: impl IntoIterator<Item = &'a TaskId>) -> String {
    format!("Timed out. {}\n", running(pending))
}

/// The address on which the server listens, and how to add it to Claude Code. `token` is the path of the token.
pub(crate) fn listening(address: SocketAddr, path: &str, token: &Path) -> String {
    let url = format!("http://{address}{path}");
    let token = shell_line([&*token.to_string_lossy()]);
    format!(
        "listening on {url}\n\
         clients need the token in {token}; to add this server to Claude Code, run\n    \
         claude mcp add --scope user --transport http codex-connector {url} --header \"Authorization: Bearer $(cat {token})\"\n"
    )
}

/// A command-line argument, escaped for an error message.
pub(crate) fn escaped_argument(argument: &str) -> String {
    one_line(argument, MAX_ARGUMENT_CHARACTERS)
}

/// JSON text with control and invisible characters written as JSON escapes, and a newline at the end.
pub(super) fn escaped_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 1);
    for letter in text.chars() {
        // In the formatted JSON itself, the only control character is the line feed.
        if letter != '\n' && (is_terminal_control(letter) || is_invisible(letter)) {
            let mut units = [0; 2];
            letter.encode_utf16(&mut units).iter().for_each(|unit| shown.push_str(&format!("\\u{unit:04x}")));
        } else {
            shown.push(letter);
        }
    }
    shown.push('\n');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_names_the_tasks_that_still_run() {
        let ids = ["1a2b3c4d", "5e6f7a8b"].map(|id| TaskId::parse(id).expect("a valid ID"));
        assert_eq!(timed_out(&ids), "Timed out. Still running: 1a2b3c4d, 5e6f7a8b.\n");
    }

    #[test]
    fn json_round_trips_without_control_characters() {
        let text = "a\u{1b}[1m\u{202e}\u{9b}\u{7f}\u{200b}\u{e0041} ä\n";
        let shown = escaped_json(&serde_json::to_string(&[text]).expect("text is JSON"));
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\u{7f}', '\u{200b}', '\u{e0041}']), "{shown:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&shown).expect("valid JSON"), [text]);
    }
}
