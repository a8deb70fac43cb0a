//! Checks that a process named in a record belongs to the task.
//!
//! Records are files, and anyone who can change a file in the data directory can name any process in it. So before we
//! signal a process because a record names it, the process itself must prove that it belongs to the task: an agent by
//! the [marker](TASK_MARKER) in its environment; a supervisor by leading its session, by its program and by its
//! arguments.

#[cfg(target_os = "linux")]
use std::fs;
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use super::TASK_MARKER;
use crate::task::TaskId;

/// Whether the process carries the marker of this task, so it is the task's agent or was started by it.
pub(super) fn is_agent_of(pid: u32, id: &TaskId) -> bool {
    environment(pid).is_some_and(|variables| has_marker(&variables, id))
}

/// Whether the process is the supervisor of this task.
pub(super) fn is_supervisor_of(pid: u32, id: &TaskId) -> bool {
    leads_its_session(pid)
        && runs_this_program(pid)
        && arguments(pid).is_some_and(|words| has_supervise_arguments(&words, id))
}

/// `variables` are separated by NUL bytes on Linux, and by spaces or newlines elsewhere.
fn has_marker(variables: &[u8], id: &TaskId) -> bool {
    variables.split(|byte| SEPARATORS.contains(byte)).any(|variable| {
        let value = variable.strip_prefix(TASK_MARKER.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        value.is_some_and(|ids| ids.split(|byte| *byte == b',').any(|listed| listed == id.as_str().as_bytes()))
    })
}

/// Whether `words` is the command line that the executor gives every supervisor. The program's name is not compared.
fn has_supervise_arguments(words: &[u8], id: &TaskId) -> bool {
    let mut words = words.split(|byte| SEPARATORS.contains(byte)).skip(1);
    words.next() == Some(b"supervise") && words.next() == Some(id.as_str().as_bytes())
}

/// Whether two programs have the same file name, so that one can be a later version of the other. Linux appends
/// ` (deleted)` to the name of a program whose file was replaced.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "other systems do not report a program's file"))]
fn is_same_program(one: &Path, other: &Path) -> bool {
    let name = |path: &Path| {
        let name = path.file_name().map(OsStr::as_bytes)?;
        Some(name.strip_suffix(b" (deleted)").unwrap_or(name).to_vec())
    };
    name(one).is_some() && name(one) == name(other)
}

#[cfg(target_os = "linux")]
const SEPARATORS: &[u8] = b"\0";

#[cfg(target_os = "linux")]
fn environment(pid: u32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/environ")).ok()
}

#[cfg(target_os = "linux")]
fn arguments(pid: u32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/cmdline")).ok()
}

#[cfg(target_os = "linux")]
fn leads_its_session(pid: u32) -> bool {
    super::stat::stat(pid).is_some_and(|stat| stat.session == pid)
}

#[cfg(target_os = "linux")]
fn runs_this_program(pid: u32) -> bool {
    let program = |process: &str| fs::read_link(format!("/proc/{process}/exe"));
    let (Ok(theirs), Ok(ours)) = (program(&pid.to_string()), program("self")) else { return false };
    is_same_program(&theirs, &ours)
}

// Untested: nobody has run this on macOS.
#[cfg(not(target_os = "linux"))]
const SEPARATORS: &[u8] = b" \n";

/// The command line and then the environment, as `ps` prints them for processes of the same user.
#[cfg(not(target_os = "linux"))]
fn environment(pid: u32) -> Option<Vec<u8>> {
    super::identity::answer_of("ps", &["eww", "-o", "command=", "-p", &pid.to_string()]).map(String::into_bytes)
}

#[cfg(not(target_os = "linux"))]
fn arguments(pid: u32) -> Option<Vec<u8>> {
    super::identity::answer_of("ps", &["-ww", "-o", "command=", "-p", &pid.to_string()]).map(String::into_bytes)
}

/// `ps` marks a session leader with `s` among its state flags.
#[cfg(not(target_os = "linux"))]
fn leads_its_session(pid: u32) -> bool {
    super::identity::answer_of("ps", &["-o", "stat=", "-p", &pid.to_string()]).is_some_and(|flags| flags.contains('s'))
}

/// Not checked here: only the arguments are compared.
#[cfg(not(target_os = "linux"))]
fn runs_this_program(_pid: u32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> TaskId {
        TaskId::parse("0123abcd").expect("a valid ID")
    }

    #[test]
    fn only_the_tasks_own_marker_counts() {
        let carries = |text: &str| has_marker(text.replace('|', "\0").as_bytes(), &id());
        for marked in ["CONNECTOR_TASK_IDS=0123abcd", "A=1|CONNECTOR_TASK_IDS=11111111,0123abcd|B=2|"] {
            assert!(carries(marked), "{marked}");
        }
        for other in [
            "",
            "CONNECTOR_TASK_IDS=",
            "CONNECTOR_TASK_IDS=0123abce",
            "CONNECTOR_TASK_IDS=0123abcdd",
            "XCONNECTOR_TASK_IDS=0123abcd",
            "A=CONNECTOR_TASK_IDS=0123abcd",
        ] {
            assert!(!carries(other), "{other}");
        }
    }

    #[test]
    fn only_the_command_line_of_this_tasks_supervisor_counts() {
        let is_supervisor_of = |line: &str| has_supervise_arguments(line.replace(' ', "\0").as_bytes(), &id());
        assert!(is_supervisor_of("codex-connector supervise 0123abcd --data-dir /x"));
        for other in ["", "supervise 0123abcd", "codex-connector supervise 0123abce", "codex-connector check 0123abcd"]
        {
            assert!(!is_supervisor_of(other), "{other}");
        }
    }

    #[test]
    fn a_program_replaced_by_an_update_is_still_recognized() {
        let same = |one: &str, other: &str| is_same_program(Path::new(one), Path::new(other));
        assert!(same("/usr/bin/codex-connector", "/usr/bin/codex-connector"));
        assert!(same("/usr/bin/codex-connector (deleted)", "/usr/bin/codex-connector"));
        assert!(same("/home/x/.npm/_npx/1/codex-connector", "/home/x/.npm/_npx/2/codex-connector"));
        assert!(!same("/usr/bin/sleep", "/usr/bin/codex-connector"));
        assert!(!same("/", "/"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_unrelated_process_is_neither_an_agent_nor_a_supervisor() {
        use std::{
            process::{Command, Stdio},
            time::Duration,
        };

        use connector_testing::eventually;

        let id = id();
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        // `read` is a shell builtin, so the process remains the shell and keeps the arguments of a supervisor.
        fs::write(dir.path().join("supervise"), "read line\n").expect("it is writable");
        let start = |command: &mut Command| {
            let command = command.env_remove(TASK_MARKER).current_dir(&dir).stdin(Stdio::piped());
            command.spawn().expect("util-linux is installed")
        };
        // Both lead their sessions, and the second also has the arguments of a supervisor.
        let mut leader = start(Command::new("setsid").arg("cat"));
        let mut pretender = start(Command::new("setsid").args(["sh", "supervise", id.as_str()]));
        let mut marked =
            Command::new("cat").env(TASK_MARKER, id.as_str()).stdin(Stdio::piped()).spawn().expect("cat is installed");
        // Until a program has been loaded, the kernel shows neither its arguments nor its environment.
        let has_started = |pid, word: &[u8]| {
            let has_environment = environment(pid).is_some_and(|variables| !variables.is_empty());
            has_environment && arguments(pid).is_some_and(|words| words.starts_with(word))
        };
        eventually("the start of all programs, two of them as session leaders", Duration::from_secs(60), || {
            let are_leaders = leads_its_session(leader.id()) && leads_its_session(pretender.id());
            let have_started = has_started(leader.id(), b"cat\0")
                && has_started(pretender.id(), b"sh\0")
                && has_started(marked.id(), b"cat\0");
            (are_leaders && have_started).then_some(())
        });
        assert!(has_supervise_arguments(&arguments(pretender.id()).expect("it runs"), &id), "only its program differs");
        for child in [&leader, &pretender] {
            assert!(!is_supervisor_of(child.id(), &id) && !is_agent_of(child.id(), &id));
        }
        assert!(is_agent_of(marked.id(), &id) && !is_supervisor_of(marked.id(), &id));
        for child in [&mut leader, &mut pretender, &mut marked] {
            child.kill().and_then(|()| child.wait().map(drop)).expect("it is a child of this test");
        }
    }
}
