//! Signals to a supervisor on this machine.
//!
//! The supervisor is named by the task's record, which is a file. So the process itself has to prove that it is the task's
//! supervisor before it is signalled; see [`kill_supervisor`] and [`nudge`].

use crate::{
    process::{kill_supervisor, nudge},
    task::TaskRecord,
};

/// Makes the supervisor look at its task's files now, and resumes it if it is stopped.
pub(super) fn ask(record: &TaskRecord) {
    if let Some(supervisor) = &record.start.supervisor {
        nudge(&record.id, supervisor);
    }
}

/// Kills the supervisor.
pub(super) fn force(record: &TaskRecord) {
    if let Some(supervisor) = &record.start.supervisor {
        let was_killed = kill_supervisor(&record.id, supervisor);
        tracing::warn!(task = %record.id, was_killed, "its supervisor does not react");
    }
}
