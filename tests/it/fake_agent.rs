//! Tests of the fake agent itself, for behavior that is not visible through the server: exit codes, error messages,
//! signals.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use connector_testing::{eventually, signals::restore_for_children};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};

use crate::world::{ANSWER_TIMEOUT, pid_in};

const CLAUDE: &[&str] = &["-p", "--output-format", "stream-json", "--verbose", "--permission-mode=bypassPermissions"];
const GEMINI: &[&str] = &["--output-format=stream-json", "--approval-mode=yolo"];
const OPENCODE: &[&str] = &["run", "--format", "json"];

/// The agent of this dialect, which works on `prompt` in `directory` and keeps its sessions there.
fn begin(dialect: &str, args: &[&str], prompt: &str, directory: &Path) -> Child {
    restore_for_children();
    let mut agent = Command::new(env!("CARGO_BIN_EXE_fake-agent"))
        .args(args)
        .env("FAKE_AGENT", dialect)
        .env("FAKE_AGENT_SESSIONS", directory.join("sessions"))
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the fake agent starts");
    let mut stdin = agent.stdin.take().expect("stdin is piped");
    // An agent that rejects its command line does not read stdin.
    let _ = stdin.write_all(prompt.as_bytes());
    agent
}

fn run(dialect: &str, args: &[&str], prompt: &str, directory: &Path) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        begin(dialect, args, prompt, directory).wait_with_output().expect("the fake agent ends");
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (status.code(), stdout, stderr)
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

#[test]
fn each_agent_fails_with_its_own_exit_code_and_message() {
    let here = directory();
    let with = |args: &[&'static str], more: &'static str| args.iter().copied().chain([more]).collect::<Vec<_>>();
    let fail = "Fail with this message: `out of luck`";
    for (dialect, args, prompt, code, words) in [
        ("claude", CLAUDE.to_vec(), fail, 1, "API Error: 400 out of luck"),
        ("claude", with(CLAUDE, "--resume=nobody"), "x", 1, "No conversation found with session ID: nobody"),
        ("claude", with(CLAUDE, "--model=no-such-model"), "x", 1, "issue with the selected model"),
        ("claude", vec!["-p", "--output-format=stream-json"], "x", 1, "requires --verbose"),
        ("claude", CLAUDE.to_vec(), " ", 1, "Input must be provided"),
        ("gemini", GEMINI.to_vec(), fail, 144, "[API Error: "),
        ("gemini", with(GEMINI, "--resume=nobody"), "x", 1, "Error resuming session"),
        ("gemini", with(GEMINI, "--model=no-such-model"), "x", 148, "is not found"),
        ("opencode", OPENCODE.to_vec(), fail, 1, "\"name\":\"APIError\""),
        ("opencode", with(OPENCODE, "--session=nobody"), "x", 1, "Session not found"),
        ("opencode", with(OPENCODE, "--model=mock/no-such-model"), "x", 1, "Check server logs"),
        ("text", vec!["--resume", "nobody"], "x", 1, "unknown session nobody"),
    ] {
        let (found, stdout, stderr) = run(dialect, &args, prompt, here.path());
        assert_eq!(found, Some(code), "{dialect} {args:?}: {stdout}{stderr}");
        assert!((stdout + &stderr).contains(words), "{dialect} {args:?}");
    }
}

#[test]
fn the_memory_of_a_session_survives_into_its_next_run() {
    for (dialect, args, flag) in [("gemini", GEMINI, "--resume="), ("opencode", OPENCODE, "--session=")] {
        let here = directory();
        let (code, ..) = run(dialect, args, "Reply with exactly this word: `pear`", here.path());
        assert_eq!(code, Some(0), "{dialect}");
        let sessions = fs::read_dir(here.path().join("sessions")).expect("it keeps them").flatten();
        let session = sessions.map(|file| file.file_name().into_string().unwrap_or_default()).next();
        let resume = format!("{flag}{}", session.expect("one was kept"));
        let args: Vec<_> = args.iter().copied().chain([resume.as_str()]).collect();
        let before = "Reply with exactly the word you replied with before.";
        assert!(run(dialect, &args, before, here.path()).1.contains("pear"), "{dialect}");
    }
}

#[test]
fn each_agent_reacts_to_signals_in_its_own_way() {
    // The agent's exit code or negative signal if a signal arrives during a command (`None` if it keeps running), and
    // whether the command keeps running.
    for (dialect, args, signal, expected, is_left) in [
        ("codex", &["exec", "--json", "-"] as &[&str], Signal::INT, Some(1), false),
        ("claude", CLAUDE, Signal::INT, Some(0), false),
        ("claude", CLAUDE, Signal::TERM, Some(143), false),
        ("gemini", GEMINI, Signal::TERM, None, true),
        ("opencode", OPENCODE, Signal::INT, Some(-2), true),
        ("opencode", OPENCODE, Signal::TERM, Some(-15), true),
        ("text", &[], Signal::TERM, Some(-15), true),
    ] {
        let here = directory();
        let file = here.path().join("pid");
        let task = format!("Run the shell command: `echo $$ > {}; sleep 60; true`", file.display());
        let mut agent = begin(dialect, args, &task, here.path());
        let command = i32::try_from(pid_in(&file)).ok().and_then(Pid::from_raw).expect("a valid PID");
        let itself = i32::try_from(agent.id()).ok().and_then(Pid::from_raw).expect("a valid PID");
        kill_process(itself, signal).expect("it is ours");
        match expected {
            None => {
                std::thread::sleep(std::time::Duration::from_millis(300));
                assert!(agent.try_wait().expect("it is ours").is_none(), "{dialect} {signal:?}");
                agent.kill().expect("it is ours");
                agent.wait().expect("it is ours");
            }
            Some(expected) => {
                let status =
                    eventually("the end of the agent", ANSWER_TIMEOUT, || agent.try_wait().expect("it is ours"));
                let ended = std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| -signal);
                assert_eq!(status.code().or(ended), Some(expected), "{dialect} {signal:?}");
            }
        }
        if is_left {
            test_kill_process(command).unwrap_or_else(|problem| panic!("{dialect} {signal:?}: {problem}"));
            kill_process_group(command, Signal::KILL).expect("it leads its session");
        } else {
            eventually("the end of the command", ANSWER_TIMEOUT, || test_kill_process(command).is_err().then_some(()));
        }
    }
}

#[test]
fn a_cancelled_acp_turn_is_answered_and_leaves_its_command_running() {
    let here = directory();
    let file = here.path().join("pid");
    let task = format!("Run the shell command: `echo $$ > {}; sleep 60; true`", file.display());
    let mut agent = Command::new(env!("CARGO_BIN_EXE_fake-agent"))
        .env("FAKE_AGENT", "acp")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the fake agent starts");
    let mut stdin = agent.stdin.take().expect("stdin is piped");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(agent.stdout.take().expect("stdout is piped")));
    let mut receive = |id: u64| loop {
        let line = lines.next().expect("it answers").expect("its answer is text");
        let message: serde_json::Value = serde_json::from_str(&line).expect("its answer is JSON");
        if message["id"] == id {
            return message["result"].clone();
        }
    };
    let mut send = |message: serde_json::Value| writeln!(stdin, "{message}").expect("it reads");
    send(serde_json::json!({"id": 1, "method": "session/new", "params": {"cwd": here.path(), "mcpServers": []}}));
    let session = receive(1)["sessionId"].clone();
    send(serde_json::json!({"id": 9, "method": "session/set_mode",
        "params": {"sessionId": session, "modeId": "full-access"}}));
    receive(9);
    let prompt = |text: &str| serde_json::json!({"sessionId": session, "prompt": [{"type": "text", "text": text}]});
    send(serde_json::json!({"id": 2, "method": "session/prompt", "params": prompt(&task)}));
    let command = i32::try_from(pid_in(&file)).ok().and_then(Pid::from_raw).expect("a valid PID");
    send(serde_json::json!({"method": "session/cancel", "params": {"sessionId": session}}));
    assert_eq!(receive(2)["stopReason"], "cancelled");
    test_kill_process(command).expect("the command still runs");
    send(serde_json::json!({"id": 3, "method": "session/prompt", "params": prompt("hello")}));
    assert_eq!(receive(3)["stopReason"], "end_turn");
    kill_process_group(command, Signal::KILL).expect("it leads its session");
    drop(stdin);
    assert!(agent.wait().expect("it is ours").success());
}
