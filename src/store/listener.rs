//! Decides which ends of tasks may be announced to whom. Pure, except that the caller looks up sessions.
//!
//! An *announcement* is a report that nobody asked for: a message of the channel, the output of `notify`, or a line of
//! `notify --follow`. Each end is announced once: to the session that started the task, or, if that session is gone, to
//! the first session that listens in the task's repository. A task that no session started is treated as if its session
//! were gone.
//!
//! | the task | announced to its own session | to another session in its repository |
//! |---|---|---|
//! | was started by a session that is present | yes; if it has a handle, [`HANDLE_GRACE`] later | no |
//! | was started by a session that is gone | yes, when it is resumed | yes |
//! | was started by no session | | yes |
//! | was started with `run --detach` by no session | | yes, but not by a monitor, which would wake the session |
//! | runs in a terminal in the foreground | no: its command shows the end | no |
//! | was cancelled together with the call that waited for it | no: the person who did that knows | no |
//! | of an older version, which did not record who started it | | yes, if it ended after the first call of this version |
//! | ended more than [`MAX_AGE`] ago | no | no |

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use crate::task::{SubmittedBy, TaskRecord};

/// Ends that are older than this are not announced.
pub(super) const MAX_AGE: TimeDelta = TimeDelta::days(3);

/// How long a present client has to fetch the final state of a handle before the end is announced. Counted from the end,
/// or from the arrival of the session if that is later. Claude Code asks every 2 seconds.
pub(super) const HANDLE_GRACE: TimeDelta = TimeDelta::seconds(15);

/// A session, person or script to which ends are announced. The default listens to every end that does not belong to a
/// present session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listener {
    /// The session of Claude Code, if there is one.
    pub session: Option<String>,
    /// The window of Claude Code, if it is known. Its other sessions count as this one.
    pub window: Option<String>,
    /// Listens only here, except for the session's own tasks.
    pub here: Option<ListenedDirectory>,
    /// An announcement wakes the session although it is idle, as a line of a monitor does.
    pub wakes: bool,
}

/// The directory that a listener is interested in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenedDirectory {
    /// Its real path.
    pub directory: PathBuf,
    /// Its repository, as [`repository_of`](crate::directory::repository_of) names it.
    pub repository: PathBuf,
}

/// A session that is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Presence {
    /// When its newest process entered it.
    pub(super) since: DateTime<Utc>,
    /// Its window, if that is known.
    pub(super) window: Option<String>,
}

/// Whether an end may be announced to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now.
    Now,
    /// Not now, but this can change.
    Later,
    /// Not to this listener, but to others.
    Elsewhere,
    /// To nobody, ever.
    Never,
}

/// An ended task, as far as it matters here.
#[derive(Debug)]
pub(super) struct EndedTask<'a> {
    pub(super) record: &'a TaskRecord,
    /// The repository in the catalog, which is also known for tasks of older versions.
    pub(super) repository: &'a Path,
}

/// The circumstances of a decision.
pub(super) struct Moment<'a> {
    pub(super) now: DateTime<Utc>,
    /// Tasks of older versions that ended by then count as reported.
    pub(super) since: DateTime<Utc>,
    /// Looks for a session; `None` if it is gone.
    pub(super) find: &'a dyn Fn(&str) -> Option<Presence>,
}

impl Listener {
    /// Whether this end may be announced to this listener.
    pub(super) fn turn(&self, task: &EndedTask<'_>, moment: &Moment<'_>) -> Turn {
        let record = task.record;
        let submitter = &record.start.submitter;
        let ended_at = record.completed_at().unwrap_or(record.start.started_at);
        let is_old = moment.now - ended_at > MAX_AGE;
        let is_known = !(submitter.is_unknown() && ended_at <= moment.since);
        let shows_end = match submitter.by {
            Some(SubmittedBy::Terminal) => true,
            Some(SubmittedBy::Call) => record.is_cancelled(),
            Some(SubmittedBy::Async | SubmittedBy::Handle | SubmittedBy::Detached) | None => false,
        };
        if is_old || !is_known || shows_end || record.is_original() {
            return Turn::Never;
        }
        let Some(session) = &submitter.session else {
            // Nobody in Claude Code waits for a person's own work.
            let is_left_to_the_hook = self.wakes && submitter.by == Some(SubmittedBy::Detached);
            return if is_left_to_the_hook { Turn::Elsewhere } else { self.turn_of_other(task) };
        };
        let presence = (moment.find)(session);
        if !self.is(session, presence.as_ref()) {
            return if presence.is_some() { Turn::Later } else { self.turn_of_other(task) };
        }
        let since = presence.as_ref().map_or(ended_at, |presence| presence.since.max(ended_at));
        let is_left_to_the_handle = presence.is_some()
            && submitter.by == Some(SubmittedBy::Handle)
            && (TimeDelta::zero()..HANDLE_GRACE).contains(&(moment.now - since));
        if is_left_to_the_handle { Turn::Later } else { Turn::Now }
    }

    /// Whether the listener is this session, or another one in its window.
    fn is(&self, session: &str, presence: Option<&Presence>) -> bool {
        let window = presence.and_then(|presence| presence.window.as_ref());
        self.session.as_deref() == Some(session) || (window.is_some() && window == self.window.as_ref())
    }

    /// The same for a task that does not belong to a present session.
    fn turn_of_other(&self, task: &EndedTask<'_>) -> Turn {
        let is_here = self.here.as_ref().is_none_or(|here| {
            task.repository == here.repository || task.record.progress.working_directory.starts_with(&here.directory)
        });
        if is_here { Turn::Now } else { Turn::Later }
    }

    /// Whether an answer to this listener, which asked for it, counts as the report of the task's end.
    pub(super) fn is_told_by_answer(&self, record: &TaskRecord, find: impl Fn(&str) -> Option<Presence>) -> bool {
        match (&self.session, &record.start.submitter.session) {
            // A person or a script asked. Nobody else waits for a person's own work.
            (None, None) => record.start.submitter.by == Some(SubmittedBy::Detached),
            // The session must still learn of the end.
            (None, Some(_)) => false,
            (Some(_), None) => true,
            (Some(_), Some(session)) => {
                let presence = find(session);
                presence.is_none() || self.is(session, presence.as_ref())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::task::TaskId;

    const PRESENT: &str = "present";
    const GONE: &str = "gone";

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + second)
    }

    fn listener(session: &str, here: &str) -> Listener {
        let here = ListenedDirectory { directory: here.into(), repository: format!("{here}/.git").into() };
        Listener { session: Some(session.to_owned()), here: Some(here), ..Listener::default() }
    }

    fn presence(session: &str, since: DateTime<Utc>) -> Option<Presence> {
        (session == PRESENT).then(|| Presence { since, window: Some("window".to_owned()) })
    }

    /// The turn at the second `now` for a task that ended at second 0 in the repository `/a`.
    fn turn(listener: &Listener, submitter: Value, now: i64, arrived: i64) -> Turn {
        let record: TaskRecord = serde_json::from_value(json!({
            "format": 1, "id": TaskId::random(), "status": "completed", "startedAt": at(-9), "completedAt": at(0),
            "workingDirectory": "/a/below", "submitter": submitter
        }))
        .expect("these fields are enough");
        let task = EndedTask { record: &record, repository: Path::new("/a/.git") };
        let find = |session: &str| presence(session, at(arrived));
        listener.turn(&task, &Moment { now: at(now), since: at(-50), find: &find })
    }

    #[test]
    fn an_end_belongs_to_its_session_and_to_others_in_its_repository_once_that_is_gone() {
        for (submitter, own, here, elsewhere) in [
            (json!({"by": "async", "session": PRESENT}), Turn::Now, Turn::Later, Turn::Later),
            (json!({"by": "async", "session": GONE}), Turn::Now, Turn::Now, Turn::Later),
            (json!({"by": "handle", "session": GONE}), Turn::Now, Turn::Now, Turn::Later),
            (json!({"by": "call"}), Turn::Now, Turn::Now, Turn::Later),
            (json!({"by": "detached"}), Turn::Now, Turn::Now, Turn::Later),
            (json!({"by": "terminal"}), Turn::Never, Turn::Never, Turn::Never),
            (json!({}), Turn::Now, Turn::Now, Turn::Later),
        ] {
            let session = submitter["session"].as_str().unwrap_or("any");
            assert_eq!(turn(&listener(session, "/a"), submitter.clone(), 100, -100), own, "{submitter}");
            assert_eq!(turn(&listener("other", "/a"), submitter.clone(), 100, -100), here, "{submitter}");
            assert_eq!(turn(&listener("other", "/a/below"), submitter.clone(), 100, -100), here, "{submitter}");
            assert_eq!(turn(&listener("other", "/b"), submitter.clone(), 100, -100), elsewhere, "{submitter}");
            assert_eq!(turn(&Listener::default(), submitter.clone(), 100, -100), here, "{submitter}");
        }
    }

    #[test]
    fn a_persons_own_work_does_not_wake_a_session() {
        let monitor = Listener { wakes: true, ..listener(PRESENT, "/a") };
        for (submitter, expected) in [
            (json!({"by": "detached"}), Turn::Elsewhere),
            (json!({"by": "detached", "session": PRESENT}), Turn::Now),
            (json!({"by": "detached", "session": GONE}), Turn::Now),
            (json!({"by": "call"}), Turn::Now),
        ] {
            assert_eq!(turn(&monitor, submitter.clone(), 100, -100), expected, "{submitter}");
            assert_eq!(turn(&listener(PRESENT, "/a"), submitter.clone(), 100, -100), Turn::Now, "{submitter}");
        }
    }

    #[test]
    fn a_session_learns_of_its_own_tasks_in_other_directories() {
        assert_eq!(turn(&listener(PRESENT, "/b"), json!({"by": "async", "session": PRESENT}), 100, -100), Turn::Now);
    }

    #[test]
    fn the_next_session_in_the_same_window_learns_of_the_end() {
        let after_clear = |window: &str| Listener { window: Some(window.to_owned()), ..listener("other", "/b") };
        let submitter = json!({"by": "async", "session": PRESENT});
        assert_eq!(turn(&after_clear("window"), submitter.clone(), 100, -100), Turn::Now);
        assert_eq!(turn(&after_clear("another"), submitter, 100, -100), Turn::Later);
    }

    #[test]
    fn a_handle_is_given_time_to_report_the_end() {
        let submitter = json!({"by": "handle", "session": PRESENT});
        for (now, arrived, expected) in [
            (0, -100, Turn::Later),
            (14, -100, Turn::Later),
            (15, -100, Turn::Now),
            // The session was resumed after the end.
            (1_000, 990, Turn::Later),
            (1_005, 990, Turn::Now),
            // The clock was set back.
            (-40, -100, Turn::Now),
        ] {
            assert_eq!(turn(&listener(PRESENT, "/a"), submitter.clone(), now, arrived), expected, "{now}, {arrived}");
        }
    }

    #[test]
    fn an_old_end_is_not_announced() {
        let day = 24 * 3600;
        for submitter in
            [json!({"by": "async", "session": GONE}), json!({"by": "async", "session": PRESENT}), json!({})]
        {
            assert_eq!(turn(&listener(PRESENT, "/a"), submitter.clone(), 3 * day + 1, 3 * day), Turn::Never);
        }
        assert_eq!(turn(&listener("other", "/a"), json!({"session": GONE}), 3 * day, 0), Turn::Now);
    }

    #[test]
    fn an_answer_is_a_report_if_it_reaches_the_session_that_should_learn_of_the_end() {
        let of_kind = |by: &str, session: Option<&str>, submitter: Option<&str>| {
            let record: TaskRecord = serde_json::from_value(json!({
                "format": 1, "id": TaskId::random(), "status": "completed", "startedAt": at(0),
                "submitter": {"by": by, "session": submitter}
            }))
            .expect("these fields are enough");
            let listener = Listener { session: session.map(str::to_owned), ..Listener::default() };
            listener.is_told_by_answer(&record, |session| presence(session, at(0)))
        };
        let of = |session, submitter| of_kind("async", session, submitter);
        assert!(of_kind("detached", None, None) && !of_kind("detached", None, Some(GONE)));
        assert!(of(Some(PRESENT), Some(PRESENT)) && of(Some("other"), Some(GONE)) && of(Some("other"), None));
        assert!(!of(Some("other"), Some(PRESENT)) && !of(None, Some(PRESENT)) && !of(None, None));
    }
}
