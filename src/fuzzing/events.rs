//! Properties of the sessions of backends: agents may print anything.

use std::sync::{Arc, LazyLock};

use connector_api::{
    AgentBackend, AgentEvent, AgentRequest, AgentSession, BackendKind, BackendName, Exit, JsonLine, Line, Outcome,
    Sandbox, Step, Verdict,
};
use connector_codex::Codex;
use connector_command::Command;
use serde_json::{Value, json};

use super::{parts::parts, trickle::each_chunk};
use crate::process::{LineChunk, LineLimits};

/// LineLimits with which no line is too long.
const LOOSE_LIMITS: LineLimits = LineLimits { held: 1 << 20, head: 4 << 10, read: 4 << 10 };

/// LineLimits with which most lines are too long.
const TIGHT_LIMITS: LineLimits = LineLimits { held: 64, head: 48, read: 16 };

static CODEX: LazyLock<Arc<dyn AgentBackend>> = LazyLock::new(|| backend::<Codex>(json!({})));
static COMMAND: LazyLock<Arc<dyn AgentBackend>> =
    LazyLock::new(|| backend::<Command>(json!({"program": "agent", "sandboxes": {"read-only": []}})));

/// The result of a run: the steps for each line of stdout, and the verdict.
type RunResult = (Vec<Vec<Step>>, Verdict);

/// Parts: stdout; stderr; a byte for the agent's exit, followed by the sizes of the pieces that are read.
///
/// For any output of an agent, its session does not panic, reports only what the agent printed, and gives a reason for
/// each failure. The sizes of the pieces make no difference, and neither does reading an event with or without a `Value`.
pub fn event_lines(input: &[u8]) {
    let [stdout, stderr, how] = parts(input);
    let exit = match how.first().map_or(0, |byte| byte % 4) {
        0 => Exit::Code(0),
        1 => Exit::Code(1),
        2 => Exit::Code(2),
        _ => Exit::Signal(9),
    };
    let sizes = how.get(1..).unwrap_or_default();
    for (backend, check) in [(&CODEX, codex as fn(&RunResult, &[u8], Exit)), (&COMMAND, command)] {
        let follow = |sizes, limits| follow(session(backend), [stdout, stderr], sizes, limits, exit);
        let at_once = follow(&[], LOOSE_LIMITS);
        check(&at_once, stdout, exit);
        if stdout.len().max(stderr.len()) < LOOSE_LIMITS.held {
            assert_eq!(follow(sizes, LOOSE_LIMITS), at_once, "the result depends on the sizes of the pieces");
        }
        check_verdict(&follow(sizes, TIGHT_LIMITS).1, exit);
    }
    both_readers_agree(stdout, exit);
}

/// Only a line that begins with a brace is read without a `Value`. A blank before it changes nothing else.
fn both_readers_agree(stdout: &[u8], exit: Exit) {
    let lines: Vec<_> = stdout.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{")).collect();
    let stdout =
        |before: &str| lines.iter().flat_map(|line| [before.as_bytes(), line, b"\n"].concat()).collect::<Vec<_>>();
    let follow = |stdout: &[u8]| follow(session(&CODEX), [stdout, b""], &[], LOOSE_LIMITS, exit);
    let (quickly, slowly) = (follow(&stdout("")), follow(&stdout(" ")));
    let without_blank = |step: Step| match step {
        Step::Event(AgentEvent::Other { kind, raw }) => {
            let raw = raw.strip_prefix(' ').unwrap_or(&raw).to_owned();
            Step::Event(AgentEvent::Other { kind, raw })
        }
        // It says how long the line is.
        Step::Event(AgentEvent::Warning { message }) if message.starts_with("a line of ") => {
            let message = message.replace(|letter: char| letter.is_ascii_digit(), "");
            Step::Event(AgentEvent::Warning { message })
        }
        step => step,
    };
    let plain = |steps: Vec<Vec<Step>>| -> Vec<Vec<_>> {
        steps.into_iter().map(|steps| steps.into_iter().map(without_blank).collect()).collect()
    };
    assert_eq!(plain(quickly.0), plain(slowly.0), "the two readers differ");
    assert_eq!(quickly.1, slowly.1, "the two readers differ in the verdict");
}

fn backend<K: BackendKind>(settings: Value) -> Arc<dyn AgentBackend> {
    let name = BackendName::new("fuzzed").expect("`fuzzed` is a valid name");
    Arc::new(K::build(name, settings).expect("these settings are valid"))
}

fn session(backend: &Arc<dyn AgentBackend>) -> Box<dyn AgentSession> {
    let sandbox = Sandbox::ReadOnly;
    let request =
        AgentRequest { prompt: "a task".into(), working_directory: "/".into(), sandbox, model: None, resume: None };
    backend.session(&request)
}

fn follow(
    mut session: Box<dyn AgentSession>,
    [stdout, stderr]: [&[u8]; 2],
    sizes: &[u8],
    limits: LineLimits,
    exit: Exit,
) -> RunResult {
    let mut steps = vec![];
    each_chunk(stderr, sizes, limits, usize::MAX, |chunk| {
        if let Some(line) = line(chunk) {
            assert_eq!(session.stderr(line), [], "stderr causes no steps");
        }
    });
    each_chunk(stdout, sizes, limits, usize::MAX, |chunk| steps.extend(line(chunk).map(|line| session.stdout(line))));
    (steps, session.finish(exit))
}

fn line<'a>(chunk: &'a LineChunk<'a>) -> Option<Line<'a>> {
    match chunk {
        LineChunk::Line(line) => Some(Line::Whole(line)),
        LineChunk::LongEnd { head, length } => Some(Line::TooLong { head, length: *length }),
        LineChunk::LongStart(_) | LineChunk::LongPart(_) => None,
    }
}

/// Checks properties of every verdict.
fn check_verdict(verdict: &Verdict, exit: Exit) {
    match &verdict.outcome {
        Outcome::Completed => assert_eq!(exit, Exit::Code(0), "the program failed, but the verdict is completed"),
        Outcome::Failed(failure) | Outcome::CommandLineRefused(failure) => {
            assert!(!failure.message.trim().is_empty(), "a failure has a reason");
            assert!(failure.advice.as_ref().is_none_or(|advice| !advice.trim().is_empty()), "the advice is empty");
        }
    }
}

fn codex((steps, verdict): &RunResult, stdout: &[u8], exit: Exit) {
    check_verdict(verdict, exit);
    let events = steps.iter().flatten().filter_map(|step| match step {
        Step::Event(event) => Some(event),
        Step::Deadline(_) => None,
        Step::Send(_) | Step::CloseStdin | Step::Finished => panic!("Codex is sent nothing"),
    });
    let (mut last_message, mut id) = (None, None);
    for event in events {
        match event {
            AgentEvent::Message { text } if !text.trim().is_empty() => last_message = Some(text.clone()),
            AgentEvent::SessionStarted { id: new } => id = Some(new),
            // An incomplete message.
            AgentEvent::Other { kind, raw }
                if kind.ends_with(" agent_message") && !kind.starts_with("item.completed") =>
            {
                let text =
                    objects(raw.as_bytes()).pop().and_then(|event| event["item"]["text"].as_str().map(str::to_owned));
                last_message = text.filter(|text| !text.trim().is_empty()).or(last_message);
            }
            _ => {}
        }
    }
    assert_eq!(verdict.answer, last_message, "the answer is the last message that is not blank");
    assert_eq!(verdict.session_id.as_ref(), id, "the session is the last one that was reported");
    let is_completion = |line: &[u8]| objects(line).iter().any(|event| event["type"] == "turn.completed");
    if verdict.outcome == Outcome::Completed {
        assert!(stdout.split(|byte| *byte == b'\n').any(is_completion), "a success that Codex did not report");
    }
}

fn objects(line: &[u8]) -> Vec<Value> {
    JsonLine::read(line).objects.into_iter().map(|object| object.value).collect()
}

fn command((steps, verdict): &RunResult, stdout: &[u8], exit: Exit) {
    check_verdict(verdict, exit);
    assert!(steps.iter().all(Vec::is_empty), "plain text causes no steps");
    let is_blank = String::from_utf8_lossy(stdout).trim().is_empty();
    let has_completed = verdict.outcome == Outcome::Completed;
    assert_eq!(
        has_completed,
        exit == Exit::Code(0) && !is_blank,
        "a run with an answer and exit code 0 completes, and no other run does"
    );
    assert_eq!(verdict.answer.is_none(), is_blank, "the answer is the printed text");
}
