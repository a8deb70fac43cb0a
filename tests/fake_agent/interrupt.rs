//! How an agent reacts to the signals that ask it to exit. Other signals are left alone until a script ignores them.

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

/// How often a command's status is checked.
const TICK: Duration = Duration::from_millis(5);

/// The reaction to signals, as observed in each agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignalBehaviour {
    /// SIGINT stops its commands and makes it exit with 1; SIGTERM leaves its commands running.
    Codex,
    /// Both signals stop its commands; it exits with 0 or 143.
    Claude,
    /// Ignores both signals while a command runs.
    Gemini,
    /// Both signals end it at once, and its commands keep running.
    Default,
}

/// The processes that the agent has started and still knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Children {
    /// The children that an agent which cleans up stops with itself.
    running: Arc<Mutex<Vec<Child>>>,
    /// The commands that it waits for, each of which leads a session.
    commands: Arc<Mutex<Vec<Child>>>,
    ignores_interrupts: Arc<AtomicBool>,
    ignores_terminations: Arc<AtomicBool>,
}

/// From now on, reacts to signals like this.
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
                    // This call does not return for these two signals.
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

    /// Starts a command, and returns its process ID and its output. The lock keeps the signal handler from acting
    /// while the command is running but not yet listed.
    pub(crate) fn start(&self, command: &mut Command) -> Result<(u32, Option<ChildStdout>), FakeAgentError> {
        let mut commands = lock(&self.commands);
        let mut child = command.spawn()?;
        let started = (child.id(), child.stdout.take());
        commands.push(child);
        Ok(started)
    }

    /// Waits for a command. Meanwhile, a signal may make the agent stop it.
    pub(crate) fn wait_for(&self, id: u32) -> Result<ExitStatus, FakeAgentError> {
        loop {
            let mut commands = lock(&self.commands);
            let at = commands.iter().position(|command| command.id() == id);
            let at = at.ok_or_else(|| FakeAgentError::Script("the command is no longer listed".to_owned()))?;
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

    /// Stops all commands and children, and then exits, before any other event about the command is printed.
    fn end_and_exit(&self, code: i32) {
        let mut commands = lock(&self.commands);
        for command in commands.iter_mut() {
            // It may have ended already, or may not lead its session yet.
            let group = i32::try_from(command.id()).ok().and_then(Pid::from_raw);
            let _ = group.map(|group| kill_process_group(group, Signal::KILL));
            let _ = command.kill();
            let _ = command.wait();
        }
        for child in lock(&self.running).iter_mut() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
        process::exit(code);
    }
}

/// Installs a handler that does nothing, instead of the default, which would end the process. Programs started later
/// have the default again.
pub(crate) fn ignore(signal: i32) -> Result<(), FakeAgentError> {
    flag::register(signal, Arc::default())?;
    Ok(())
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
