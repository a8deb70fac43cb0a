//! Removing particular tasks, because a person asked for it.

use super::Upkeep;
use crate::{store::error::StoreError, task::TaskId};

/// The result of [`Upkeep::remove`] for one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The task and all its files are gone.
    Removed,
    /// Its removal has begun, but it is still listed, for example because the lists are locked. A later upkeep finishes
    /// the removal.
    StillListed,
    /// A process is working on the task: it is running, or has just ended.
    InUse,
    /// The original program ran it. Its files are never changed.
    Original,
    /// There is no such task.
    Unknown,
}

impl Upkeep {
    /// Removes ended tasks with all their files, in the same way as [`remove_old`](Self::remove_old). Stops at the
    /// first file that cannot be removed.
    pub fn remove(&self, ids: &[TaskId]) -> Result<Vec<(TaskId, Removal)>, StoreError> {
        self.finish_removals()?;
        let (mut begun, mut results) = (Vec::new(), Vec::new());
        let mut failure = None;
        for id in ids {
            match self.begin_removal(id) {
                Ok(Some(task)) => begun.push(task),
                Ok(None) => results.push((id.clone(), self.why_kept(id)?)),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let removed: Vec<_> = begun.iter().map(|task| task.id().clone()).collect();
        let is_unlisted = removed.is_empty() || self.indexes().remove(&removed)?;
        for (task, id) in begun.into_iter().zip(removed) {
            if is_unlisted {
                task.close()?;
                results.push((id, Removal::Removed));
            } else {
                results.push((id, Removal::StillListed));
            }
        }
        failure.map_or(Ok(results), Err)
    }

    /// Why a task was not removed.
    fn why_kept(&self, id: &TaskId) -> Result<Removal, StoreError> {
        Ok(match self.reader().record(id)? {
            None => Removal::Unknown,
            Some(record) if record.is_original() => Removal::Original,
            Some(_) => Removal::InUse,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        store::tests::{claimed, index, record, upkeep, write},
        task::TaskStatus,
    };

    /// The files of a task in the log directory.
    fn files(upkeep: &Upkeep, id: &TaskId) -> usize {
        let logs = fs::read_dir(upkeep.reader().log_dir()).expect("it exists").flatten();
        logs.filter(|file| file.file_name().to_string_lossy().starts_with(id.as_str())).count()
    }

    #[test]
    fn an_ended_task_is_removed_from_everywhere_and_others_are_kept() {
        let (_dir, upkeep) = upkeep();
        let (one, two) = (record(1, TaskStatus::Completed), record(2, TaskStatus::Failed));
        for record in [&one, &two] {
            write(&upkeep, record);
            index(&upkeep, record);
            fs::write(upkeep.reader().log_path(&record.id), "log").expect("it is writable");
        }
        assert_eq!(
            upkeep.remove(std::slice::from_ref(&one.id)).expect("it is writable"),
            [(one.id.clone(), Removal::Removed)]
        );
        assert_eq!((files(&upkeep, &one.id), files(&upkeep, &two.id)), (0, 2));
        assert_eq!(upkeep.reader().record(&one.id).expect("it is readable"), None);
        assert_eq!(upkeep.reader().list(None, 10).expect("it is readable").total, 1);
        assert_eq!(upkeep.remove(std::slice::from_ref(&one.id)).expect("it is writable"), [(one.id, Removal::Unknown)]);
        assert!(upkeep.candidates().expect("it is readable").is_empty(), "no run directory is left");
    }

    #[test]
    fn running_tasks_and_those_of_the_original_program_are_kept() {
        let (_dir, upkeep) = upkeep();
        let running = record(1, TaskStatus::Running);
        let lease = claimed(&upkeep, &running.id);
        lease.write_record(&running).expect("it is writable");
        let mut original = record(2, TaskStatus::Completed);
        original.format = 0;
        write(&upkeep, &original);
        index(&upkeep, &original);
        let ids = [running.id.clone(), original.id.clone()];
        let results = upkeep.remove(&ids).expect("it is readable");
        assert_eq!(results, [(running.id, Removal::InUse), (original.id.clone(), Removal::Original)]);
        assert!(upkeep.reader().record(&original.id).expect("it is readable").is_some());
    }
}
