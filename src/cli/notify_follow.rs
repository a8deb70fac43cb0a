//! `notify --follow`: prints one line for each ended task that nobody has reported, until its session ends.
//!
//! Claude Code runs it as a monitor: each line wakes an idle session. It is a loop:
//!
//! ```text
//!            the lists of tasks have changed, or ends are pending and 5 s have passed
//!   ┌──────┐ ───────────────────────────────────────────────────────────────────────▶ ┌─────────────────────┐
//!   │ wait │                                                                           │ claim, print, confirm │
//!   └──▲───┘ ◀─────────────────────────────────────────────────────────────────────── └─────────────────────┘
//!      └── a file in the data directory has changed (inotify), or 1 s has passed
//! ```
//!
//! While nothing ends, each round compares the state of four files, which takes some microseconds. Nothing ends the loop
//! except its reader, its parent, or a signal:
//!
//! - *The data directory does not exist, or is removed.* It is never created here; the loop waits for it.
//! - *The configuration is invalid.* The problems are printed once on stderr. An invalid setting does not keep tasks from
//!   ending, so the loop continues; if not even the data directory is known, it reads the configuration again until it is.
//! - *The files cannot be read, or the output cannot be confirmed.* The problem is printed once on stderr, and the next
//!   round tries again. An end whose line was not confirmed may be reported again.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use chrono::Utc;
use rustix::process::{Pid, getppid};

use super::{
    listener::{listener, redactor},
    opening::LenientConfig,
    output::{fail, is_printed, is_reader_gone, refuse_all},
    runtime::runtime,
};
use crate::{
    config::Config,
    follower::{DirectoryWatch, Watches},
    present::{MAX_LISTED_TASKS, Refused, ended_line, more_ended},
    process::claude_session,
    redact::Redactor,
    store::{
        Listener, ListsState, NewEnds, PresentSession, ReportClaim, ReportedBy, Sessions, StoreError, UnreportedEnds,
        Upkeep,
    },
};

/// How often pending ends are checked although no file has changed: a session may be gone, or a claim free.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Reads the configuration, which may be invalid.
pub(super) type LoadConfig<'a> = &'a dyn Fn() -> LenientConfig;

/// Prints the ends until the reader of stdout or the parent process is gone. With `here`, only those in its repository
/// or below it, and those of the session's own tasks. The session is `key`, or the one in the environment.
pub(super) fn follow(load: LoadConfig<'_>, key: Option<String>, here: Option<PathBuf>) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error.to_string()),
    };
    let session = key.or_else(claude_session);
    runtime.block_on(Following::new(listener(session, here, true)).run(load))
}

/// The state of the loop.
struct Following {
    listener: Listener,
    parent: Option<Pid>,
    source: Option<Source>,
    lists: ListsState,
    /// When to look again although nothing has changed.
    retry_at: Option<Instant>,
    /// Whether a first search was successful.
    has_looked: bool,
    /// The last problem that was printed.
    problem: String,
}

/// An open data directory.
struct Source {
    ends: UnreportedEnds,
    upkeep: Upkeep,
    redactor: Redactor,
    _present: Option<PresentSession>,
}

/// The end of the loop.
struct ReaderGone;

impl Following {
    fn new(listener: Listener) -> Self {
        let (lists, problem) = (ListsState::default(), String::new());
        Self { listener, parent: getppid(), source: None, lists, retry_at: None, has_looked: false, problem }
    }

    async fn run(mut self, load: LoadConfig<'_>) -> ExitCode {
        let Some(config) = self.loaded(load).await else { return ExitCode::SUCCESS };
        let redactor = redactor(&config);
        let mut watch = DirectoryWatch::new(&config.data_dir, &Watches::new());
        while !self.is_over() {
            if !config.data_dir.is_dir() {
                self.source = None;
            } else if let Err(ReaderGone) = self.look(&config, &redactor) {
                break;
            }
            watch.changed().await;
        }
        ExitCode::SUCCESS
    }

    /// The configuration, once the data directory is known. `None` if the loop should end.
    async fn loaded(&mut self, load: LoadConfig<'_>) -> Option<Config> {
        while !self.is_over() {
            match load() {
                Ok((config, problems)) => {
                    self.warn_of_all(problems);
                    return Some(config);
                }
                Err(problems) => self.warn_of_all(problems),
            }
            for _ in 0..RETRY_INTERVAL.as_secs() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if self.is_over() {
                    return None;
                }
            }
        }
        None
    }

    /// Whether nobody reads the output any more, or the parent process has ended.
    fn is_over(&self) -> bool {
        is_reader_gone() || getppid() != self.parent
    }

    /// Reports new ends, if there can be any.
    fn look(&mut self, config: &Config, redactor: &Redactor) -> Result<(), ReaderGone> {
        let source = match self.source.take().map_or_else(|| self.opened(config, redactor), Ok) {
            Ok(source) => source,
            Err(error) => {
                self.warn(&error);
                return Ok(());
            }
        };
        let lists = source.ends.lists_state();
        let is_due = self.retry_at.is_some_and(|retry_at| Instant::now() >= retry_at);
        if lists != self.lists || is_due {
            self.retry_at = None;
            match source.ends.claim(&self.listener, Utc::now()) {
                Ok(new) => {
                    self.lists = lists;
                    if new.pending > 0 {
                        self.retry_at = Some(Instant::now() + RETRY_INTERVAL);
                    }
                    source.upkeep.repair();
                    self.report(new, &source.redactor)?;
                }
                Err(error) => {
                    self.warn(&error);
                    self.retry_at = Some(Instant::now() + RETRY_INTERVAL);
                }
            }
        }
        self.source = Some(source);
        Ok(())
    }

    fn opened(&self, config: &Config, redactor: &Redactor) -> Result<Source, StoreError> {
        let upkeep = Upkeep::open(&config.data_dir, &config.log_dir)?;
        upkeep.check_locks()?;
        let present = match &self.listener.session {
            Some(session) => Sessions::of(&upkeep).enter(session, self.listener.window.as_deref())?,
            None => None,
        };
        let ends = UnreportedEnds::of(&upkeep);
        Ok(Source { ends, upkeep, redactor: redactor.clone(), _present: present })
    }

    /// Prints the ends. Of those that piled up before the start, only the first few are listed. Otherwise, the next
    /// round reports those that are not claimed.
    fn report(&mut self, new: NewEnds, redactor: &Redactor) -> Result<(), ReaderGone> {
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        let listed = if is_first { MAX_LISTED_TASKS } else { usize::MAX };
        let (ends, unclaimed) = new.into_each();
        let (mut unlisted, mut are_confirmed) = (Vec::new(), true);
        for (number, (mut record, claim)) in ends.enumerate() {
            if number >= listed {
                unlisted.push(claim);
                continue;
            }
            record.untrusted_texts().for_each(|text| redactor.redact(text));
            self.print(&ended_line(&record))?;
            are_confirmed &= self.confirm(claim);
        }
        if is_first && unlisted.len() + unclaimed.number() > 0 {
            self.print(&more_ended(unlisted.len() + unclaimed.number()))?;
            unlisted.into_iter().for_each(|claim| _ = self.confirm(claim));
            let confirmed = unclaimed.confirm(ReportedBy::Monitor, self.listener.session.as_deref(), Utc::now());
            self.check_confirmed(confirmed);
        } else if unclaimed.number() > 0 && are_confirmed {
            self.retry_at = Some(Instant::now());
        }
        Ok(())
    }

    fn print(&self, line: &str) -> Result<(), ReaderGone> {
        if is_printed(line) { Ok(()) } else { Err(ReaderGone) }
    }

    fn confirm(&mut self, claim: ReportClaim) -> bool {
        let confirmed = claim.confirm(ReportedBy::Monitor, self.listener.session.as_deref(), Utc::now());
        self.check_confirmed(confirmed)
    }

    /// Tries again later if ends could not be confirmed.
    fn check_confirmed(&mut self, confirmed: Result<(), StoreError>) -> bool {
        if let Err(error) = &confirmed {
            self.warn(error);
            self.retry_at = Some(Instant::now() + RETRY_INTERVAL);
        }
        confirmed.is_ok()
    }

    /// Prints the problems of the configuration on stderr, unless they were the last ones.
    fn warn_of_all(&mut self, problems: Vec<Refused>) {
        let text = format!("{problems:?}");
        if !problems.is_empty() && self.problem != text {
            self.problem = text;
            refuse_all(problems);
        }
    }

    /// Prints a problem on stderr, unless it was the last one.
    fn warn(&mut self, error: &StoreError) {
        let problem = error.to_string();
        if self.problem != problem {
            fail(problem.clone());
            self.problem = problem;
        }
    }
}
