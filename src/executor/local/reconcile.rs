//! Finalizes tasks whose supervisor is gone.
//!
//! Any number of processes may do this at once. The one that gets the lease finalizes the task; the others do nothing.

use std::time::Duration;

use chrono::Utc;
use connector_api::Warning;

use crate::{
    executor::Settled,
    process::{Cgroup, Member, kill_left_behind, left_behind, not_ended, sweep_cgroups},
    redact::Redactor,
    store::{OpenTask, Reader, StoreError, Upkeep},
    task::{EndStatus, FailureReason, IndexLimits, RECORD_FORMAT, TaskEnd, TaskId, TaskRecord, Untrusted},
};

/// A run directory without a record that is younger than this belongs to a supervisor that is just starting.
const STARTUP_PERIOD: Duration = Duration::from_secs(5);

/// Finalizes every task whose supervisor is gone. A task that cannot be finalized now is left for the next call.
pub(super) fn reconcile_all(upkeep: &Upkeep, index: IndexLimits) -> Result<(), StoreError> {
    upkeep.remove_leftovers();
    sweep_cgroups();
    for id in upkeep.candidates()? {
        if let Err(error) = reconcile(upkeep, &id, index) {
            upkeep.notices().add_unfinalized(&id, &error);
        }
    }
    Ok(())
}

/// Finalizes one task if its supervisor is gone: stops the remaining processes, and ends the task as cancelled if that
/// was requested, as timed out if it was marked overdue, and as `interrupted` otherwise.
///
/// Waits up to ten seconds for processes to end, and up to two for the index.
pub(super) fn reconcile(upkeep: &Upkeep, id: &TaskId, index: IndexLimits) -> Result<Settled, StoreError> {
    let reader = upkeep.reader();
    if reader.is_leased(id)? {
        return Ok(Settled::Untouched);
    }
    // The record is in another log directory. A server that uses that one will finalize the task.
    if reader.other_log_dir(id)?.is_some() {
        return Ok(Settled::Untouched);
    }
    let record = reader.record(id)?;
    let run_age = reader.run_age(id);
    match &record {
        None if run_age.is_none_or(|age| age < STARTUP_PERIOD) => return Ok(Settled::Untouched),
        Some(record) if record.is_final() && run_age.is_none() => return Ok(Settled::Untouched),
        None | Some(_) => {}
    }
    let Some(task) = upkeep.take_over(id)? else { return Ok(Settled::Untouched) };
    if reader.is_being_removed(id) {
        upkeep.finish_removal(task)?;
        return Ok(Settled::Untouched);
    }
    finalize(task, reader, index)
}

fn finalize(task: OpenTask, reader: &Reader, index: IndexLimits) -> Result<Settled, StoreError> {
    let id = task.id();
    let group = reader.cgroup(id).and_then(|dir| Cgroup::of(id, dir));
    // Must happen before a new record is written.
    task.set_damaged_record_aside()?;
    // Read again: the supervisor may have finished properly before we got the lease.
    let settled = match reader.record(id)? {
        Some(record) if record.is_final() => {
            end_timeline(&task, &record);
            task.index(&record, index)?;
            Settled::Untouched
        }
        Some(mut record) => {
            let killed = kill_left_behind(id, record.progress.agent.as_ref(), group.as_ref());
            let alive = left_behind(id, record.progress.agent.as_ref(), group.as_ref());
            if !alive.is_empty() {
                tracing::error!(task = %id, ?alive, "cannot stop processes of a task");
            }
            end(reader, &mut record);
            if let Some(end) = &mut record.end {
                end.warnings.extend(not_ended(&alive));
            }
            // A file that the original program wrote is never overwritten.
            record.from_original |= record.format != RECORD_FORMAT;
            if !record.from_original {
                task.write_record(&record)?;
            }
            // Only after the record is written. If that fails, it is retried often, and each time would add an entry to
            // the log.
            write_end(&task, reader, &record, &killed);
            end_timeline(&task, &record);
            task.index(&TaskRecord { format: RECORD_FORMAT, ..record }, index)?;
            Settled::Finalized
        }
        None => Settled::Untouched,
    };
    if let Some(group) = group {
        group.remove();
    }
    task.close()?;
    Ok(settled)
}

/// Adds the end to the record: as cancelled if that was requested, as timed out if the task was marked overdue, and as
/// interrupted otherwise. The task's duration is the time until its last activity.
fn end(reader: &Reader, record: &mut TaskRecord) {
    if let Some(live) = reader.live(&record.id) {
        live.overlay(record);
    }
    let last_sign = record.progress.last_activity_at.unwrap_or(record.start.started_at);
    let ran = (last_sign - record.start.started_at).to_std().unwrap_or_default();
    let overdue = || reader.policy(&record.id)?.timeout.filter(|_| reader.is_overdue(&record.id));
    let (status, reason) = match overdue() {
        _ if reader.is_cancel_requested(&record.id) => (EndStatus::Failed, FailureReason::Cancelled),
        Some(limit) => (EndStatus::Failed, FailureReason::Timeout { elapsed: ran.max(limit), limit }),
        None => (EndStatus::Interrupted, FailureReason::ServerRestarted),
    };
    let mut end = TaskEnd::new(status, Some(reason), Utc::now(), ran);
    if status == EndStatus::Interrupted {
        end.warnings.push(supervisor_gone());
    }
    record.end = Some(end);
}

/// Why the task was interrupted, in plain words next to the documented reason.
fn supervisor_gone() -> Warning {
    let message = "the task's supervisor, the process that ran the agent, was killed, or the machine stopped";
    Warning { message: message.to_owned(), advice: None }
}

/// Writes the end to the task's timeline. A failure is only logged, because followers also see the end in the record.
fn end_timeline(task: &OpenTask, record: &TaskRecord) {
    if let Err(error) = task.end_timeline(record) {
        tracing::warn!(%error, task = %record.id, "cannot write the end to the timeline");
    }
}

/// Writes the end of the task to its log. `killed` lists the processes that were stopped.
fn write_end(task: &OpenTask, reader: &Reader, record: &TaskRecord, killed: &[Member]) {
    let reason = record.failure_reason().map_or("", Untrusted::raw);
    let summary = format!("END: {}\nFailure reason: {reason}", record.status());
    if let Ok(mut log) = task.open_log(None) {
        let names: Vec<_> = killed.iter().map(|member| format!("{} ({})", member.name, member.pid)).collect();
        let stopped =
            if names.is_empty() { "no process was left".into() } else { format!("stopped {}", names.join(", ")) };
        let own_words = reader.last_words(&record.id).map_or(String::new(), |words| {
            format!("\nIts last words: {}", Redactor::of(std::env::vars_os()).text(&words))
        });
        let entry = format!("{summary}\nThe supervisor was gone; {stopped}{own_words}");
        let _ = log.entry(Utc::now(), &entry).and_then(|()| log.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        store::{Claim, Requests},
        task::TaskStatus,
    };

    const LIMITS: IndexLimits = IndexLimits { entries: 10, text: 100 };

    fn upkeep() -> (tempfile::TempDir, Upkeep) {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let upkeep = Upkeep::open(&dir.path().join("data"), &dir.path().join("data/logs")).expect("it is writable");
        (dir, upkeep)
    }

    fn claimed(upkeep: &Upkeep, id: &TaskId) -> OpenTask {
        let Ok(Claim::Claimed(task)) = upkeep.claim(id) else { panic!("a new ID is free") };
        task
    }

    /// Leaves a task in the state in which a killed supervisor would leave it.
    fn left_running(upkeep: &Upkeep, record: &TaskRecord) {
        claimed(upkeep, &record.id).write_record(record).expect("it is writable");
    }

    fn running(format: u32) -> TaskRecord {
        serde_json::from_value(serde_json::json!({
            "format": format, "id": TaskId::random(), "task": "x", "status": "running",
            "startedAt": "2026-01-15T10:30:00Z", "lastActivityAt": "2026-01-15T10:30:05Z"
        }))
        .expect("these fields are enough")
    }

    #[test]
    fn a_task_whose_supervisor_is_gone_is_finalized_once() {
        let (_dir, upkeep) = upkeep();
        let record = running(1);
        left_running(&upkeep, &record);

        assert_eq!(reconcile(&upkeep, &record.id, LIMITS).expect("it can be finalized"), Settled::Finalized);
        assert_eq!(reconcile(&upkeep, &record.id, LIMITS).expect("it has been finalized"), Settled::Untouched);

        let closed = upkeep.reader().record(&record.id).expect("it is readable").expect("it exists");
        assert_eq!(closed.status(), TaskStatus::Interrupted);
        assert_eq!(closed.failure_reason().map(Untrusted::raw), Some("Server restarted while task was running"));
        assert_eq!(closed.end.and_then(|end| end.duration_formatted).as_deref(), Some("5.0s"));
        assert!(upkeep.reader().running_ids().expect("it is readable").is_empty());
    }

    #[test]
    fn a_task_whose_supervisor_lives_is_not_touched() {
        let (_dir, upkeep) = upkeep();
        let record = running(1);
        let task = claimed(&upkeep, &record.id);
        task.write_record(&record).expect("it is writable");
        assert_eq!(reconcile(&upkeep, &record.id, LIMITS).expect("it is readable"), Settled::Untouched);
        assert_eq!(upkeep.reader().record(&record.id).expect("it is readable"), Some(record));
    }

    #[test]
    fn a_task_whose_files_are_in_another_log_directory_is_not_touched() {
        let (dir, upkeep) = upkeep();
        let wrong = Upkeep::open(upkeep.reader().data_dir(), &dir.path().join("other")).expect("it is writable");
        for is_indexed in [false, true] {
            let id = TaskId::random();
            let record = running(1).with(serde_json::json!({"id": id, "debugFile": upkeep.reader().record_path(&id)}));
            let task = claimed(&upkeep, &id);
            task.write_log_dir().expect("it is writable");
            task.write_record(&record).expect("it is writable");
            if is_indexed {
                task.index(&record, LIMITS).expect("it is writable");
            }
            drop(task);
            let run = upkeep.reader().data_dir().join("run").join(id.as_str());
            // Old enough that its supervisor cannot be just starting.
            let long_ago = std::time::SystemTime::now() - STARTUP_PERIOD * 2;
            let touched = std::fs::File::open(&run).and_then(|run| run.set_modified(long_ago));
            touched.expect("the test owns it");
            assert_eq!(reconcile(&wrong, &id, LIMITS).expect("it is readable"), Settled::Untouched);
            assert!(run.exists() && !wrong.reader().record_path(&id).exists());
            assert_eq!(upkeep.reader().record(&id).expect("it is readable"), Some(record));
            assert_eq!(reconcile(&upkeep, &id, LIMITS).expect("it can be finalized"), Settled::Finalized);
        }
    }

    #[test]
    fn a_running_task_of_the_original_program_is_finalized_and_its_file_kept() {
        let (_dir, upkeep) = upkeep();
        let record = running(0);
        let index = serde_json::json!({ record.id.as_str(): record });
        std::fs::write(upkeep.reader().data_dir().join("tasks.json"), index.to_string()).expect("it is writable");
        std::fs::write(upkeep.reader().record_path(&record.id), "{\"some\": \"thing\"}").expect("it is writable");

        assert_eq!(reconcile(&upkeep, &record.id, LIMITS).expect("it can be finalized"), Settled::Finalized);
        let listed = upkeep.reader().list(None, 10).expect("it is readable").records;
        assert_eq!(listed[0].status(), TaskStatus::Interrupted);
        let own = std::fs::read_to_string(upkeep.reader().record_path(&record.id)).expect("it exists");
        assert_eq!(own, "{\"some\": \"thing\"}");
    }

    #[test]
    fn a_damaged_record_is_kept_when_its_task_is_finalized() {
        let (_dir, upkeep) = upkeep();
        let record = running(1);
        claimed(&upkeep, &record.id).index(&record, LIMITS).expect("it is writable");
        std::fs::write(upkeep.reader().record_path(&record.id), "{\"format\": 1, torn").expect("it is writable");

        assert_eq!(reconcile(&upkeep, &record.id, LIMITS).expect("it can be finalized"), Settled::Finalized);

        let closed = upkeep.reader().record(&record.id).expect("it is readable").expect("it exists");
        assert_eq!(closed.status(), TaskStatus::Interrupted);
        let logs = std::fs::read_dir(upkeep.reader().log_dir()).expect("it exists").flatten();
        let kept = logs.filter(|file| file.file_name().to_string_lossy().contains("-damaged-"));
        let kept: Vec<_> = kept.map(|file| std::fs::read_to_string(file.path()).expect("the test owns it")).collect();
        assert_eq!(kept, ["{\"format\": 1, torn"]);
    }

    #[test]
    fn a_task_with_a_cancel_request_is_finalized_as_cancelled() {
        let (_dir, upkeep) = upkeep();
        let record = running(1);
        left_running(&upkeep, &record);
        Requests::of(&upkeep).cancel(&record.id).expect("it is writable");
        reconcile(&upkeep, &record.id, LIMITS).expect("it can be finalized");
        let closed = upkeep.reader().record(&record.id).expect("it is readable").expect("it exists");
        assert_eq!(
            (closed.status(), closed.failure_reason().map(Untrusted::raw)),
            (TaskStatus::Failed, Some("Cancelled by user"))
        );
    }

    #[test]
    fn an_overdue_task_is_finalized_as_timed_out() {
        let (_dir, upkeep) = upkeep();
        for (limit, ended) in [
            (Some(Duration::from_secs(3)), (TaskStatus::Failed, "Timeout after 5.0s (limit: 3.0s)")),
            (None, (TaskStatus::Interrupted, "Server restarted while task was running")),
        ] {
            let record = running(1);
            let task = claimed(&upkeep, &record.id);
            task.write_record(&record).expect("it is writable");
            let policy = serde_json::from_value(serde_json::json!({
                "timeout": limit.map(|limit| limit.as_millis()), "heartbeat": 1, "stallWarning": 1, "stopAfterSilence": null,
                "grace": {"interrupt": 1, "terminate": 1}, "onServerExit": "interrupt", "onAgentExit": "kill",
                "keepEvents": false
            }))
            .expect("these fields are enough");
            task.write_policy(&policy).expect("it is writable");
            drop(task);
            Requests::of(&upkeep).mark_overdue(&record.id).expect("it is writable");
            reconcile(&upkeep, &record.id, LIMITS).expect("it can be finalized");
            let closed = upkeep.reader().record(&record.id).expect("it is readable").expect("it exists");
            assert_eq!((closed.status(), closed.failure_reason().map(Untrusted::raw)), (ended.0, Some(ended.1)));
        }
    }

    #[test]
    fn files_of_the_original_program_stay_untouched_after_its_index_is_archived() {
        let (_dir, upkeep) = upkeep();
        let (old, new) = (running(0), running(1));
        let index = serde_json::json!({ old.id.as_str(): old });
        std::fs::write(upkeep.reader().data_dir().join("tasks.json"), index.to_string()).expect("it is writable");
        std::fs::write(upkeep.reader().record_path(&old.id), "{\"some\": \"thing\"}").expect("it is writable");
        claimed(&upkeep, &new.id).index(&new, LIMITS).expect("it is writable");

        assert_eq!(reconcile(&upkeep, &old.id, LIMITS).expect("it can be finalized"), Settled::Finalized);
        let own = std::fs::read_to_string(upkeep.reader().record_path(&old.id)).expect("it exists");
        assert_eq!(own, "{\"some\": \"thing\"}");
    }

    #[test]
    fn a_task_whose_removal_was_interrupted_does_not_come_back() {
        let (_dir, upkeep) = upkeep();
        let record = running(1).with(serde_json::json!({"status": "completed"}));
        left_running(&upkeep, &record);
        std::fs::write(upkeep.reader().data_dir().join(format!("run/{}/removing", record.id)), "")
            .expect("it is writable");
        reconcile(&upkeep, &record.id, LIMITS).expect("it can be finished");
        assert_eq!(upkeep.reader().record(&record.id).expect("it is readable"), None);
        assert!(upkeep.reader().running_ids().expect("it is readable").is_empty());
    }

    #[test]
    fn a_supervisor_that_is_starting_is_left_alone() {
        let (_dir, upkeep) = upkeep();
        let id = TaskId::random();
        drop(claimed(&upkeep, &id));
        assert_eq!(reconcile(&upkeep, &id, LIMITS).expect("it is readable"), Settled::Untouched);
        assert_eq!(upkeep.reader().running_ids().expect("it is readable"), [id]);
    }
}
