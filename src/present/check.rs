//! The output of `check`. Each finding has a label, a one-word result and lines of text.
//!
//! Text from outside is escaped, so it can never add a line.

use std::{fmt::Write, path::Path};

use connector_api::{BackendName, Login, Sandbox};

use super::{
    Refused,
    json_output::Output,
    json_parts::{CheckObject, FindingObject},
    message::plain,
};
use crate::task::{Ceiling, Message, Retention, TaskId, message};

/// Width of the title column of `check --deep`, in characters. The longest title is wider than the column.
const TITLE_WIDTH: usize = 42;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckFinding {
    /// The thing that was checked.
    pub(crate) label: String,
    /// The result in one word.
    pub(crate) word: &'static str,
    /// Details.
    pub(crate) lines: Vec<Message>,
}

/// All findings below a heading, in columns that fit their contents. A finding's further lines are indented.
pub(crate) fn report(findings: &[CheckFinding]) -> String {
    let width =
        |column: fn(&CheckFinding) -> &str| findings.iter().map(|finding| column(finding).chars().count()).max();
    let labels = width(|finding| &finding.label).unwrap_or_default();
    let words = width(|finding| finding.word).unwrap_or_default();
    let indent = format!("\n{}", " ".repeat(labels + words + 4));
    let mut text = format!("codex-connector {}\n", env!("CARGO_PKG_VERSION"));
    for CheckFinding { label, word, lines } in findings {
        let lines = lines.iter().map(plain).collect::<Vec<_>>().join(&indent);
        writeln!(text, "{label:<labels$}  {word:<words$}  {lines}").expect("writing to a string cannot fail");
    }
    text
}

/// All findings for a program.
pub(crate) fn report_as_json(findings: &[CheckFinding], is_usable: bool) -> Output {
    let finding = |CheckFinding { label, word, lines }: &CheckFinding| FindingObject {
        name: label.clone(),
        result: (*word).to_owned(),
        details: lines.iter().map(plain).collect(),
    };
    Output::Check(CheckObject {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        usable: is_usable,
        findings: findings.iter().map(finding).collect(),
    })
}

/// The problem and what to do, as lines of a finding.
pub(crate) fn problem(refused: Refused) -> Vec<Message> {
    let next = refused.next.map(|next| message!["next: ", next]);
    [refused.problem].into_iter().chain(next).collect()
}

/// The configuration file.
pub(crate) fn configuration(file: &Path, exists: bool) -> Message {
    message![file, if exists { "" } else { " (no config file; using defaults)" }]
}

/// Environment variables that look like settings but are not.
pub(crate) fn ignored_variables(names: &[String]) -> [Message; 2] {
    [
        names.join(", ").into(),
        "not settings; for example, CODEX_CONNECTOR_TASKS__KEEP_EVENTS sets `tasks.keep_events`".into(),
    ]
}

/// One of the connector's directories is not writable.
pub(crate) fn not_writable(directory: &Path) -> Message {
    message![directory, " is not writable"]
}

/// A backend cannot be checked.
pub(crate) fn not_checked() -> Message {
    "not checked, because the data directory cannot be used".into()
}

/// How the processes of an agent are found: by cgroups in `parent`, if there is one.
pub(crate) fn process_trees(parent: Option<&Path>) -> Vec<Message> {
    match parent {
        Some(parent) => vec![message![
            "one cgroup per task, in ",
            parent,
            "; finds every process that does not move itself to another cgroup"
        ]],
        None if cfg!(target_os = "linux") => vec![
            "no cgroups; processes are found by their parents and their environment".into(),
            "a process that hides from both is found only while its task's supervisor is running".into(),
        ],
        None => vec!["process groups; a process that leaves its group is not found".into()],
    }
}

/// Maximum number of tasks that run at once.
pub(crate) fn limit(max: usize) -> Message {
    message!["at most ", max, " tasks run at once; others wait"]
}

/// The installed git, which can do everything that is needed.
pub(crate) fn git(version: &impl ToString) -> Message {
    message!["version ", version.to_string()]
}

/// The installed git cannot merge.
pub(crate) fn git_cannot_merge(version: &impl ToString, needed: &impl ToString) -> Vec<Message> {
    let lines = [
        format!(
            "version {}; `diff` works, but `undo`, `redo` and `apply` need {}",
            version.to_string(),
            needed.to_string()
        ),
        format!("next: update git to {} or newer", needed.to_string()),
    ];
    lines.into_iter().map(Message::trusted).collect()
}

/// The installed git cannot take snapshots.
pub(crate) fn git_too_old(version: &impl ToString, needed: &impl ToString) -> Vec<Message> {
    let problem = format!("version {}, but snapshots need {}: {NO_SNAPSHOTS}", version.to_string(), needed.to_string());
    let next = format!("next: update git to {} or newer", needed.to_string());
    vec![Message::trusted(problem), Message::trusted(next)]
}

/// Git is not installed.
pub(crate) fn git_missing() -> Vec<Message> {
    vec![Message::trusted(format!("`git` not found on PATH: {NO_SNAPSHOTS}")), "next: install git".into()]
}

/// Git does not report its version.
pub(crate) fn git_unusable(problem: &impl ToString) -> Vec<Message> {
    vec![
        message![problem.to_string(), ": ", NO_SNAPSHOTS],
        "next: run `git version`, and repair the installation of git".into(),
    ]
}

/// The consequence of a git that cannot be used.
const NO_SNAPSHOTS: &str = "what tasks change cannot be shown, undone or applied, and no task gets a worktree";

/// The worktrees that exist, each with its task, its size in bytes, and what is known about it. Lists the largest ones.
pub(crate) fn worktrees<'a>(mut trees: Vec<(&'a TaskId, &'a Path, u64, &'static str)>) -> Vec<Message> {
    const MAX_LISTED_WORKTREES: usize = 10;
    trees.sort_by_key(|(id, _, bytes, _)| (std::cmp::Reverse(*bytes), *id));
    let size = |bytes: u64| bytesize::ByteSize(bytes).display().si().to_string();
    let total = trees.iter().map(|(_, _, bytes, _)| bytes).sum();
    let number = trees.len();
    let noun = if number == 1 { " worktree takes up " } else { " worktrees take up " };
    let listed = trees.into_iter().take(MAX_LISTED_WORKTREES);
    let listed = listed
        .map(|(id, path, bytes, state)| message![path, ": ", size(bytes), ", task ", id.to_string(), ", ", state]);
    let more = number.saturating_sub(MAX_LISTED_WORKTREES);
    let more = (more > 0).then(|| message![more, " more"]);
    std::iter::once(message![number, noun, size(total)]).chain(listed).chain(more).collect()
}

/// The rules for removing old tasks, if there are any.
pub(crate) fn retention(retention: &Retention) -> Vec<Message> {
    let rules = retention.describe().into_iter().enumerate();
    rules.map(|(at, rule)| Message::trusted(if at == 0 { format!("removes {rule}") } else { rule })).collect()
}

/// The rules of a ceiling, and traps in them: roots that do not exist, and defaults that exceed a limit. `sandbox_above`
/// is the key of a default sandbox that does.
pub(crate) fn ceiling<'a>(
    ceiling: &Ceiling,
    missing: impl Iterator<Item = &'a Path>,
    sandbox_above: Option<String>,
    is_timeout_above: bool,
) -> Vec<Message> {
    let missing = missing.map(|root| message![root, " does not exist, so no task can run there"]);
    let sandbox = sandbox_above
        .map(|key| Message::trusted(format!("`{key}` exceeds this limit, so every call must pass `sandbox`")));
    let timeout = is_timeout_above
        .then(|| "`tasks.default_timeout` exceeds this limit, so every call must pass `timeoutMs`".into());
    ceiling.describe().into_iter().map(Message::from).chain(missing).chain(sandbox).chain(timeout).collect()
}

/// An installed backend.
pub(crate) fn backend(version: &str, program: &Path, is_default: bool, sandboxes: &[Sandbox]) -> Vec<Message> {
    let names: Vec<&str> = sandboxes.iter().map(|sandbox: &Sandbox| sandbox.as_str()).collect();
    vec![
        message![version.to_owned(), " at ", program, if is_default { " (the default)" } else { "" }],
        Message::trusted(format!("sandboxes: {}", names.join(", "))),
    ]
}

/// A sandbox of the agent does not work.
pub(crate) fn broken_sandbox(said: String, advice: Option<String>) -> [Message; 2] {
    [said.into(), message!["next: ", advice.unwrap_or_default()]]
}

/// Tasks in `workspace-write` are refused: in the directory `here`, or in every directory.
pub(crate) fn exposed(here: Option<&Path>, why: String, next: String) -> [Message; 2] {
    let scope = here.map_or(Message::default(), |here| message!["in ", here, ", "]);
    [message![scope, "`workspace-write` is refused: ", why], message!["next: ", next]]
}

/// Environment entries that agents receive only without a sandbox, if there are any.
pub(crate) fn omitted(parts: &[String]) -> Option<Message> {
    let words = "passed on only with danger-full-access, because it leads into the project: ";
    (!parts.is_empty()).then(|| message![words, parts.join(", ")])
}

/// Whether the agent is logged in, or why that is unknown.
/// `is_needed` is whether the backend cannot work without a login.
pub(crate) fn login(login: Result<Login, String>, is_needed: bool) -> Vec<Message> {
    match login {
        Ok(Login::No { said, .. }) if !is_needed => {
            vec![message!["login: ", said, ", but the environment or its own settings have a key or a provider"]]
        }
        Ok(Login::Yes(how)) => vec![message!["login: ", how]],
        Ok(Login::No { said, advice }) => vec![message!["login: ", said], message!["next: ", advice]],
        Ok(Login::Unknown) => vec!["login: unknown".into()],
        Err(problem) => vec![message!["login: ", problem]],
    }
}

/// The label of a backend.
pub(crate) fn backend_label(name: &BackendName) -> String {
    format!("backend {name}")
}

/// The label of a ceiling.
pub(crate) fn ceiling_label(name: &BackendName) -> String {
    format!("ceiling {name}")
}

/// The heading of `check --deep`: the backend and its program.
pub(crate) fn deep_heading(name: &str, version: &str, program: &Path) -> String {
    let heading = message![name.to_owned(), " ", version.to_owned(), " at ", program];
    plain(&heading) + "\n"
}

/// One finding of `check --deep`.
pub(crate) fn deep_finding(title: &str, verdict: &str, words: &str) -> String {
    format!("{title:<TITLE_WIDTH$}  {verdict:<7}  {}\n", plain(&words.to_owned().into()))
}

/// The next test of `check --deep`, for stderr.
pub(crate) fn deep_progress(number: usize, count: usize, title: &str) -> String {
    format!("testing {number} of {count}: {title}")
}

/// The end of a failed `check --deep` whose files were removed.
pub(crate) fn logs_removed() -> String {
    "\nto keep the logs of these tasks, add --keep\n".to_owned()
}

/// The end of `check --deep`: `kept` is the directory with the files of its tasks, and `logs` the one in it with their
/// logs.
pub(crate) fn logs_kept(logs: &Path, kept: &Path) -> String {
    let logs = plain(&message!["the logs of these tasks are in ", logs]);
    format!("\n{logs}\n{}\n", plain(&message!["remove ", kept, " when you no longer need them"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_the_longest_name() {
        let finding = |label: &str, word, lines: &[&'static str]| CheckFinding {
            label: label.to_owned(),
            word,
            lines: lines.iter().map(|line| (*line).into()).collect(),
        };
        let limit = finding("limit", "set", &["2 tasks"]);
        let backend = finding("backend with-a-long-name", "PROBLEM", &["first", "second"]);
        let text = report(&[limit, backend]);
        let lines: Vec<_> = text.lines().skip(1).collect();
        let [limit, first, second] = lines.as_slice() else { panic!("{text}") };
        let columns = [limit.find("2 tasks"), first.find("first"), second.find("second")];
        assert!(columns.iter().all(|column| column.is_some() && *column == columns[0]), "{text}");
    }
}
