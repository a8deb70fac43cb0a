//! The loop around the machine: waits for events, passes them on, and carries out effects. It makes no decisions.

use std::{
    io,
    time::{Duration, Instant},
};

use connector_api::{AgentSession, Exit, Interrupt, Launch, Sandbox, Step, StopSignal};
use futures_util::future::OptionFuture;
use rustix::process::Signal;
use tokio::{
    io::AsyncRead,
    process::{ChildStderr, ChildStdout},
    time::sleep,
};

use super::{
    clock::{Clock, Moment},
    directory_watch::DirectoryWatch,
    ending::RunEnd,
    external::ExternalEvents,
    journal::{FLUSH_AFTER, Journal},
    machine::{Machine, MachineEffect, MachineInput},
    named_files::CollectedNames,
    network::NetworkState,
    sandbox::SandboxWatch,
    stdin::{StdinStalled, StdinWriter},
    stream::OutputStream,
    tree_guard::ProcessTreeGuard,
    unterminated::{self, UnterminatedLine},
};
use crate::{
    process::{AgentProcess, LineReader, Member, RunningAgent, not_ended},
    store::OpenTask,
    task::{TaskRecord, TaskSpec},
};

/// How often to check for a cancel request. A server that writes one also wakes the supervisor.
pub(super) const CANCEL_POLL: Duration = Duration::from_secs(1);

/// One run of an agent.
pub(super) struct AgentRun {
    process: AgentProcess,
    stdin: StdinWriter,
    stdout: Option<LineReader<ChildStdout>>,
    stderr: Option<LineReader<ChildStderr>>,
    /// Tracks the last line of stdout while it has no line break.
    unterminated: UnterminatedLine,
    pub(super) session: Box<dyn AgentSession>,
    machine: Machine,
    /// The agent's sandbox, and whether anything could run in it.
    sandbox: Sandbox,
    pub(super) watch: SandboxWatch,
    /// The files that its events name.
    named_files: CollectedNames,
    tree: ProcessTreeGuard,
    stop_signal: Signal,
    pub(super) clock: Clock,
    exit: Option<Exit>,
    /// When the session's own deadline passes.
    overdue_at: Option<Instant>,
    /// Checks that the directory stays inside the roots, if there are roots.
    directory: Option<DirectoryWatch>,
    /// The beginning of the last line that the session did not understand.
    pub(super) last_raw: Vec<u8>,
    /// Processes that even SIGKILL did not end.
    given_up: Vec<Member>,
}

/// The reason why a wait ended.
enum Wakeup {
    Stdout(io::Result<usize>),
    Stderr(io::Result<usize>),
    Exit(io::Result<Exit>),
    External(MachineInput),
    /// The agent's directory or its path leads out of the roots.
    Displaced,
    /// A signal to check the task's files for requests.
    Nudge,
    Time,
}

impl AgentRun {
    /// A run of an agent that was just started.
    pub(super) fn new(agent: RunningAgent, session: Box<dyn AgentSession>, launch: &Launch, spec: &TaskSpec) -> Self {
        Self {
            tree: ProcessTreeGuard::new(agent.tree),
            process: agent.process,
            stdin: StdinWriter::begin(agent.stdin, launch.prompt, &spec.request.prompt),
            stdout: Some(LineReader::new(agent.stdout)),
            stderr: Some(LineReader::new(agent.stderr)),
            unterminated: UnterminatedLine::default(),
            session,
            machine: Machine::new(spec.policy.clone()),
            sandbox: spec.request.sandbox,
            watch: SandboxWatch::default(),
            named_files: CollectedNames::default(),
            stop_signal: match launch.stop_signal {
                StopSignal::Interrupt => Signal::INT,
                StopSignal::Terminate => Signal::TERM,
            },
            clock: Clock::start(),
            exit: None,
            overdue_at: None,
            directory: None,
            last_raw: Vec::new(),
            given_up: Vec::new(),
        }
    }

    /// Kills the agent if its directory, or the directory's path, leads out of `ceiling.roots`.
    pub(super) fn with_directory_watch(mut self, directory: DirectoryWatch) -> Self {
        self.directory = Some(directory);
        self
    }

    /// Runs until the agent and its whole process tree have ended.
    pub(super) async fn drive(
        mut self,
        journal: &mut Journal,
        external: &mut ExternalEvents,
        task: &OpenTask,
        record: &mut TaskRecord,
    ) -> RunEnd {
        journal.working(record);
        let first = self.session.start();
        let mut inputs = self.carry_out(first, journal, self.clock.now());
        inputs.extend(with_cancel(external.received(), task));
        let (mut cancel_at, mut flush_at) = (self.clock.started(), self.clock.started());
        loop {
            let now = Instant::now();
            if let Some(suspended) = self.clock.take_suspended() {
                journal.suspended(suspended);
            }
            if now >= cancel_at {
                cancel_at = now + CANCEL_POLL;
                inputs.extend(task.is_cancel_requested().then_some(MachineInput::Cancel));
            }
            if self.unterminated.take_due(now) {
                inputs.extend(self.end_line(journal));
            }
            if self.is_overdue(now) {
                self.overdue_at = None;
                let steps = self.session.overdue();
                inputs.extend(self.carry_out(steps, journal, self.clock.now()));
            }
            inputs.push(MachineInput::Tick);
            for input in inputs.drain(..) {
                self.step(input, journal, task, record);
            }
            let Some(wake_at) = self.machine.wake_at() else { break };
            if now >= flush_at && journal.is_unflushed() {
                flush_at = now + FLUSH_AFTER;
                journal.flush();
            }
            let mut pause = wake_at.saturating_sub(self.clock.elapsed()).min(cancel_at - now);
            let flush_at = journal.is_unflushed().then_some(flush_at);
            for at in [self.overdue_at, self.unterminated.check_at(), flush_at].into_iter().flatten() {
                pause = pause.min(at.saturating_duration_since(now));
            }
            inputs = match self.wait(external, pause).await {
                Wakeup::Stdout(read) => self.read_stdout(read, journal),
                Wakeup::Stderr(read) => self.read_stderr(read, journal),
                Wakeup::Exit(exit) => {
                    // If waiting for the child fails, it was reaped elsewhere, and its exit status is unknown.
                    self.exit = Some(exit.unwrap_or(Exit::Signal(0)));
                    self.overdue_at = None;
                    vec![MachineInput::Exited]
                }
                Wakeup::External(input) => with_cancel(&[input], task),
                Wakeup::Displaced => {
                    journal.entry("STOPPING: SIGKILL to every process of the task, whose working directory was moved");
                    vec![MachineInput::Forbidden]
                }
                Wakeup::Nudge => {
                    cancel_at = now;
                    vec![]
                }
                Wakeup::Time => vec![],
            };
        }
        // A pipe that another process holds open never ends, but may contain an unterminated last line.
        if let Some(stdout) = &mut self.stdout {
            stdout.end();
        }
        if let Some(stderr) = &mut self.stderr {
            stderr.end();
        }
        self.read_stdout(Ok(0), journal);
        self.read_stderr(Ok(0), journal);
        self.tree.disarm();
        let exit = self.exit;
        let has_completed = self.session.has_completed();
        let of_processes = not_ended(&self.given_up).into_iter().chain(self.watch.warning(self.sandbox));
        let warnings = of_processes.chain(self.session.warnings()).collect();
        let verdict = self.session.finish(exit.unwrap_or(Exit::Signal(9)));
        let violation = OptionFuture::from(self.directory.as_ref().map(DirectoryWatch::violation)).await.flatten();
        let stopped = self.machine.stopped();
        let named_files = self.named_files.into_files();
        RunEnd {
            exit,
            verdict,
            warnings,
            has_completed,
            stopped,
            violation,
            not_started: None,
            named_files,
            changes: None,
        }
    }

    /// Whether the session's deadline has passed. If the agent has completed its turn and only has to exit, its limits
    /// count as that deadline, because reaching a limit then is not a failure.
    fn is_overdue(&self, now: Instant) -> bool {
        self.overdue_at.is_some_and(|overdue_at| {
            now >= overdue_at
                || (self.session.has_completed() && self.machine.limit_reached(self.clock.elapsed()).is_some())
        })
    }

    async fn wait(&mut self, external: &mut ExternalEvents, pause: Duration) -> Wakeup {
        tokio::select! {
            read = fill(&mut self.stdout) => Wakeup::Stdout(read),
            read = fill(&mut self.stderr) => Wakeup::Stderr(read),
            exit = self.process.wait(), if self.exit.is_none() => Wakeup::Exit(exit),
            () = displaced(&mut self.directory) => Wakeup::Displaced,
            input = external.next() => input.map_or(Wakeup::Nudge, Wakeup::External),
            () = sleep(pause) => Wakeup::Time,
        }
    }

    /// Passes an input to the machine and carries out the effects.
    fn step(&mut self, input: MachineInput, journal: &mut Journal, task: &OpenTask, record: &mut TaskRecord) {
        let elapsed = self.clock.elapsed();
        for effect in self.machine.step(elapsed, input) {
            match effect {
                MachineEffect::Heartbeat { number } => {
                    journal.heartbeat(number, elapsed);
                    journal.count_into(record);
                    if let Err(error) = task.update_record(record) {
                        tracing::warn!(%error, "the record is outdated");
                    }
                }
                MachineEffect::StallWarning { silent } => journal.stall_warning(silent),
                MachineEffect::Interrupt(cause) => {
                    journal.stopping(cause);
                    match self.session.interrupt() {
                        Interrupt::Signal => self.tree.signal_agent(self.stop_signal),
                        // While it is being stopped, a session can only send bytes and close stdin.
                        Interrupt::Steps(steps) => drop(self.carry_out(steps, journal, self.clock.now())),
                    }
                }
                MachineEffect::Terminate => {
                    match self.exit {
                        Some(_) => journal.survivors(&self.tree.survivors(), "stopping"),
                        None => journal.entry("STOPPING: SIGTERM to every process of the task"),
                    }
                    self.tree.terminate();
                }
                MachineEffect::Kill => self.tree.kill(),
                MachineEffect::GiveUp => {
                    self.given_up = self.tree.survivors();
                    if !self.given_up.is_empty() {
                        journal.survivors(&self.given_up, "could not end");
                    }
                }
                MachineEffect::LeaveBehind => journal.survivors(&self.tree.survivors(), "leaving alone"),
                MachineEffect::CountSurvivors => {
                    let survivors = self.tree.survivors().len();
                    self.step(MachineInput::Survivors(survivors), journal, task, record);
                }
                MachineEffect::Close => {}
            }
        }
    }

    fn read_stdout(&mut self, read: io::Result<usize>, journal: &mut Journal) -> Vec<MachineInput> {
        let Some(mut reader) = self.stdout.take() else { return vec![] };
        let count = read.unwrap_or(0);
        let inputs = self.received(OutputStream::Stdout, &mut reader, count, journal);
        self.unterminated.output_received(count > 0 && reader.unterminated().is_some(), Instant::now());
        self.stdout = (count > 0).then_some(reader);
        self.unless_open(inputs, count)
    }

    /// Reads the last line of stdout without its line end, if it is complete.
    fn end_line(&mut self, journal: &mut Journal) -> Vec<MachineInput> {
        let Some(mut reader) = self.stdout.take() else { return vec![] };
        let mut inputs = vec![];
        if reader.unterminated().is_some_and(unterminated::is_complete) {
            reader.end_line();
            inputs = self.received(OutputStream::Stdout, &mut reader, 0, journal);
        }
        self.stdout = Some(reader);
        inputs
    }

    fn read_stderr(&mut self, read: io::Result<usize>, journal: &mut Journal) -> Vec<MachineInput> {
        let Some(mut reader) = self.stderr.take() else { return vec![] };
        let count = read.unwrap_or(0);
        let inputs = self.received(OutputStream::Stderr, &mut reader, count, journal);
        self.stderr = (count > 0).then_some(reader);
        self.unless_open(inputs, count)
    }

    /// Corrects the inputs after a read of `count` bytes: at the end of a pipe there was no output.
    fn unless_open(&self, mut inputs: Vec<MachineInput>, count: usize) -> Vec<MachineInput> {
        if count == 0 {
            inputs.retain(|input| *input != MachineInput::Output);
            inputs.extend((self.stdout.is_none() && self.stderr.is_none()).then_some(MachineInput::PipesClosed));
        }
        inputs
    }

    /// Carries out the steps that a session took at `now`, and returns the inputs for the machine.
    pub(super) fn carry_out(&mut self, steps: Vec<Step>, journal: &mut Journal, now: Moment) -> Vec<MachineInput> {
        let mut inputs = Vec::new();
        for step in steps {
            match step {
                Step::Event(event) => {
                    self.watch.observe(&event);
                    self.named_files.observe(&event);
                    inputs.extend(NetworkState::after(&event).map(MachineInput::Network));
                    journal.event(event, now);
                }
                Step::Send(bytes) => {
                    if self.stdin.send(bytes) == Err(StdinStalled) {
                        self.stdin.close();
                        journal.warning(
                            "WARNING",
                            "the agent does not read the answers to its requests; it is being stopped",
                        );
                        inputs.push(MachineInput::SessionFinished);
                    }
                }
                Step::CloseStdin => self.stdin.close(),
                // The agent may have exited while lines were still being read; then there is nothing to wait for.
                Step::Deadline(after) => {
                    self.overdue_at = after.filter(|_| self.exit.is_none()).map(|after| Instant::now() + after);
                }
                Step::Finished => inputs.push(MachineInput::SessionFinished),
            }
        }
        inputs
    }
}

/// Waits until the directory leads out of the roots; forever if there are none.
async fn displaced(directory: &mut Option<DirectoryWatch>) {
    match directory {
        Some(directory) => directory.lost().await,
        None => std::future::pending().await,
    }
}

/// Reads from an open pipe; waits forever if it is closed.
async fn fill<R: AsyncRead + Unpin>(reader: &mut Option<LineReader<R>>) -> io::Result<usize> {
    match reader {
        Some(reader) => reader.fill().await,
        None => std::future::pending().await,
    }
}

/// External events, after a cancel request that came before them. A program that requests it may exit at once.
fn with_cancel(events: &[MachineInput], task: &OpenTask) -> Vec<MachineInput> {
    let is_cancelled = !events.is_empty() && task.is_cancel_requested();
    is_cancelled.then_some(MachineInput::Cancel).into_iter().chain(events.iter().copied()).collect()
}

#[cfg(test)]
#[path = "drive_tests.rs"]
mod tests;
