//! Tests of the loop around the machine, with a session that talks to its program, like those of the kind `acp`.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use connector_api::{
    AgentEvent, AgentRequest, AgentSession, BackendName, Exit, Interrupt, Launch, Line, Outcome, PromptDelivery,
    Sandbox, Step, StopSignal, Verdict,
};
use tokio::sync::{Mutex, oneshot};

use super::AgentRun;
use crate::{
    directory::Directory,
    process::{AgentCommand, RunningAgent, StdinKind},
    redact::Redactor,
    store::{Claim, Upkeep},
    supervisor::{clock::Clock, ending::RunEnd, external::ExternalEvents, hints::HintWriter, journal::Journal},
    task::{
        Ceiling, CgroupUse, FrozenBackend, Grace, IndexLimits, OnAgentExit, OnServerExit, Policy, SPEC_FORMAT,
        StopCause, Submitter, TaskId, TaskRecord, TaskSpec,
    },
};
/// Sends "hello" to `cat`, which echoes it, and then performs the steps in `then`.
struct Dialogue {
    then: Vec<Step>,
    overdue: Vec<Step>,
    received: Vec<String>,
    interrupt: Interrupt,
}

impl AgentSession for Dialogue {
    fn start(&mut self) -> Vec<Step> {
        vec![Step::Send(b"hello\n".to_vec())]
    }

    fn stdout(&mut self, line: Line<'_>) -> Vec<Step> {
        let Line::Whole(line) = line else { return vec![] };
        let text = String::from_utf8_lossy(line).into_owned();
        self.received.push(text.clone());
        let mut steps = vec![Step::Event(AgentEvent::Message { text })];
        steps.append(&mut self.then);
        steps
    }

    fn overdue(&mut self) -> Vec<Step> {
        self.received.push("overdue".to_owned());
        std::mem::take(&mut self.overdue)
    }

    fn interrupt(&mut self) -> Interrupt {
        self.interrupt.clone()
    }

    fn has_completed(&self) -> bool {
        !self.received.is_empty()
    }

    fn finish(self: Box<Self>, _: Exit) -> Verdict {
        Verdict { outcome: Outcome::Completed, answer: Some(self.received.join("+")), session_id: None, usage: None }
    }
}

fn spec() -> TaskSpec {
    TaskSpec {
        format: SPEC_FORMAT,
        id: TaskId::random(),
        submitted_at: chrono::Utc::now(),
        attempt: 1,
        request: AgentRequest {
            prompt: "unused".into(),
            working_directory: "/".into(),
            sandbox: Sandbox::DangerFullAccess,
            model: None,
            resume: None,
        },
        backend: FrozenBackend {
            name: BackendName::new("dialogue").expect("a valid name"),
            kind: "dialogue".into(),
            settings: serde_json::Value::Null,
        },
        policy: Policy {
            timeout: Some(Duration::from_secs(30)),
            heartbeat: Duration::from_secs(30),
            stall_warning: Duration::from_secs(30),
            stop_after_silence: None,
            give_up_offline: None,
            grace: Grace { interrupt: Duration::from_secs(10), terminate: Duration::from_secs(10) },
            cgroup: CgroupUse::Auto,
            on_server_exit: OnServerExit::Continue,
            on_agent_exit: OnAgentExit::Kill,
            keep_events: false,
            log_bytes: None,
            redact: true,
        },
        index: IndexLimits { entries: 10, text: 100 },
        max_running: 0,
        ceiling: Ceiling::default(),
        trusted_files: vec![],
        resumed_from: None,
        repository: None,
        workspace: Default::default(),
        submitter: Submitter::default(),
        session_usage: None,
        fallbacks: vec![],
    }
}

/// A process tree is everything below this process, so only one test runs at a time.
static TREE_LOCK: Mutex<()> = Mutex::const_new(());

/// Drives `cat` with a session that responds to its first line with `then`.
async fn drive(then: Vec<Step>, interrupt: Interrupt) -> (RunEnd, String) {
    drive_with_spec(spec(), then, interrupt).await
}

/// The same with this spec. If the spec says to stop when the server exits, the server is already gone.
async fn drive_with_spec(spec: TaskSpec, then: Vec<Step>, interrupt: Interrupt) -> (RunEnd, String) {
    drive_with_clock(Clock::start(), spec, then, interrupt).await
}

/// The same with this clock.
async fn drive_with_clock(clock: Clock, spec: TaskSpec, then: Vec<Step>, interrupt: Interrupt) -> (RunEnd, String) {
    let _guard = TREE_LOCK.lock().await;
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    let upkeep = Upkeep::open(dir.path(), &dir.path().join("logs")).expect("it is writable");
    let Ok(Claim::Claimed(task)) = upkeep.claim(&spec.id) else { panic!("a new ID is free") };
    let command = AgentCommand {
        program: "/bin/cat".into(),
        args: vec![],
        directory: Arc::new(Directory::open(Path::new("/")).expect("the root directory exists")),
        environment: BTreeMap::new(),
        stdin: StdinKind::Pipe,
        group: None,
    };
    let launch = Launch { args: vec![], prompt: PromptDelivery::Session, stop_signal: StopSignal::Interrupt };
    let (lifeline, gone) = oneshot::channel();
    // Created before the agent, as in a supervisor: if this process ignores a signal, it no longer does now, and the
    // agent does not inherit that.
    let mut external = ExternalEvents::watch(gone);
    let agent = RunningAgent::spawn(&command).expect("`cat` is installed");
    let session = Box::new(Dialogue { then, overdue: vec![Step::Finished], received: vec![], interrupt });
    let mut journal = Journal::open(&task, &spec, HintWriter::none(), Redactor::default());
    let lifeline = match spec.policy.on_server_exit {
        OnServerExit::Continue => Some(lifeline),
        OnServerExit::Interrupt => {
            drop(lifeline);
            external.next().await;
            None
        }
    };
    let mut record = TaskRecord::new(&spec, chrono::Utc::now());
    let run = AgentRun { clock, ..AgentRun::new(agent, session, &launch, &spec) };
    let end = run.drive(&mut journal, &mut external, &task, &mut record).await;
    drop(lifeline);
    journal.flush();
    let log = std::fs::read_to_string(upkeep.reader().log_path(&spec.id)).expect("the log exists");
    (end, log)
}

#[tokio::test]
async fn a_session_talks_with_its_program_and_closes_its_stdin() {
    let (end, log) = drive(vec![Step::Send(b"bye\n".to_vec()), Step::CloseStdin], Interrupt::Signal).await;
    assert_eq!(end.verdict.answer.as_deref(), Some("hello+bye"));
    assert_eq!((end.exit, end.stopped), (Some(Exit::Code(0)), None));
    assert!(log.contains("MESSAGE: hello") && log.contains("MESSAGE: bye"), "{log}");
}

#[tokio::test]
async fn a_program_that_keeps_running_is_stopped_when_the_session_finishes() {
    let (end, _) = drive(vec![Step::Finished], Interrupt::Signal).await;
    assert_eq!(end.exit, Some(Exit::Signal(2)));
    assert!(matches!(end.stopped, Some((StopCause::Finished, _))));
}

#[tokio::test]
async fn a_session_can_stop_its_program_in_its_own_way() {
    let steps = Interrupt::Steps(vec![Step::CloseStdin]);
    let (end, _) = drive(vec![Step::Finished], steps).await;
    assert_eq!(end.exit, Some(Exit::Code(0)));
    assert!(matches!(end.stopped, Some((StopCause::Finished, _))));
}

#[tokio::test]
async fn a_server_exit_before_the_agent_starts_counts() {
    let mut spec = spec();
    spec.policy.on_server_exit = OnServerExit::Interrupt;
    let (end, _) = drive_with_spec(spec, vec![], Interrupt::Signal).await;
    assert!(matches!(end.stopped, Some((StopCause::ServerGone, _))), "{end:?}");
}

#[tokio::test]
async fn the_session_decides_what_an_overdue_answer_means() {
    let soon = Some(Duration::from_millis(50));
    let (end, _) = drive(vec![Step::Deadline(soon)], Interrupt::Signal).await;
    assert_eq!(end.verdict.answer.as_deref(), Some("hello+overdue"));
    assert!(matches!(end.stopped, Some((StopCause::Finished, _))), "{end:?}");
}

#[tokio::test]
async fn a_complete_event_without_a_line_end_is_read_before_the_stream_ends() {
    let event = r#"{"type":"result"}"#;
    let later = Some(Duration::from_secs(4));
    let (end, log) = drive(vec![Step::Send(event.as_bytes().to_vec()), Step::Deadline(later)], Interrupt::Signal).await;
    assert_eq!(end.verdict.answer, Some(format!("hello+{event}+overdue")));
    assert_eq!(log.matches("MESSAGE: {").count(), 1, "{log}");
}

#[tokio::test]
async fn an_unfinished_line_waits_for_its_end() {
    let half = r#"{"type":"resu"#;
    let later = Some(Duration::from_secs(2));
    let (end, _) = drive(vec![Step::Send(half.as_bytes().to_vec()), Step::Deadline(later)], Interrupt::Signal).await;
    assert_eq!(end.verdict.answer, Some(format!("hello+overdue+{half}")));
}

#[tokio::test]
async fn a_deadline_can_be_cancelled() {
    let soon = Some(Duration::from_millis(50));
    let then = vec![Step::Deadline(soon), Step::Deadline(None), Step::CloseStdin];
    let (end, _) = drive(then, Interrupt::Signal).await;
    assert_eq!((end.verdict.answer.as_deref(), end.stopped), (Some("hello"), None));
}

#[tokio::test]
async fn suspended_time_is_reported_and_counts_towards_no_limit() {
    let reads = AtomicU64::new(0);
    // The clock is read before the run and at its start. From the third time on, eight hours of sleep have passed.
    let clock = Clock::with(move || match reads.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Duration::ZERO,
        _ => Duration::from_secs(8 * 60 * 60),
    });
    let (end, log) = drive_with_clock(clock, spec(), vec![Step::CloseStdin], Interrupt::Signal).await;
    assert_eq!((end.exit, end.stopped), (Some(Exit::Code(0)), None));
    assert_eq!(log.matches("SUSPENDED: the machine slept for 8h 0m").count(), 1, "{log}");
    assert!(!log.contains("HEARTBEAT") && !log.contains("WARNING"), "{log}");
}

#[tokio::test]
async fn a_finished_agent_that_has_not_exited_does_not_fail_by_its_limits() {
    let limit = Duration::from_millis(300);
    for (timeout, stop_after_silence) in [(Some(limit), None), (Some(Duration::from_secs(30)), Some(limit))] {
        let mut spec = spec();
        spec.policy = Policy { timeout, stop_after_silence, ..spec.policy };
        let then = vec![Step::Deadline(Some(Duration::from_secs(3_600)))];
        let (end, _) = drive_with_spec(spec, then, Interrupt::Signal).await;
        assert_eq!(end.verdict.answer.as_deref(), Some("hello+overdue"));
        assert!(matches!(end.stopped, Some((StopCause::Finished, _))), "{end:?}");
    }
}

#[tokio::test]
async fn an_agent_that_does_not_read_its_answers_is_stopped() {
    let flood = (0..100).map(|_| Step::Send(vec![b'\n'; 1 << 20])).collect();
    let (end, log) = drive(flood, Interrupt::Signal).await;
    assert!(matches!(end.stopped, Some((StopCause::Finished, _))), "{end:?}");
    assert!(log.contains("does not read"), "{log}");
}
