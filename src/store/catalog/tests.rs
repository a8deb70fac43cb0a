//! Tests of storing, finding, counting and removing tasks.

use std::{borrow::Borrow, cell::Cell, collections::BTreeSet, fs, path::PathBuf};

use chrono::DateTime;
use connector_api::Usage;
use tempfile::TempDir;

use super::{
    open::{Catalog, MAX_LOG_BYTES, companion},
    pending::{mark, marked, open_to_mark, write_mark},
    rebuild::{Check, Rebuilt, rebuild},
    row::{
        CatalogSources, ChangedTasks, Changes, Filter, ListedTask, Row, StateCounts, StoredState, StoredTask, TaskPage,
    },
};
use crate::{
    store::{entry::record_of, layout::Layout},
    task::{Outcome, Page, TaskId, TaskStatus},
};

pub(super) fn id(number: u32) -> TaskId {
    TaskId::parse(&format!("{number:08x}")).expect("eight digits")
}

impl From<TaskStatus> for StoredState {
    /// The state of a task with this status that did not fail for a particular reason.
    fn from(status: TaskStatus) -> Self {
        match status {
            TaskStatus::Running => Self::Running,
            TaskStatus::Completed => Self::Ended(Outcome::Completed),
            TaskStatus::Failed => Self::Ended(Outcome::Failed),
            TaskStatus::Interrupted => Self::Ended(Outcome::Interrupted),
        }
    }
}

/// A task that began at `number` seconds, and ended half a second later if `state` is final.
pub(super) fn row(number: u32, state: impl Into<StoredState>) -> Row {
    let state: StoredState = state.into();
    let reason = match state {
        StoredState::Ended(Outcome::Failed) => Some("Exited with code 1"),
        StoredState::Ended(Outcome::Cancelled) => Some("Cancelled by user"),
        StoredState::Ended(Outcome::TimedOut) => Some("Timeout after 60s"),
        StoredState::Running | StoredState::Ended(Outcome::Completed | Outcome::Interrupted) => None,
    };
    let at = |millis: i64| DateTime::from_timestamp_millis(millis).expect("a small number");
    let millis = i64::from(number) * 1_000;
    Row {
        id: id(number),
        state,
        started_at: at(millis),
        completed_at: state.is_final().then(|| at(millis + 500)),
        backend: "codex".to_owned(),
        model: String::new(),
        repository: "/home/user/project".to_owned(),
        directory: "/home/user/project/crate".to_owned(),
        session: None,
        usage: None,
        changes: None,
        from_original: false,
        record: serde_json::json!({
            "format": 1, "id": id(number), "status": state.status(), "startedAt": at(millis), "failureReason": reason
        })
        .to_string(),
    }
}

pub(super) struct World {
    pub(super) dir: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory can be created") }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.layout().catalog()
    }

    fn layout(&self) -> Layout {
        Layout { data: self.dir.path().to_owned(), logs: self.dir.path().join("logs") }
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.layout().catalog_lock()
    }

    pub(super) fn pending(&self) -> PathBuf {
        self.layout().catalog_pending()
    }

    pub(super) fn rebuild(&self, rows: impl IntoIterator<Item = Row>) -> Rebuilt {
        rebuild(&self.path(), &self.lock(), Check::Opens, rows).expect("the directory is writable")
    }

    pub(super) fn catalog(&self) -> Catalog {
        self.rebuild([]).catalog
    }

    pub(super) fn names(&self) -> Vec<String> {
        let files = fs::read_dir(self.dir.path()).expect("it is readable").flatten();
        let mut names: Vec<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

pub(super) fn numbers(catalog: &Catalog, filter: &Filter, limit: usize) -> Vec<u32> {
    newest(catalog, filter, limit, &BTreeSet::new()).tasks.iter().map(|task| number(&task.row.id)).collect()
}

/// The newest tasks without some of them.
pub(super) fn newest(
    catalog: &Catalog,
    filter: &Filter,
    limit: usize,
    without: &BTreeSet<TaskId>,
) -> TaskPage<StoredTask> {
    let changed = ChangedTasks { ids: without.clone(), selected: Vec::new() };
    let TaskPage { tasks, total } = catalog.page(filter, Page::first(limit), &changed).expect("it is readable");
    let stored = tasks.into_iter().map(|task| match task {
        ListedTask::Stored(stored) => *stored,
        ListedTask::Changed(id) => panic!("{id} was not added"),
    });
    TaskPage { tasks: stored.collect(), total }
}

pub(super) fn counts(catalog: &Catalog, filter: &Filter) -> StateCounts {
    let mut counts = catalog.counts(filter, &BTreeSet::new()).expect("it is readable");
    counts.retain(|_, tasks| *tasks > 0);
    counts
}

pub(super) fn number(id: &TaskId) -> u32 {
    u32::from_str_radix(id.as_str(), 16).expect("eight digits")
}

/// Compares the tallies with counts of the rows themselves, which a filter with a time uses.
pub(super) fn assert_counts_are_correct(catalog: &Catalog) {
    catalog.verify(record_of).expect("not corrupt");
    let since = DateTime::from_timestamp_millis(i64::from(i32::MIN) * 1_000);
    for state in [None, Some(TaskStatus::Running), Some(TaskStatus::Failed)] {
        for backend in [None, Some("codex".to_owned()), Some("claude".to_owned())] {
            for repository in [None, Some("/home/user/project".to_owned()), Some("/b".to_owned())] {
                let filter = Filter { state, backend: backend.clone(), repository, ..Filter::default() };
                let counted = counts(catalog, &Filter { since, ..filter.clone() });
                assert_eq!(counts(catalog, &filter), counted, "{filter:?}");
            }
        }
    }
    let all = catalog.oldest_ended(0, usize::MAX).expect("it is readable").len();
    let ended = catalog.ended_since(0, usize::MAX).expect("it is readable");
    assert_eq!(all, ended.iter().filter(|task| !task.row.from_original).count());
}

#[test]
fn a_stored_row_is_read_back_completely() {
    let world = World::new();
    let mut catalog = world.catalog();
    let full = Row {
        usage: Some(Usage { input_tokens: 1, cached_input_tokens: 2, output_tokens: 3, reasoning_output_tokens: 4 }),
        changes: Some(Changes { files: 5, added: 6, removed: u64::from(u32::MAX) }),
        from_original: true,
        ..row(1, TaskStatus::Failed)
    };
    for stored in [full, row(2, TaskStatus::Running)] {
        catalog.upsert(&stored).expect("it is writable");
        let found = Catalog::open_to_read(&world.path()).and_then(|catalog| catalog.get(&stored.id));
        assert_eq!(found.expect("it is readable").map(|found| found.row), Some(stored));
    }
    assert_eq!(catalog.get(&id(3)).expect("it is readable"), None);
    let ids = [id(1), id(2), id(3)];
    let behind = |has_ended| catalog.behind(ids.iter().map(|id| (id, has_ended))).expect("it is readable");
    assert_eq!([behind(false), behind(true)], [[id(3)].into(), [id(2), id(3)].into()]);
    assert_eq!(catalog.running().expect("it is readable"), [id(2)]);
}

#[test]
fn a_catalog_remembers_its_sources_and_the_newest_task_of_a_session() {
    let world = World::new();
    let mut catalog = world.catalog();
    assert_eq!(catalog.sources().expect("it is readable"), CatalogSources::default());
    let of = |session: &str, number| Row { session: Some(session.to_owned()), ..row(number, TaskStatus::Completed) };
    let sources = |edition: &str, archive: &str| CatalogSources {
        edition: Some(edition.to_owned()),
        archives: [archive.to_owned()].into(),
        swept_at: DateTime::from_timestamp(5, 0),
    };
    catalog.store(&[of("a", 1), of("a", 2), of("b", 3)], &sources("one", "x"), || true).expect("it is writable");
    catalog.store(&[], &sources("two", "y"), || false).expect("it is writable");
    let known = CatalogSources { archives: ["x".to_owned(), "y".to_owned()].into(), ..sources("one", "x") };
    assert_eq!(catalog.sources().expect("it is readable"), known, "the second edition was no longer current");
    let newest = |session, limit| -> Vec<_> {
        let found = catalog.newest_of_session(session, limit).expect("it is readable");
        found.into_iter().map(|task| task.row.id).collect()
    };
    assert_eq!([newest("a", 1), newest("a", 9), newest("b", 9)], [vec![id(2)], vec![id(2), id(1)], vec![id(3)]]);
    assert_eq!(newest("c", 1), []);
}

#[test]
fn a_task_gets_one_number_when_it_ends_and_stays_ended() {
    let world = World::new();
    let mut catalog = world.catalog();
    assert_eq!(catalog.upsert(&row(1, TaskStatus::Running)).expect("it is writable"), None);
    assert_eq!(catalog.upsert(&row(2, TaskStatus::Completed)).expect("it is writable"), Some(1));
    assert_eq!(catalog.upsert(&row(1, TaskStatus::Failed)).expect("it is writable"), Some(2));
    assert_eq!(catalog.upsert(&row(2, TaskStatus::Interrupted)).expect("it is writable"), Some(1));
    assert_eq!(catalog.upsert(&row(1, TaskStatus::Running)).expect("it is writable"), Some(2));
    let first = catalog.get(&id(1)).expect("it is readable").expect("it was stored");
    assert_eq!((first.row.state, first.seq), (TaskStatus::Failed.into(), Some(2)));

    catalog.remove(&[id(1), id(9)]).expect("it is writable");
    assert_eq!(catalog.upsert(&row(3, TaskStatus::Completed)).expect("it is writable"), Some(3), "2 is not reused");
    let ended = catalog.ended_since(1, 10).expect("it is readable");
    assert_eq!(ended.iter().map(|task| (number(&task.row.id), task.seq)).collect::<Vec<_>>(), [(3, Some(3))]);
    assert_eq!(catalog.last_seq().expect("it is readable"), 3);
    assert_counts_are_correct(&catalog);
}

#[test]
fn removed_tasks_leave_nothing_behind() {
    let world = World::new();
    let mut catalog = world.catalog();
    for number in 0..3 {
        catalog.upsert(&row(number, TaskStatus::Running)).expect("it is writable");
        catalog.upsert(&row(number, TaskStatus::Completed)).expect("it is writable");
    }
    catalog.remove(&[id(0), id(1), id(2)]).expect("it is writable");
    for table in ["tasks", "tallies"] {
        let rows = catalog.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
        assert_eq!(rows, Ok(0), "{table}");
    }
}

#[test]
fn retention_finds_the_oldest_ended_tasks_except_the_original_programs() {
    let world = World::new();
    let mut catalog = world.catalog();
    for number in [4, 1, 3, 2] {
        catalog.upsert(&row(number, TaskStatus::Completed)).expect("it is writable");
    }
    catalog.upsert(&Row { from_original: true, ..row(0, TaskStatus::Completed) }).expect("it is writable");
    catalog.upsert(&row(5, TaskStatus::Running)).expect("it is writable");
    let oldest = |keep, limit| catalog.oldest_ended(keep, limit).expect("it is readable");
    assert_eq!(oldest(1, 10), [id(1), id(2), id(3)]);
    assert_eq!(oldest(1, 2), [id(1), id(2)]);
    assert_eq!(oldest(4, 10), []);
    let third = row(3, TaskStatus::Completed).completed_at.expect("it has ended");
    assert_eq!(catalog.ended_before(third, 10).expect("it is readable"), [id(1), id(2)]);
}

#[test]
fn a_rebuilt_catalog_is_a_new_generation_and_numbers_tasks_as_they_ended() {
    let world = World::new();
    let first = world.catalog().generation().to_owned();
    fs::remove_file(world.path()).expect("it exists");
    let late = Row { completed_at: row(9, TaskStatus::Completed).completed_at, ..row(1, TaskStatus::Completed) };
    let rows = [late, row(3, TaskStatus::Failed), row(2, TaskStatus::Running), row(3, TaskStatus::Running)];
    let mut catalog = world.rebuild(rows).catalog;
    assert_ne!(catalog.generation(), first);
    let ended = catalog.ended_since(0, 10).expect("it is readable");
    assert_eq!(
        ended.iter().map(|task| (number(&task.row.id), task.seq)).collect::<Vec<_>>(),
        [(3, Some(1)), (1, Some(2))]
    );
    assert_eq!(catalog.upsert(&row(2, TaskStatus::Completed)).expect("it is writable"), Some(3));
    assert_counts_are_correct(&catalog);
    let again = world.rebuild([row(7, TaskStatus::Completed)]);
    assert!(!again.is_new && again.catalog.get(&id(7)).expect("it is readable").is_none(), "a usable catalog is kept");
    let names = world.names();
    assert!(names.iter().all(|name| name.starts_with("index")), "{names:?}");
}

/// A row that counts how many of its kind exist.
struct Counted<'a>(Row, &'a Cell<usize>);

impl Borrow<Row> for Counted<'_> {
    fn borrow(&self) -> &Row {
        &self.0
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.1.set(self.1.get() - 1);
    }
}

#[test]
fn a_rebuild_holds_one_row_at_a_time() {
    let (world, held) = (World::new(), Cell::new(0));
    let rows = (0..100).map(|number| {
        assert_eq!(held.get(), 0, "row {number} is requested after the previous one was dropped");
        held.set(1);
        Counted(row(number, TaskStatus::Completed), &held)
    });
    let rebuilt = rebuild(&world.path(), &world.lock(), Check::Opens, rows).expect("the directory is writable");
    assert_eq!(numbers(&rebuilt.catalog, &Filter::default(), 100).len(), 100);
}

#[test]
fn the_write_ahead_log_stays_short_across_processes() {
    let world = World::new();
    world.catalog();
    let large = "x".repeat(20_000);
    for number in 0..300 {
        let mut catalog = Catalog::open_to_write(&world.path()).expect("it exists");
        let row = Row { record: large.clone(), ..row(number, TaskStatus::Completed) };
        catalog.upsert(&row).expect("it is writable");
        let log = fs::metadata(companion(&world.path(), "-wal")).expect("it exists").len();
        assert!(log <= MAX_LOG_BYTES, "the log has {log} bytes after {number} tasks");
    }
}

#[test]
fn marked_tasks_are_stored_once_the_catalog_can_be_written() {
    let world = World::new();
    for number in [3, 1, 3, 2] {
        mark(&world.pending(), &id(number)).expect("it is writable");
    }
    assert_eq!(marked(&world.pending()).expect("it is readable"), [id(1), id(2), id(3)].into());
    let mut catalog = world.catalog();
    let find = |found: &TaskId| (*found != id(2)).then(|| row(number(found), TaskStatus::Completed));
    assert_eq!(catalog.catch_up(&world.pending(), find).expect("it is writable"), 3);
    assert_eq!(numbers(&catalog, &Filter::default(), 9), [3, 1]);
    assert_eq!(marked(&world.pending()).expect("it is readable"), [].into());
    assert!(world.names().iter().all(|name| !name.contains("pending")), "{:?}", world.names());
}

#[test]
fn a_mark_in_a_renamed_file_must_be_written_again() {
    let world = World::new();
    let mut catalog = world.catalog();
    let mut file = open_to_mark(&world.pending()).expect("it is writable");
    assert!(write_mark(&mut file, &world.pending(), &id(1)).expect("it is writable"));
    catalog.catch_up(&world.pending(), |_| None).expect("it is writable");
    assert!(
        !write_mark(&mut file, &world.pending(), &id(2)).expect("it is writable"),
        "the file was renamed, so nobody will read it"
    );
}
