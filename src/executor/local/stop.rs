//! Signals supervisors on this machine.
//!
//! The task's record names the supervisor, but others may be able to change that file. So a process must prove that it
//! is the task's supervisor before it is signalled; see [`kill_supervisor`] and [`nudge`].

use crate::{
    process::{kill_supervisor, nudge},
    task::TaskRecord,
};

/// Makes the supervisor check its task's files now, and resumes it if it is stopped.
pub(super) fn ask(record: &TaskRecord) {
    if let Some(supervisor) = &record.start.supervisor {
        nudge(&record.id, supervisor);
    }
}

/// Kills the supervisor.
pub(super) fn force(record: &TaskRecord) {
    if let Some(supervisor) = &record.start.supervisor {
        let was_killed = kill_supervisor(&record.id, supervisor);
        tracing::warn!(task = %record.id, was_killed, "the supervisor did not react");
    }
}
