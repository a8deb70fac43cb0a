//! Servers with few resources: a process limit, a client that does not read, a file system without locks, PID 1.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::{fs::chown, process::CommandExt},
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, Stdio},
    time::Duration,
};

use connector_testing::{
    McpServer, eventually,
    processes::{descendants, zombies},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Signal, kill_process},
};
use serde_json::json;

use crate::world::{ANSWER_TIMEOUT, World, start, task_id, wait_for_end, wait_for_log};

/// A user without processes.
const NOBODY_UID: u32 = 54_321;

/// More threads than a server starts with.
const MAX_THREADS: u32 = 16;

/// A server of a user who may have at most `processes` processes and threads.
fn limited(world: &World, processes: u32) -> Command {
    let mut command = Command::new("prlimit");
    command.arg(format!("--nproc={processes}")).arg("--").arg(env!("CARGO_BIN_EXE_codex-connector"));
    command.env_clear().env("HOME", world.home()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.uid(NOBODY_UID).gid(NOBODY_UID);
    command
}

/// Reports that this test tested nothing. It writes to stderr, which is shown even if the test passes.
fn skip_reason(why: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(io::stderr(), "NOT RUN: {name}: {why}");
}

/// Whether a server can run as a user without processes. Only root can do that, and root itself is not limited.
fn can_drop_to_nobody(world: &World) -> bool {
    let can = is_nobody_possible(world);
    if !can {
        skip_reason("it needs root, and a build directory that other users can enter");
    }
    can
}

fn is_nobody_possible(world: &World) -> bool {
    if !rustix::process::geteuid().is_root() {
        return false;
    }
    for path in [world.home().to_owned(), world.data_dir(), world.data_dir().join("config.toml")] {
        chown(path, Some(NOBODY_UID), Some(NOBODY_UID)).expect("root may give files away");
    }
    // This fails if the program is in a directory that other users cannot enter.
    let version = limited(world, MAX_THREADS).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

#[test]
fn a_server_with_few_processes_reports_that_it_cannot_start_or_answers_every_call() {
    let world = World::with_fake_agent();
    if !can_drop_to_nobody(&world) {
        return;
    }
    for processes in 1..=MAX_THREADS {
        let greet = || {
            let mut server = McpServer::spawn(limited(&world, processes));
            server.initialize();
            server
        };
        if let Ok(mut server) = catch_unwind(AssertUnwindSafe(greet)) {
            let answers = [
                server.call("codex_tasks", json!({}), |_| {}),
                server.call("codex_status", json!({"taskId": "1a2b3c4d"}), |_| {}),
                server.call("codex_agent", json!({"task": "x", "workingDirectory": world.home()}), |_| {}),
            ];
            let is_answered = |text: &str| !text.is_empty() && !text.contains("a bug in codex-connector");
            assert!(answers.iter().all(|answer| is_answered(&answer.text)), "{answers:?}");
            return;
        }
        // Without a client, no thread reads requests, so one more is available and the server may start.
        let output = limited(&world, processes).stdin(Stdio::null()).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let is_reported = said.contains("cannot start the server's threads") && said.contains("\nnext: ");
        assert!(output.status.success() || output.status.code() == Some(1) && is_reported, "{processes}: {output:?}");
    }
    panic!("it does not start with {MAX_THREADS} threads");
}

#[test]
fn waiting_for_a_task_needs_no_new_thread() {
    let world = World::with_fake_agent();
    let done = world.server().call("codex_agent", world.fake(json!([{"say": "done before"}])), |_| {});
    let id = task_id(&done);
    if !can_drop_to_nobody(&world) {
        return;
    }
    let chown = Command::new("chown").arg("-R").arg(NOBODY_UID.to_string()).arg(world.home()).status();
    assert!(chown.expect("`chown` is installed").success());
    let output = limited(&world, 1).args(["wait", &id]).output().expect("the program runs");
    let message = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && message.contains("done before"), "{output:?}");
}

#[test]
fn an_error_on_stdin_is_not_a_clean_exit() {
    let world = World::with_fake_agent();
    let directory = File::open(world.home()).expect("it exists");
    let output = world.command(&[]).stdin(directory).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("stdin cannot be read"), "{output:?}");
    let ended = world.command(&[]).stdin(Stdio::null()).output().expect("the program runs");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[test]
fn a_client_that_does_not_read_answers_has_to_wait() {
    let world = World::with_fake_agent();
    let (stdin, requests) = pipe_with(PipeFlags::CLOEXEC).expect("pipes can be made");
    rustix::io::ioctl_fionbio(&requests, true).expect("a pipe can be non-blocking");
    let mut command = world.command(&[]);
    let mut server = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    drop(command);
    let greeting = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let mut requests = File::from(requests);
    requests.write_all(format!("{greeting}\n{initialized}\n").as_bytes()).expect("the pipe is empty");
    // The pipes, buffers and pending answers together hold far less.
    let lines = format!("{ping}\n").repeat(40_000).into_bytes();
    let mut sent = 0;
    let moment = Timespec::try_from(Duration::from_secs(2)).expect("it is short");
    while sent < lines.len() {
        match requests.write(&lines[sent..]) {
            Ok(written) => sent += written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut end = [PollFd::new(&requests, PollFlags::OUT)];
                if poll(&mut end, Some(&moment)).expect("a pipe can be polled") == 0 {
                    break;
                }
            }
            Err(error) => panic!("the server ended: {error}"),
        }
    }
    assert!(sent < lines.len() / 4, "{sent} bytes were read");
    // It still exits when its client is gone.
    drop((requests, server.stdout.take()));
    eventually("the end of the server", ANSWER_TIMEOUT, || server.try_wait().ok().flatten());
}

#[test]
fn a_data_directory_without_file_locks_is_reported_at_startup_and_by_check() {
    let world = World::with_fake_agent().variable("CONNECTOR_FAULT", "serve:ENOLCK@lock");
    let said = world.server().call("codex_tasks", json!({}), |_| {});
    assert!(said.is_error && said.text.contains("does not support file locks"), "{}", said.text);
    assert!(said.text.contains("next: set `data_dir` to a directory on a local disk"), "{}", said.text);
    let checked = world.command(&["check"]).output().expect("the program runs");
    let report = String::from_utf8_lossy(&checked.stdout);
    assert!(!checked.status.success() && report.contains("does not support file locks"), "{report}");
}

/// A server that is process 1, as in a container; `None` if that is not possible. Usually only root can start one.
fn as_first_process(world: &World) -> Option<McpServer> {
    let program = world.command(&[]);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
    let can = rustix::process::geteuid().is_root()
        && Command::new("unshare")
            .args(["--pid", "--fork", "--mount-proc", "true"])
            .output()
            .is_ok_and(|output| output.status.success());
    can.then(|| {
        command.arg(program.get_program()).env_clear();
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut server = McpServer::spawn(command);
        server.initialize();
        server
    })
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_running_as_pid_1_leaves_no_zombies() {
    let world = World::with_fake_agent();
    let Some(mut server) = as_first_process(&world) else { return skip_reason("it needs root, and `unshare --pid`") };
    let answer = server.call("codex_agent", world.fake(json!([{"say": "hello"}])), |_| {});
    assert!(answer.text.contains("hello"), "{}", answer.text);
    let id = start(&mut server, world.fake(json!([{"say": "here"}, {"sleep": 600}])));
    wait_for_log(&world, &id, "MESSAGE: here");
    let of = |what: &str| {
        let processes = descendants(server.pid()).into_iter();
        processes.filter(|pid| has_name(*pid, what)).collect::<Vec<_>>()
    };
    let supervisor = of("supervise").first().copied().expect("a running task has a supervisor");
    let supervisor = Pid::from_raw(i32::try_from(supervisor).expect("a PID is small")).expect("it is not 0");
    kill_process(supervisor, Signal::KILL).expect("it is ours");
    let status = wait_for_end(&mut server, &id);
    assert!(status.contains("interrupted"), "{status}");
    eventually("no zombies", ANSWER_TIMEOUT, || zombies(server.pid()).is_empty().then_some(()));
}

#[cfg(target_os = "linux")]
fn has_name(pid: u32, what: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(&format!("\0{what}\0")))
}
