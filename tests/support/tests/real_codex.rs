//! Tests the scripted model with the newest and the oldest supported version of the real Codex.
//!
//! These tests install both from npm, and fail if that is not possible.

use std::{
    io::Write,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use connector_testing::{
    GitProject, ScriptStep, ScriptedModel,
    codex::{CodexHome, NEWEST, install},
    eventually,
    scripted_model::Fail,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const OLDEST_VERSION: &str = "0.47.0";
/// Codex retries a cut stream for about 7 s, and the machine may be busy.
const TURN_DEADLINE: Duration = Duration::from_secs(120);

/// A running Codex. It is stopped when dropped, so that a failing test leaves nothing behind.
struct CodexRun {
    child: Child,
    home: CodexHome,
}

impl Drop for CodexRun {
    /// Interrupts the child before killing it. The child is npm's shim: it passes on an interrupt, but if it is
    /// killed, Codex itself keeps running.
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_secs(10);
        let mut interrupted = false;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            if !interrupted {
                interrupted = kill_process(Pid::from_child(&self.child), Signal::INT).is_ok();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(version: &str, model: &ScriptedModel, project: &GitProject, prompt: &str) -> CodexRun {
    let program = install(version).unwrap_or_else(|problem| panic!("{problem}"));
    let home = CodexHome::new(&model.base_url(), "gpt-5.5");
    let mut command = home.command(&program);
    command.args(["exec", "--json", "--sandbox", "danger-full-access", "-"]).current_dir(project.path());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(prompt.as_bytes()).expect("Codex reads its prompt");
    CodexRun { child, home }
}

/// Runs Codex, and returns the JSON that it printed and its exit code.
fn run(version: &str, model: &ScriptedModel, project: &GitProject, prompt: &str) -> (Vec<Value>, Option<i32>) {
    let mut run = start(version, model, project, prompt);
    let stdout = run.child.stdout.take().expect("stdout is a pipe");
    let reader =
        std::thread::spawn(move || serde_json::Deserializer::from_reader(stdout).into_iter().flatten().collect());
    let status = eventually("the end of Codex", TURN_DEADLINE, || run.child.try_wait().expect("Codex is our child"));
    (reader.join().expect("the reader does not panic"), status.code())
}

/// The completed items of this type.
fn items<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let completed = events.iter().filter(|event| event["type"] == "item.completed");
    completed.map(|event| &event["item"]).filter(|item| item["type"] == kind).collect()
}

fn last_message(events: &[Value]) -> &str {
    items(events, "agent_message").last().and_then(|item| item["text"].as_str()).unwrap_or_default()
}

/// Codex thinks, runs a command, patches a file, and answers.
fn does_everything(version: &str) {
    let (model, project) = (ScriptedModel::start(), GitProject::new());
    let patch = "*** Begin Patch\\n*** Add File: new.txt\\n+patched\\n*** End Patch\\n";
    let prompt = format!(
        r#"SCRIPT[{{"think": "planning"}}, {{"say": "first"}}, {{"shell": "echo hi; exit 3"}},
            {{"patch": "{patch}"}}, {{"usage": {{"input": 7, "cached": 5, "output": 2}}}}, {{"say": "done"}}]"#
    );
    let (events, code) = run(version, &model, &project, &prompt);
    assert_eq!(code, Some(0), "{events:#?}");
    assert_eq!(items(&events, "reasoning")[0]["text"], "planning");
    assert_eq!(last_message(&events), "done");
    let command = items(&events, "command_execution")[0];
    assert_eq!((&command["exit_code"], &command["aggregated_output"]), (&3.into(), &"hi\n".into()));
    assert_eq!(items(&events, "file_change").len(), 1, "{events:#?}");
    assert_eq!(project.read("new.txt").as_deref(), Some("patched\n"));
    let usage = &events.last().expect("a turn ends with an event")["usage"];
    assert_eq!(usage["input_tokens"], 207, "two responses of 100 and one of 7");
    assert_eq!(model.requests().len(), 3);
    assert_eq!(model.requests()[2].model, "gpt-5.5");
    assert_eq!(model.requests()[2].prompt, prompt);
}

/// The provider rejects the request.
fn fails(version: &str) {
    let (model, project) = (ScriptedModel::start(), GitProject::new());
    let prompt = r#"SCRIPT[{"fail": {"status": 400, "message": "no such thing"}}]"#;
    let (events, code) = run(version, &model, &project, prompt);
    assert_eq!(code, Some(1));
    let last = events.last().expect("a failure is an event");
    assert_eq!(last["type"], "turn.failed");
    assert!(last["error"]["message"].as_str().is_some_and(|text| text.contains("no such thing")), "{last}");
}

#[test]
fn the_newest_codex_thinks_runs_patches_and_answers() {
    does_everything(NEWEST);
}

#[test]
fn the_oldest_codex_thinks_runs_patches_and_answers() {
    does_everything(OLDEST_VERSION);
}

#[test]
fn a_provider_error_reaches_the_newest_codex() {
    fails(NEWEST);
}

#[test]
fn a_provider_error_reaches_the_oldest_codex() {
    fails(OLDEST_VERSION);
}

#[test]
fn a_long_prompt_of_any_text_arrives_byte_for_byte() {
    let (model, project) = (ScriptedModel::with_script(vec![ScriptStep::Say("got it".into())]), GitProject::new());
    let prompt = "--help \u{1F980} SCRIPT[ \"quoted\"\n".repeat(11_000);
    assert!(prompt.len() > 300_000);
    let (events, code) = run(NEWEST, &model, &project, &prompt);
    assert_eq!((code, last_message(&events)), (Some(0), "got it"));
    assert!(model.requests()[0].prompt == prompt, "the prompt was changed on its way");
}

#[test]
fn a_temporary_failure_is_retried_and_the_script_continues() {
    let fail = Fail { status: 500, times: Some(2), ..Fail::default() };
    let model = ScriptedModel::with_script(vec![ScriptStep::Fail(fail), ScriptStep::Say("at last".into())]);
    let (events, code) = run(NEWEST, &model, &GitProject::new(), "anything");
    assert_eq!((code, last_message(&events)), (Some(0), "at last"));
    assert_eq!(model.requests().len(), 3);
}

#[test]
fn a_failure_inside_the_stream_ends_the_turn() {
    let model = ScriptedModel::start();
    let prompt = r#"SCRIPT[{"error": {"message": "too long", "code": "context_length_exceeded"}}]"#;
    let (events, code) = run(NEWEST, &model, &GitProject::new(), prompt);
    assert_eq!(code, Some(1));
    let message = events.last().expect("a failure is an event")["error"]["message"].to_string();
    assert!(message.contains("ran out of room"), "{message}");
}

#[test]
fn a_cut_connection_is_noticed_and_retried() {
    let model = ScriptedModel::start();
    let (events, code) = run(NEWEST, &model, &GitProject::new(), r#"SCRIPT[{"say": "half"}, {"drop": true}]"#);
    assert_eq!((code, last_message(&events)), (Some(1), "half"));
    assert!(model.requests().len() > 1);
    let message = events.last().expect("a failure is an event")["error"]["message"].to_string();
    assert!(message.contains("stream"), "{message}");
}

#[test]
fn a_silent_model_keeps_codex_waiting_until_stopped() {
    let model = ScriptedModel::with_script(vec![ScriptStep::Say("wait".into()), ScriptStep::Hang]);
    let project = GitProject::new();
    let mut run = start(NEWEST, &model, &project, "anything");
    eventually("the request", TURN_DEADLINE, || model.requests().pop());
    assert_eq!(run.child.try_wait().expect("Codex is our child"), None);
    let codex_home = run.home.codex_home();
    assert!(codex_home.is_dir());
    drop(run);
    assert!(!codex_home.exists());
    #[cfg(target_os = "linux")]
    assert_eq!(
        connector_testing::processes::processes_with_env("CODEX_HOME", &codex_home.display().to_string()),
        Vec::<u32>::new()
    );
}
