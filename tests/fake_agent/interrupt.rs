//! How an agent takes the signals that ask it to end. Others are left alone until a script says so.

use std::{
    process::{self, Child, ChildStdout, Command, ExitStatus},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    flag,
    iterator::Signals,
    low_level::emulate_default_handler,
};

use super::FakeAgentError;

/// How often a command is asked whether it has ended.
const TICK: Duration = Duration::from_millis(5);

/// Whose manner it is, as each of them was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignalBehaviour {
    /// At SIGINT its commands end, and it exits with 1; at SIGTERM it leaves them behind.
    Codex,
    /// Its commands end at both, and it exits with 0 or 143.
    Claude,
    /// While a command runs it does nothing at either.
    Gemini,
    /// Both end it at once, and its commands are left behind.
    Default,
}

/// What the agent has started and not lost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Children {
    /// Those that end with the agent, where it takes care.
    running: Arc<Mutex<Vec<Child>>>,
    /// The commands that are being waited for, each of which leads a session.
    commands: Arc<Mutex<Vec<Child>>>,
    ignores_interrupts: Arc<AtomicBool>,
    ignores_terminations: Arc<AtomicBool>,
}

/// Takes signals in this manner from now on.
pub(crate) fn watch(signal_behaviour: SignalBehaviour) -> Result<Children, FakeAgentError> {
    let children = Children::default();
    let signals: &[i32] = match signal_behaviour {
        SignalBehaviour::Codex => &[SIGINT],
        SignalBehaviour::Claude | SignalBehaviour::Gemini => &[SIGINT, SIGTERM],
        SignalBehaviour::Default => return Ok(children),
    };
    let watched = children.clone();
    let mut signals = Signals::new(signals)?;
    thread::spawn(move || {
        for signal in signals.forever().filter(|signal| !watched.ignores(*signal)) {
            match (signal_behaviour, signal) {
                (SignalBehaviour::Codex, _) => watched.end_and_exit(1),
                (SignalBehaviour::Claude, SIGINT) => watched.end_and_exit(0),
                (SignalBehaviour::Claude, _) => watched.end_and_exit(128 + signal),
                (SignalBehaviour::Gemini, _) if watched.has_command() => {}
                (SignalBehaviour::Gemini | SignalBehaviour::Default, _) => {
                    // It does not come back from these two.
                    let _ = emulate_default_handler(signal);
                }
            }
        }
    });
    Ok(children)
}

impl Children {
    pub(crate) fn add(&self, child: Child) {
        lock(&self.running).push(child);
    }

    /// Starts a command, and returns its process ID and its output. No signal finds it running and unknown: whoever acts on
    /// one waits until it is listed.
    pub(crate) fn start(&self, command: &mut Command) -> Result<(u32, Option<ChildStdout>), FakeAgentError> {
        let mut commands = lock(&self.commands);
        let mut child = command.spawn()?;
        let started = (child.id(), child.stdout.take());
        commands.push(child);
        Ok(started)
    }

    /// Waits for a command that was started, which the agent may end meanwhile.
    pub(crate) fn wait_for(&self, id: u32) -> Result<ExitStatus, FakeAgentError> {
        loop {
            let mut commands = lock(&self.commands);
            let at = commands.iter().position(|command| command.id() == id);
            let at = at.ok_or_else(|| FakeAgentError::Script("a command was taken away".to_owned()))?;
            if let Some(status) = commands[at].try_wait()? {
                drop(commands.swap_remove(at));
                return Ok(status);
            }
            drop(commands);
            thread::sleep(TICK);
        }
    }

    /// Ignores the signal `name`, such as `TERM`, from now on.
    pub(crate) fn ignore(&self, name: &str) -> Result<(), FakeAgentError> {
        match name {
            "INT" => {
                self.ignores_interrupts.store(true, Ordering::Relaxed);
                ignore(SIGINT)
            }
            "TERM" => {
                self.ignores_terminations.store(true, Ordering::Relaxed);
                ignore(SIGTERM)
            }
            "HUP" => ignore(SIGHUP),
            "QUIT" => ignore(SIGQUIT),
            _ => Err(FakeAgentError::Script(format!("cannot ignore the signal {name:?}"))),
        }
    }

    fn ignores(&self, signal: i32) -> bool {
        match signal {
            SIGINT => self.ignores_interrupts.load(Ordering::Relaxed),
            SIGTERM => self.ignores_terminations.load(Ordering::Relaxed),
            _ => false,
        }
    }

    fn has_command(&self) -> bool {
        !lock(&self.commands).is_empty()
    }

    /// Ends what runs, and then the agent, before anything else is said of the command.
    fn end_and_exit(&self, code: i32) {
        let mut commands = lock(&self.commands);
        for command in commands.iter_mut() {
            // It may have ended by itself, or not lead its session yet.
            let group = i32::try_from(command.id()).ok().and_then(Pid::from_raw);
            let _ = group.map(|group| kill_process_group(group, Signal::KILL));
            let _ = command.kill();
            let _ = command.wait();
        }
        for child in lock(&self.running).iter_mut() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
        process::exit(code);
    }
}

/// Puts a handler that does nothing in place of the default, which would end the process. A program started later has
/// the default again.
pub(crate) fn ignore(signal: i32) -> Result<(), FakeAgentError> {
    flag::register(signal, Arc::default())?;
    Ok(())
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
