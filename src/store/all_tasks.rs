//! All tasks of a data directory without the catalog: from their records, then from entries of `tasks.json` and of
//! archives that have no record.
//!
//! The tasks are read one at a time, because there may be very many.

use std::{collections::BTreeSet, iter};

use super::{archive, index::Index, layout::Layout, notices::Notices, records};
use crate::task::{TaskId, TaskRecord};

/// Reads all tasks of a data directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct AllTasks<'a> {
    pub(super) layout: &'a Layout,
    pub(super) index: &'a Index,
    pub(super) notices: &'a Notices,
}

impl<'a> AllTasks<'a> {
    /// The newest version of each task, in no particular order. Nothing is read before the first task is requested.
    ///
    /// One unreadable file hides no other task: it is reported, and its task is read from the next best source.
    pub(super) fn each(self) -> impl Iterator<Item = TaskRecord> + use<'a> {
        let own = iter::once_with(move || records::all(self.layout).into_iter().flatten()).flatten();
        let own = own.filter_map(move |id| self.own(&id));
        let entries = iter::once_with(move || self.index.each().into_iter().flatten()).flatten();
        let archived = iter::once_with(move || archive::all_archived(self.layout)).flatten();
        let mut without_record = BTreeSet::new();
        let others = entries.chain(archived).filter(move |task| {
            let has_record = matches!(records::own(self.layout, &task.id), Ok(Some(_)));
            !has_record && without_record.insert(task.id.clone())
        });
        own.chain(others)
    }

    /// The task's record; `None` if it is unreadable.
    fn own(self, id: &TaskId) -> Option<TaskRecord> {
        let read = records::own_or_reported(self.layout, self.notices, id);
        read.inspect_err(|error| self.notices.add_unreadable(id, error)).ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::{
        store::{
            Upkeep,
            tests::{index, record, upkeep, write},
        },
        task::TaskStatus,
    };

    fn each(upkeep: &Upkeep) -> impl Iterator<Item = TaskRecord> {
        let index = upkeep.indexes().newest();
        AllTasks { layout: upkeep.layout(), index, notices: upkeep.notices() }.each()
    }

    #[test]
    fn tasks_are_read_one_at_a_time() {
        let (_dir, upkeep) = upkeep();
        let records: Vec<_> = (0..20).map(|second| record(second, TaskStatus::Completed)).collect();
        records.iter().for_each(|record| write(&upkeep, record));
        let mut tasks = each(&upkeep);
        let first = tasks.next().expect("there are 20");
        for other in records.iter().filter(|record| record.id != first.id) {
            fs::write(upkeep.layout().record(&other.id), "later damage").expect("it is writable");
        }
        assert_eq!(tasks.count(), 0, "no other record was read before it was damaged");
    }

    #[test]
    fn each_task_is_read_once_from_its_best_source() {
        let (_dir, upkeep) = upkeep();
        let (own, damaged) = (record(0, TaskStatus::Completed), record(1, TaskStatus::Completed));
        for record in [&own, &damaged] {
            write(&upkeep, record);
            index(&upkeep, &record.clone().with(json!({"task": "the entry"})));
        }
        fs::write(upkeep.layout().record(&damaged.id), "{\"format\": 1").expect("it is writable");
        let archived = record(2, TaskStatus::Completed);
        let content = json!({
            own.id.as_str(): own, damaged.id.as_str(): damaged, archived.id.as_str(): archived
        });
        fs::write(upkeep.layout().archive(chrono::Utc::now()), content.to_string()).expect("it is writable");
        let mut found: Vec<_> =
            each(&upkeep).map(|task| (task.start.started_at, task.start.task.raw().to_owned())).collect();
        found.sort();
        let texts: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["task number 0", "the entry", "task number 2"]);
        assert!(upkeep.notices().take().iter().any(|notice| notice.contains("is damaged")));
    }
}
