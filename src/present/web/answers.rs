//! Refusals of the web UI, the results of its actions, and what its server prints in a terminal.

use std::net::SocketAddr;

use super::links::{self, Action};
use crate::{
    present::{
        Refused,
        operations::{file_count, recovery, still_running, them},
    },
    task::{Message, MessagePart, OperationKind, OperationResult, TaskId, message},
};

const SEE_TASKS: &str = "start at the list of tasks: /tasks";

/// There is nothing at this address.
pub(crate) fn no_page() -> Refused {
    Refused::new("there is no page at this address", SEE_TASKS)
}

/// The parameters of an address or a form are too long, or there are too many.
pub(crate) fn parameters_too_long() -> Refused {
    Refused::new("the address has too many parameters, or they are too long", SEE_TASKS)
}

/// The parameters are not percent-encoded text.
pub(crate) fn parameters_malformed() -> Refused {
    Refused::new("the parameters of this address are not percent-encoded UTF-8", SEE_TASKS)
}

/// A parameter is given twice.
pub(crate) fn parameter_repeated(name: &str) -> Refused {
    Refused::new(message!["the parameter ", MessagePart::quoted(name), " is given more than once"], SEE_TASKS)
}

/// A parameter does not belong to the address.
pub(crate) fn parameter_unknown(name: &str) -> Refused {
    Refused::new(message!["this page has no parameter ", MessagePart::quoted(name)], SEE_TASKS)
}

/// A parameter has an invalid value.
pub(crate) fn parameter_invalid(name: &'static str) -> Refused {
    Refused::new(message!["the parameter ", MessagePart::quoted(name), " has an invalid value"], SEE_TASKS)
}

/// The address cannot be requested with this method.
pub(crate) fn wrong_method(allowed: &'static str) -> Refused {
    Refused::new("this address does not support the method of the request", message!["use ", allowed])
}

/// A request that changes something was not sent by one of our pages.
pub(crate) fn not_our_form() -> Refused {
    Refused::new(
        "this request was not sent by a page of this server, or the page is out of date",
        "go back, reload the page and try again",
    )
}

/// The page of another origin embeds or fetches one of our pages.
pub(crate) fn other_origin() -> Refused {
    Refused::new("pages of other origins may not embed or fetch this page", "open it in its own tab")
}

/// Another user of this machine opened a one-time address.
pub(crate) fn other_user() -> Refused {
    Refused::new(
        "this address is for another user of this machine",
        "sign in with the token, if you may read it: /login",
    )
}

/// The server was started without `--actions`.
pub(crate) fn actions_off(id: &TaskId, action: Action) -> Refused {
    Refused::new(
        "this server is read-only",
        message![
            "run `codex-connector ",
            action.as_str(),
            " ",
            id,
            "` in a terminal, or start `codex-connector web --actions`"
        ],
    )
}

/// The text of a new turn is empty.
pub(crate) fn no_text() -> Refused {
    Refused::new("the text for the agent is empty", "go back and describe what the agent should do next")
}

/// There are too many event streams.
pub(crate) fn too_many_streams() -> Refused {
    Refused::new("too many pages are open", "close some of them, or reload this one later")
}

/// The file of a download does not exist.
pub(crate) fn nothing_to_download(id: &TaskId) -> Refused {
    Refused::new(message!["task ", id, " has no such file"], "wait until the task has ended, then try again")
}

/// A task was asked to stop. `has_ended` is whether it has.
pub(crate) fn cancelled(id: &TaskId, has_ended: bool) -> Vec<Message> {
    match has_ended {
        true => vec![message!["Task ", id, " was cancelled. Files that its agent changed were left as they are."]],
        false => vec![message!["Task ", id, " is still being stopped."]],
    }
}

/// A task that should be cancelled had already ended.
pub(crate) fn had_ended(id: &TaskId) -> Vec<Message> {
    vec![message!["Task ", id, " had already ended."]]
}

/// A session was continued in a new task.
pub(crate) fn resumed(earlier: &TaskId) -> Vec<Message> {
    vec![message!["This task continues the session of task ", earlier, "."]]
}

/// The outcome of an undo, a redo or an apply.
pub(crate) fn operated(id: &TaskId, result: &OperationResult) -> Vec<Message> {
    let OperationResult { kind, top: _, is_check: _, files, unnamed, branch: _, recovered, running } = result;
    let count = Message::trusted(file_count(files.len()));
    let done = match kind {
        _ if files.is_empty() => message!["Nothing to do: no file had to be changed."],
        OperationKind::Undo => message!["Reverted the changes of task ", id, " in ", count, "."],
        OperationKind::Redo => message!["Made the changes of task ", id, " again in ", count, "."],
        OperationKind::Apply => message!["Applied the changes of task ", id, " to ", count, "."],
    };
    let notes = recovered.iter().map(recovery).chain(still_running(running));
    let mut sentences: Vec<_> = notes.map(|note| message!["Note: ", note, "."]).collect();
    sentences.push(done);
    if !unnamed.is_empty() {
        let (number, pronoun) = (unnamed.len(), them(unnamed.len()));
        sentences.push(message![
            "Skipped ",
            Message::trusted(file_count(number)),
            " that the agent did not report changing. To revert ",
            pronoun,
            " too: `codex-connector undo ",
            id,
            " --all`",
        ]);
    }
    sentences
}

/// For a browser that is now signed in, and opens the pages by itself.
pub(crate) const SIGNED_IN: &str = "Signed in. The list of tasks is at /tasks.\n";

/// The address that signs in one browser. `path` is that of [`links::login`].
pub(crate) fn sign_in_address(address: SocketAddr, path: &str) -> String {
    format!("http://{address}{path}")
}

/// The address of the web UI for a person who signs in with the token.
pub(crate) fn plain_address(address: SocketAddr) -> String {
    format!("http://{address}{}", links::tasks(&Default::default()))
}

/// Lines about its web UI that a server prints below its own address.
pub(crate) fn serves_web_ui(address: SocketAddr, path: &str) -> String {
    format!("web UI: {}\n", sign_in_address(address, path))
}

/// The same, on an address that other machines can reach.
pub(crate) fn serves_remote_web_ui(address: SocketAddr) -> String {
    format!("web UI: {}\n", plain_address(address))
}

/// How to use and stop the server of `web`.
pub(crate) const HOW_TO_STOP: &str =
    "Open this address in a browser on this machine. It works once, for 10 minutes. Press Ctrl-C to stop the server.";

/// `web --open` found no program that opens a browser, or it failed.
pub(crate) fn no_browser() -> Refused {
    Refused::new("no browser could be opened", "open the address yourself")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::plain;

    #[test]
    fn an_operation_says_what_it_did_and_what_it_left() {
        let id = TaskId::parse("1a2b3c4d").expect("a valid ID");
        let mut result = OperationResult {
            kind: OperationKind::Undo,
            top: "/project".into(),
            is_check: false,
            files: vec![crate::task::GitPath::from_bytes("a")],
            unnamed: vec![],
            branch: None,
            recovered: vec![],
            running: vec![],
        };
        let words = |result: &OperationResult| operated(&id, result).iter().map(plain).collect::<Vec<_>>();
        assert_eq!(words(&result), ["Reverted the changes of task 1a2b3c4d in 1 file."]);
        result.unnamed = vec![crate::task::GitPath::from_bytes("b")];
        assert!(words(&result)[1].ends_with("To revert it too: `codex-connector undo 1a2b3c4d --all`"));
        result.files.clear();
        assert_eq!(words(&result)[0], "Nothing to do: no file had to be changed.");
    }

    #[test]
    fn a_refused_action_names_the_command() {
        let id = TaskId::parse("1a2b3c4d").expect("a valid ID");
        let refused = actions_off(&id, Action::Undo).plain();
        assert!(refused.contains("`codex-connector undo 1a2b3c4d` in a terminal"), "{refused}");
        assert!(refused.contains("`codex-connector web --actions`"), "{refused}");
    }
}
