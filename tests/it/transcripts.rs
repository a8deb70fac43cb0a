//! Exact messages between client and server. Each file in `transcripts/` is a conversation, which is repeated.
//!
//! - A line `> {…}` is sent, with these words replaced: `$PROJECT`, a repository; `$TASK`, the task started last.
//! - A line `< {…}` is a message from the server, with `$TIME`, `$SPAN` and other words for parts that differ between
//!   runs. After a request, everything up to its answer is read; after `subscriptions/listen`, which has no answer,
//!   everything up to the next message.
//! - At a line `= done`, the test waits for the task started last.
//!
//! `UPDATE_GOLDEN=1` writes the server's messages to the files.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use connector_testing::eventually;
use regex::{NoExpand, Regex};
use serde_json::Value;

use crate::world::{ANSWER_TIMEOUT, World};

fn replay(name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/transcripts").join(format!("{name}.txt"));
    let before = fs::read_to_string(&file).expect("the transcript is in the repository");
    let mut conversation = TranscriptReplay::begin();
    let mut now = String::new();
    for line in before.lines().filter(|line| !line.starts_with("< ")) {
        now.push_str(&format!("{line}\n"));
        let said = match line.strip_prefix("> ") {
            Some(message) => conversation.say(message),
            None => vec![],
        };
        if line == "= done" {
            conversation.wait_for_the_task();
        }
        for message in said {
            now.push_str(&format!("< {message}\n"));
        }
    }
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &now).expect("the repository is writable");
    }
    let before = if env::var_os("UPDATE_GOLDEN").is_some() { now.clone() } else { before };
    for (number, (then, now)) in before.lines().zip(now.lines()).enumerate() {
        assert!(
            then == now,
            "{name}, line {}:\nwas  {then}\nis   {now}\nIf this is intended, run the test with UPDATE_GOLDEN=1",
            number + 1
        );
    }
    assert_eq!(before.lines().count(), now.lines().count(), "{name}: the number of messages has changed");
}

#[test]
fn a_client_of_2025_11_25_that_declares_nothing() {
    replay("initialize");
}

#[test]
fn every_version_that_begins_with_initialize() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18"] {
        replay(&format!("initialize-{version}"));
    }
}

#[test]
fn a_client_of_2026_07_28_that_declares_nothing() {
    replay("stateless");
}

#[test]
fn clients_that_declare_every_capability() {
    replay("initialize-full");
    replay("stateless-full");
}

#[test]
fn claude_code_when_it_first_asks_for_the_protocol_version() {
    replay("claude-code-2.1.330");
}

/// One server, and the connection to it.
struct TranscriptReplay {
    world: World,
    server: Child,
    stdin: ChildStdin,
    said: Receiver<Value>,
    task: Option<String>,
}

impl TranscriptReplay {
    fn begin() -> Self {
        let world = World::with_fake_agent();
        let mut command = world.command(&[]);
        let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
        let stdin = server.stdin.take().expect("stdin is piped");
        let stdout = server.stdout.take().expect("stdout is piped");
        let (sender, said) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let message = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON on stdout: {line}"));
                let _ = sender.send(message);
            }
        });
        Self { world, server, stdin, said, task: None }
    }

    /// Sends the message, and returns the messages up to its answer.
    fn say(&mut self, message: &str) -> Vec<String> {
        let project = self.world.project.path().display().to_string();
        let message = message.replace("$PROJECT", &project).replace("$TASK", self.task.as_deref().unwrap_or("$TASK"));
        self.stdin.write_all(format!("{message}\n").as_bytes()).expect("the server reads");
        let message: Value = serde_json::from_str(&message).expect("a line of a transcript is JSON");
        let listens = message["method"] == "subscriptions/listen";
        match message.get("id").filter(|_| message.get("method").is_some()) {
            None => vec![],
            Some(id) => self.read_until(|said| listens || (said.get("method").is_none() && said["id"] == *id)),
        }
    }

    fn wait_for_the_task(&self) {
        let id = self.task.as_deref().expect("a task was begun");
        eventually("the end of the task", ANSWER_TIMEOUT, || {
            (self.world.record(id)["status"] == "completed" && !self.world.data_dir().join("run").join(id).exists())
                .then_some(())
        });
    }

    fn read_until(&mut self, last: impl Fn(&Value) -> bool) -> Vec<String> {
        let mut read = vec![];
        let mut progress = 0;
        loop {
            let message = self.said.recv_timeout(ANSWER_TIMEOUT).expect("the server answers");
            let is_last = last(&message);
            // The number of progress messages depends on how busy the machine is.
            progress += usize::from(message["method"] == "notifications/progress");
            if is_last || progress <= 1 || message["method"] != "notifications/progress" {
                read.push(self.generalize(&message));
            }
            if is_last {
                return read;
            }
        }
    }

    /// Replaces everything that differs between runs.
    fn generalize(&mut self, message: &Value) -> String {
        let mut text = message.to_string();
        let id = Regex::new(r#"Task ID:\*\* ([0-9a-f]{8})|"taskId":"([0-9a-f]{8})"|Task ([0-9a-f]{8}) started"#);
        let found = id.expect("it is an expression").captures(&text).and_then(|found| found.iter().flatten().nth(1));
        self.task = found.map(|id| id.as_str().to_owned()).or(self.task.take());
        let task = self.task.clone().unwrap_or("$TASK".into());
        let (home, project) =
            (self.world.home().display().to_string(), self.world.project.path().display().to_string());
        for (known, word) in [
            (project.as_str(), "$PROJECT"),
            (&home, "$HOME"),
            (&task, "$TASK"),
            (env!("CARGO_BIN_EXE_fake-agent"), "$AGENT"),
            (env!("CARGO_BIN_EXE_codex-connector"), "$PROGRAM"),
            (env!("CARGO_PKG_VERSION"), "$VERSION"),
        ] {
            text = text.replace(known, word);
        }
        for (pattern, word) in [
            (r"\d{4}-\d\d-\d\d(?:T[0-9:.]+Z| \d\d:\d\d UTC)", "$TIME"),
            (r"\b(?:\d+[dhm] )*\d+(?:\.\d+)?(?:ms|s)\b", "$SPAN"),
            (r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+", "data:$ICON"),
            (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", "$SESSION"),
            (r#""size":\d+"#, "\"size\":$SIZE"),
        ] {
            let pattern = Regex::new(pattern).expect("it is an expression");
            text = pattern.replace_all(&text, NoExpand(word)).into_owned();
        }
        text
    }
}

impl Drop for TranscriptReplay {
    fn drop(&mut self) {
        // Both fail only if the child is already gone.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
