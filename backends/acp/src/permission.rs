//! Answers an agent's requests for permission.
//!
//! Such requests are not a sandbox, because an agent decides for itself whether to ask. The answer
//! permits what the sandbox of the task permits, and only for this call if possible.

use std::path::{Component, Path, PathBuf};

use connector_api::{AgentRequest, Sandbox};
use serde_json::{Value, json};

/// The answer to `session/request_permission` that allows the call, only once if possible.
pub(crate) fn allow(params: &Value) -> Value {
    select_option(params, ["allow_once", "allow_always"])
}

/// The answer that denies the call.
pub(crate) fn deny(params: &Value) -> Value {
    select_option(params, ["reject_once", "reject_always"])
}

/// Selects the first option of these kinds that the agent offers, or cancels the request.
fn select_option(params: &Value, kinds: [&str; 2]) -> Value {
    let options = params["options"].as_array().map_or(&[][..], Vec::as_slice);
    let option = kinds.iter().find_map(|kind| options.iter().find(|option| option["kind"] == *kind));
    match option.and_then(|option| option["optionId"].as_str()) {
        Some(id) => json!({"outcome": {"outcome": "selected", "optionId": id}}),
        None => json!({"outcome": {"outcome": "cancelled"}}),
    }
}

/// Describes a call in the agent's own words, with the files that it names.
pub(crate) fn describe(call: &Value) -> String {
    let title = call["title"].as_str().or(call["kind"].as_str()).unwrap_or("an unnamed action");
    let paths = call["locations"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let paths = paths.filter_map(|location| location["path"].as_str()).filter(|path| !title.contains(path));
    std::iter::once(title).chain(paths).collect::<Vec<_>>().join(" ")
}

/// Whether the sandbox of the task allows a call.
pub(crate) fn is_allowed(request: &AgentRequest, call: &Value) -> bool {
    let kind = call["kind"].as_str().unwrap_or("other");
    let only_reads = matches!(kind, "read" | "search" | "think");
    match request.sandbox {
        Sandbox::DangerFullAccess => true,
        Sandbox::ReadOnly => only_reads,
        Sandbox::WorkspaceWrite => {
            only_reads || (matches!(kind, "edit" | "delete" | "move") && is_inside(request, call))
        }
    }
}

/// Whether all files that the call names are in the working directory. False if it names none, because it could then
/// change any file.
fn is_inside(request: &AgentRequest, call: &Value) -> bool {
    let locations =
        call["locations"].as_array().map_or(&[][..], Vec::as_slice).iter().map(|location| &location["path"]);
    let diffs = call["content"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let diffs = diffs.filter(|content| content["type"] == "diff").map(|content| &content["path"]);
    let mut named = locations.chain(diffs).peekable();
    named.peek().is_some()
        && named.all(|path| {
            path.as_str().is_some_and(|path| {
                normalized(&request.working_directory, path).starts_with(&request.working_directory)
            })
        })
}

/// The path without `.` and `..`. Symbolic links are not resolved; they are a matter for the sandbox.
fn normalized(directory: &Path, path: &str) -> PathBuf {
    let mut normalized = PathBuf::new();
    for component in directory.join(path).components() {
        match component {
            Component::ParentDir => drop(normalized.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normalized.push(component),
        }
    }
    normalized
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(sandbox: Sandbox, call: Value) -> Value {
        let request = AgentRequest::new("x", "/project", sandbox);
        let options = json!([
            {"optionId": "always", "name": "Always", "kind": "allow_always"},
            {"optionId": "yes", "name": "Yes", "kind": "allow_once"},
            {"optionId": "no", "name": "No", "kind": "reject_once"},
        ]);
        let params = json!({"options": options});
        let answer = if is_allowed(&request, &call) { allow(&params) } else { deny(&params) };
        answer["outcome"]["optionId"].clone()
    }

    #[test]
    fn each_sandbox_allows_what_it_promises() {
        let edit = |path: &str| json!({"kind": "edit", "locations": [{"path": path}]});
        let (command, read) = (json!({"kind": "execute", "title": "rm -rf /"}), json!({"kind": "read"}));
        for (sandbox, call, expected) in [
            (Sandbox::ReadOnly, read.clone(), "yes"),
            (Sandbox::ReadOnly, edit("/project/a"), "no"),
            (Sandbox::ReadOnly, command.clone(), "no"),
            (Sandbox::ReadOnly, json!({}), "no"),
            (Sandbox::WorkspaceWrite, edit("/project/a"), "yes"),
            (Sandbox::WorkspaceWrite, edit("a/../b"), "yes"),
            (Sandbox::WorkspaceWrite, edit("/project/../etc/passwd"), "no"),
            (Sandbox::WorkspaceWrite, edit("/projects/a"), "no"),
            (Sandbox::WorkspaceWrite, json!({"kind": "edit"}), "no"),
            (Sandbox::WorkspaceWrite, json!({"kind": "edit", "content": [{"type": "diff", "path": "/etc/x"}]}), "no"),
            (Sandbox::WorkspaceWrite, command.clone(), "no"),
            (Sandbox::DangerFullAccess, command, "yes"),
            (Sandbox::DangerFullAccess, json!({}), "yes"),
        ] {
            assert_eq!(outcome(sandbox, call.clone()), expected, "{sandbox}: {call}");
        }
    }

    #[test]
    fn without_a_matching_option_the_request_is_cancelled() {
        let only_yes = json!({"options": [{"optionId": "yes", "kind": "allow_once"}]});
        assert_eq!(deny(&only_yes), json!({"outcome": {"outcome": "cancelled"}}));
        assert_eq!(deny(&json!(null)), json!({"outcome": {"outcome": "cancelled"}}));
    }

    #[test]
    fn a_denied_action_is_described_with_its_files() {
        let edit = json!({"title": "Edit files", "kind": "edit", "locations": [{"path": "/etc/x"}]});
        assert_eq!(describe(&edit), "Edit files /etc/x");
        assert_eq!(describe(&json!({"title": "Write /etc/x", "locations": [{"path": "/etc/x"}]})), "Write /etc/x");
        assert_eq!(describe(&json!({"kind": "execute"})), "execute");
    }
}
