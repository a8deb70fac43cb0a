//! SIGINT as Codex takes it: its commands end, and it exits with 1. Other signals are left alone until a script says so.

use std::{
    process::{self, Child},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    flag,
    iterator::Signals,
};

use super::Problem;

/// The children that end with the agent when it is interrupted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Children {
    running: Arc<Mutex<Vec<Child>>>,
    ignores_interrupts: Arc<AtomicBool>,
}

/// Watches for SIGINT from now on.
pub(crate) fn watch() -> Result<Children, Problem> {
    let children = Children::default();
    let watched = children.clone();
    let mut signals = Signals::new([SIGINT])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if !watched.ignores_interrupts.load(Ordering::Relaxed) {
                watched.end();
                process::exit(1);
            }
        }
    });
    Ok(children)
}

impl Children {
    pub(crate) fn add(&self, child: Child) {
        self.lock().push(child);
    }

    /// Ignores the signal `name`, such as `TERM`, from now on.
    pub(crate) fn ignore(&self, name: &str) -> Result<(), Problem> {
        match name {
            "INT" => self.ignores_interrupts.store(true, Ordering::Relaxed),
            "TERM" => ignore(SIGTERM)?,
            "HUP" => ignore(SIGHUP)?,
            "QUIT" => ignore(SIGQUIT)?,
            _ => return Err(Problem::Script(format!("cannot ignore the signal {name:?}"))),
        }
        Ok(())
    }

    fn end(&self) {
        for child in self.lock().iter_mut() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Child>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a handler that does nothing in place of the default, which would end the process. A program started later has
/// the default again.
pub(crate) fn ignore(signal: i32) -> Result<(), Problem> {
    flag::register(signal, Arc::default())?;
    Ok(())
}
