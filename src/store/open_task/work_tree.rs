//! The tasks that write in the same work tree, across all servers of a data directory.
//!
//! A task that may write in a work tree *enters* it: it creates a file in the work tree's directory and locks it for as
//! long as it runs. The file's name begins with a number, and a later task has a higher one. The kernel releases the
//! lock of a process that dies, and the next process that looks removes its file. A process that enters or looks holds the
//! directory's own lock meanwhile, so of two tasks that enter at the same time, one sees the other.

use std::{
    fs::{self, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::OpenTask;
use crate::{
    store::{error::StoreError, files, layout::Layout, lock_file::LockFile, repository_key::repository_key},
    task::TaskId,
};

/// How long other processes may keep the lock of a directory, which they need for a moment.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The name of a directory's own lock.
const LOCK: &str = "lock";

/// The presence of one task in a work tree. It ends when this value is dropped.
#[derive(Debug)]
pub struct WorkTreeWriter {
    /// The directory of the work tree.
    dir: PathBuf,
    number: u64,
    path: PathBuf,
    _locked: LockFile,
}

/// A task's access to the files that say who writes in which work tree. Everything here blocks, so it can be moved to
/// another thread.
#[derive(Debug, Clone)]
pub struct WorkTrees {
    layout: Arc<Layout>,
    task: TaskId,
}

impl OpenTask {
    /// The task's access to the files that say who writes in which work tree.
    pub fn work_trees(&self) -> WorkTrees {
        WorkTrees { layout: Arc::clone(&self.layout), task: self.id.clone() }
    }
}

impl WorkTrees {
    /// Enters the work tree with the top `top`, an absolute real path, as a writer. Waits up to 5 s for other processes.
    pub fn enter(&self, top: &Path) -> Result<WorkTreeWriter, StoreError> {
        let dir = self.layout.writers().join(repository_key(top));
        files::make_private_dir(&dir)?;
        let _lock = lock(&dir)?;
        let number = present(&dir)?.last().map_or(1, |(last, _)| last + 1);
        let path = dir.join(format!("{number:010}-{}", self.task));
        let file = LockFile::from(files::write(&path).map_err(StoreError::at("create", &path))?);
        file.try_lock().map_err(|error| StoreError::at("lock", &path)(error.into()))?;
        Ok(WorkTreeWriter { dir, number, path, _locked: file })
    }

    /// Marks the task as waiting for others that write in the same work tree, or removes the mark.
    pub fn set_waits(&self, waits: bool) -> Result<(), StoreError> {
        let path = self.layout.waits_for_tree(&self.task);
        if waits { files::mark(&path).map(drop) } else { files::unmark(&path) }
    }
}

impl WorkTreeWriter {
    /// The tasks that entered the work tree before this one and are still there, oldest first. Waits up to 5 s for other
    /// processes.
    pub fn earlier(&self) -> Result<Vec<TaskId>, StoreError> {
        let _lock = lock(&self.dir)?;
        let present = present(&self.dir)?.into_iter();
        Ok(present.filter(|(number, _)| *number < self.number).map(|(_, id)| id).collect())
    }
}

impl Drop for WorkTreeWriter {
    fn drop(&mut self) {
        // If this fails, the next process that looks removes the file.
        let _ = files::remove(&self.path);
    }
}

/// Takes the lock of a work tree's directory.
fn lock(dir: &Path) -> Result<LockFile, StoreError> {
    let path = dir.join(LOCK);
    files::lock(&path, LOCK_TIMEOUT)?.ok_or_else(|| StoreError::at("lock", path)(std::io::ErrorKind::TimedOut.into()))
}

/// The writers whose processes are alive, in the order in which they entered. Removes the files of the others. The
/// caller holds the directory's lock.
fn present(dir: &Path) -> Result<Vec<(u64, TaskId)>, StoreError> {
    let mut present = Vec::new();
    for entry in fs::read_dir(dir).map_err(StoreError::at("read", dir))?.flatten() {
        let name = entry.file_name();
        let Some((number, id)) = name.to_str().and_then(|name| name.split_once('-')) else { continue };
        let (Ok(number), Ok(id)) = (number.parse(), TaskId::parse(id)) else { continue };
        // The file of a task that has just ended is gone.
        let Ok(file) = files::open(&entry.path()).map(LockFile::from) else { continue };
        match file.try_lock() {
            Ok(()) => drop(files::remove(&entry.path())),
            Err(TryLockError::WouldBlock) => present.push((number, id)),
            Err(TryLockError::Error(error)) => return Err(StoreError::at("lock", entry.path())(error)),
        }
    }
    present.sort();
    Ok(present)
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;
    use crate::store::tests::{claimed, upkeep};

    #[test]
    fn a_task_sees_those_that_entered_the_same_work_tree_before_it() {
        let (_dir, upkeep) = upkeep();
        let [one, two, three] = [(); 3].map(|()| claimed(&upkeep, &TaskId::random()));
        let enter = |task: &OpenTask, top: &str| task.work_trees().enter(Path::new(top)).expect("it is writable");
        let earlier = |writer: &WorkTreeWriter| writer.earlier().expect("it is readable");
        let first = enter(&one, "/a");
        let second = enter(&two, "/a");
        assert_eq!((earlier(&first), earlier(&second)), (vec![], vec![one.id().clone()]));
        assert_eq!(earlier(&enter(&three, "/b")), [], "another work tree");
        drop(first);
        assert_eq!(earlier(&second), []);
        let third = enter(&three, "/a");
        assert_eq!((earlier(&second), earlier(&third)), (vec![], vec![two.id().clone()]));
    }

    #[test]
    fn a_writer_whose_process_died_is_forgotten() {
        let (_dir, upkeep) = upkeep();
        let [one, two] = [(); 2].map(|()| claimed(&upkeep, &TaskId::random()));
        let top = Path::new("/a");
        let dead = one.work_trees().enter(top).expect("it is writable");
        let left = dead.path.clone();
        drop(dead);
        fs::write(&left, "").expect("it is writable");
        let second = two.work_trees().enter(top).expect("it is writable");
        assert_eq!(second.earlier().expect("it is readable"), []);
        assert!(!left.exists());
    }

    #[test]
    fn of_tasks_that_enter_at_the_same_time_only_one_is_first() {
        let (_dir, upkeep) = upkeep();
        let tasks: Vec<_> = (0..8).map(|_| claimed(&upkeep, &TaskId::random())).collect();
        let barrier = Barrier::new(tasks.len());
        let mut counts: Vec<usize> = thread::scope(|scope| {
            let enter = |task: &OpenTask| {
                barrier.wait();
                let writer = task.work_trees().enter(Path::new("/a")).expect("it is writable");
                let earlier = writer.earlier().expect("it is readable").len();
                barrier.wait();
                earlier
            };
            let threads: Vec<_> = tasks.iter().map(|task| scope.spawn(move || enter(task))).collect();
            threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
        });
        counts.sort_unstable();
        assert_eq!(counts, (0..8).collect::<Vec<_>>());
    }
}
