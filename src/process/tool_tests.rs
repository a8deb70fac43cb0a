//! Tests with shell scripts.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use connector_testing::eventually;

use super::*;
use crate::process::identity_of;

const LONG: Duration = Duration::from_secs(60);

/// A directory for a script and its files, removed on drop.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let program = dir.path().join("tool");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("it is writable");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the test owns it");
        Self(dir)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, stdin: &[u8], deadline: &Deadline) -> (Result<ToolEnd, ToolError>, Vec<u8>) {
        let environment = [("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())].into();
        let task: TaskId = TaskId::parse("1a2b3c4d").expect("it is an ID");
        let (program, directory) = (self.file("tool"), self.0.path());
        let tool =
            Tool { program: &program, args: &[], directory, environment: &environment, stdin, task: Some(&task) };
        let mut stdout = Vec::new();
        (run_tool(&tool, deadline, &mut stdout), stdout)
    }

    /// The PID that the script wrote to the file `pid`.
    fn pid(&self) -> u32 {
        eventually("the PID", LONG, || fs::read_to_string(self.file("pid")).ok()?.trim().parse().ok())
    }
}

#[test]
fn a_tool_gets_its_input_and_its_output_is_passed_on() {
    let input = vec![b'x'; 3 << 20];
    let (end, stdout) = Scratch::new("cat; echo problem >&2; exit 3").run(&input, &Deadline::after(LONG));
    let end = end.expect("it ends by itself");
    assert_eq!((end.exit, end.stderr.as_slice()), (Exit::Code(3), &b"problem\n"[..]));
    assert!(stdout == input, "{} bytes", stdout.len());
}

#[test]
fn a_tool_may_ignore_its_input() {
    let (end, _) = Scratch::new("exit 0").run(&vec![b'x'; 1 << 20], &Deadline::after(LONG));
    assert_eq!(end.expect("it ends by itself").exit, Exit::Code(0));
}

#[test]
fn a_tool_has_the_marker_of_its_task() {
    let (_, stdout) = Scratch::new("echo $CONNECTOR_TASK_IDS").run(b"", &Deadline::after(LONG));
    assert!(stdout.starts_with(b"1a2b3c4d,"), "{}", String::from_utf8_lossy(&stdout));
}

#[test]
fn a_tool_beyond_its_deadline_is_killed_with_everything_that_it_started() {
    for script in ["sleep 300 & echo $! >pid; wait", "setsid sh -c 'echo $$ >pid; exec sleep 300' & sleep 300"] {
        let scratch = Scratch::new(script);
        let (end, _) = scratch.run(b"", &Deadline::after(Duration::from_secs(1)));
        assert!(matches!(end, Err(ToolError::TimedOut)), "{script}: {end:?}");
        let pid = scratch.pid();
        eventually("its end", LONG, || {
            let is_zombie = |_| crate::process::stat::stat(pid).is_none_or(|stat| stat.is_zombie);
            identity_of(pid).is_none_or(is_zombie).then_some(())
        });
    }
}

#[test]
fn work_can_be_cancelled() {
    let is_cancelled = Arc::new(AtomicBool::new(false));
    let deadline = Deadline::new(LONG, Arc::clone(&is_cancelled));
    let scratch = Scratch::new("echo $$ >pid; exec sleep 300");
    let pid = scratch.file("pid");
    let cancel = thread::spawn(move || {
        eventually("the start", LONG, || pid.exists().then_some(()));
        is_cancelled.store(true, Ordering::Relaxed);
    });
    let (end, _) = scratch.run(b"", &deadline);
    assert!(matches!(end, Err(ToolError::Cancelled)), "{end:?}");
    cancel.join().expect("it does not panic");
    assert!(matches!(scratch.run(b"", &deadline).0, Err(ToolError::Cancelled)), "nothing is started any more");
}

#[test]
fn a_process_that_keeps_the_pipes_open_does_not_delay_the_end() {
    let scratch = Scratch::new("sleep 300 & echo $! >pid");
    let start = Instant::now();
    let (end, _) = scratch.run(b"", &Deadline::after(LONG));
    assert_eq!(end.expect("it ends by itself").exit, Exit::Code(0));
    assert!(start.elapsed() < LONG);
    tree::kill_leader_group(scratch.pid());
    let _ = rustix::process::kill_process(
        rustix::process::Pid::from_raw(scratch.pid().cast_signed()).expect("it is a PID"),
        rustix::process::Signal::KILL,
    );
}

#[test]
fn a_program_that_cannot_be_started_is_an_error() {
    let scratch = Scratch::new("");
    fs::remove_file(scratch.file("tool")).expect("it exists");
    assert!(matches!(scratch.run(b"", &Deadline::after(LONG)).0, Err(ToolError::NotStarted(_))));
}
