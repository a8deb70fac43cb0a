//! What agents print.

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

/// Lines of these runs are whole.
const LOOSE_LIMITS: LineLimits = LineLimits { held: 1 << 20, head: 4 << 10, read: 4 << 10 };

/// Most lines of these runs are too long.
const TIGHT_LIMITS: LineLimits = LineLimits { held: 64, head: 48, read: 16 };

static CODEX: LazyLock<Arc<dyn AgentBackend>> = LazyLock::new(|| backend::<Codex>(json!({})));
static COMMAND: LazyLock<Arc<dyn AgentBackend>> =
    LazyLock::new(|| backend::<Command>(json!({"program": "agent", "sandboxes": {"read-only": []}})));

/// What came of a run: the steps for each line of stdout, and the verdict.
type RunResult = (Vec<Vec<Step>>, Verdict);

/// Parts: stdout; stderr; how they come: a byte for the agent's exit, and the sizes of the pieces that are read.
///
/// Whatever an agent prints, its session lives, says no more than it heard, and tells why a run failed. How the lines
/// come makes no difference.
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
        let whole = follow(&[], LOOSE_LIMITS);
        check(&whole, stdout, exit);
        if stdout.len().max(stderr.len()) < LOOSE_LIMITS.held {
            assert_eq!(follow(sizes, LOOSE_LIMITS), whole, "it depends on how the lines come");
        }
        check_verdict(&follow(sizes, TIGHT_LIMITS).1, exit);
    }
}

fn backend<K: BackendKind>(settings: Value) -> Arc<dyn AgentBackend> {
    let name = BackendName::new("fuzzed").expect("`fuzzed` follows the rule for names");
    Arc::new(K::build(name, settings).expect("these settings are enough"))
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
            assert_eq!(session.stderr(line), [], "stderr makes no steps");
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

/// What holds for every verdict.
fn check_verdict(verdict: &Verdict, exit: Exit) {
    match &verdict.outcome {
        Outcome::Completed => assert_eq!(exit, Exit::Code(0), "a program that failed has completed"),
        Outcome::Failed(failure) | Outcome::CommandLineRefused(failure) => {
            assert!(!failure.message.trim().is_empty(), "a failure without a word about why");
            assert!(failure.advice.as_ref().is_none_or(|advice| !advice.trim().is_empty()), "empty advice");
        }
    }
}

fn codex((steps, verdict): &RunResult, stdout: &[u8], exit: Exit) {
    check_verdict(verdict, exit);
    let events = steps.iter().flatten().filter_map(|step| match step {
        Step::Event(event) => Some(event),
        Step::Deadline(_) => None,
        Step::Send(_) | Step::CloseStdin | Step::Finished => panic!("Codex is only listened to"),
    });
    let (mut said, mut id) = (None, None);
    for event in events {
        match event {
            AgentEvent::Message { text } if !text.trim().is_empty() => said = Some(text.clone()),
            AgentEvent::SessionStarted { id: new } => id = Some(new),
            // A message that is under way.
            AgentEvent::Other { kind, raw }
                if kind.ends_with(" agent_message") && !kind.starts_with("item.completed") =>
            {
                let text =
                    objects(raw.as_bytes()).pop().and_then(|event| event["item"]["text"].as_str().map(str::to_owned));
                said = text.filter(|text| !text.trim().is_empty()).or(said);
            }
            _ => {}
        }
    }
    assert_eq!(verdict.answer, said, "the answer is the last message that says something");
    assert_eq!(verdict.session_id.as_ref(), id, "the session is the last one that was named");
    let is_completion = |line: &[u8]| objects(line).iter().any(|event| event["type"] == "turn.completed");
    if verdict.outcome == Outcome::Completed {
        assert!(stdout.split(|byte| *byte == b'\n').any(is_completion), "a success that Codex did not speak of");
    }
}

fn objects(line: &[u8]) -> Vec<Value> {
    JsonLine::read(line).objects.into_iter().map(|object| object.value).collect()
}

fn command((steps, verdict): &RunResult, stdout: &[u8], exit: Exit) {
    check_verdict(verdict, exit);
    assert!(steps.iter().all(Vec::is_empty), "plain text makes no steps");
    let is_blank = String::from_utf8_lossy(stdout).trim().is_empty();
    let has_completed = verdict.outcome == Outcome::Completed;
    assert_eq!(has_completed, exit == Exit::Code(0) && !is_blank, "an answer and exit code 0 are a success");
    assert_eq!(verdict.answer.is_none(), is_blank, "the answer is what was printed");
}
