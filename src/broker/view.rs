//! Reads tasks in order to show them.

use std::{collections::BTreeMap, path::PathBuf};

use connector_api::Sandbox;

use super::{Broker, Refusal, worktrees::work_tree};
use crate::{
    present::{self, StartedTask},
    store::{ByteRange, FileChunk, FileMetadata, Filter, TaskFile},
    task::{Listing, LiveView, Message, ResultText, TaskId, TaskRecord, TaskStatus, TaskView, WaitsFor},
};

/// Maximum number of bytes of a result that are read for an answer. The result file has the full text.
const MAX_RESULT_BYTES: u64 = 64 << 10;

impl Broker {
    /// Everything about one task, with the last `tail_lines` lines of its log. If its supervisor has died, this
    /// finalizes the task.
    pub async fn view(&self, id: &TaskId, tail_lines: usize) -> Result<TaskView, Refusal> {
        let task_id = id.clone();
        let (mut record, may_run) = self
            .on_disk(move |broker| {
                let record = broker.record(&task_id)?;
                let may_run = !record.is_final() || broker.reader.is_leased(&task_id)?;
                Ok::<_, Refusal>((record, may_run))
            })
            .await??;
        let mut runs = false;
        if may_run {
            match self.ended_if_possible(id).await {
                Some(ended) => record = ended,
                None => runs = true,
            }
        }
        self.on_disk(move |broker| broker.view_of(record, runs, tail_lines)).await?
    }

    /// A view of the task with this record. `runs` is whether it is still running.
    fn view_of(&self, mut record: TaskRecord, runs: bool, tail_lines: usize) -> Result<TaskView, Refusal> {
        let mut live = if runs { self.reader.live(&record.id) } else { None };
        if let Some(live) = &live {
            live.overlay(&mut record);
        }
        let redactor = self.redactor_for(&record);
        live.iter_mut().flat_map(LiveView::untrusted_texts).for_each(|text| redactor.redact(text));
        let mut tail = self.reader.tail_log(&record.id, tail_lines)?;
        tail.lines.iter_mut().for_each(|line| redactor.redact(line.raw_mut()));
        let result = self.result_of(&record)?;
        // The index may name a record that was set aside because it is damaged.
        record.start.debug_file = record.start.debug_file.filter(|file| file.symlink_metadata().is_ok());
        Ok(TaskView { record: self.clean_with_neighbors(record), live, tail, result })
    }

    /// A task that was just started, as far as it can be read, and its neighbors.
    pub async fn started(&self, id: &TaskId) -> StartedTask {
        let started = StartedTask { id: id.clone(), record: None, in_worktree: false, neighbors: vec![] };
        let id = id.clone();
        let read = self.on_disk(move |broker| {
            let record = broker.record(&id)?;
            let running = match &record.start.repository {
                Some(repository) => {
                    let repository = Some(repository.to_string_lossy().into_owned());
                    let filter = Filter { state: Some(TaskStatus::Running), repository, ..Filter::default() };
                    broker.reader.find(&filter, usize::MAX)?.records
                }
                None => Vec::new(),
            };
            // A task whose supervisor is gone has no agent that could change files.
            let runs = |other: &TaskId| *other != id && broker.reader.is_leased(other).unwrap_or(true);
            let own = work_tree(&record.progress.working_directory);
            // One of the two only reads, or has files of its own.
            let is_separate = |other: &TaskRecord| {
                other.start.sandbox == Some(Sandbox::ReadOnly)
                    || work_tree(&other.progress.working_directory) != own
                    || other.progress.workspace.as_ref().is_some_and(|state| state.worktree.is_some())
            };
            let only_reads = record.start.sandbox == Some(Sandbox::ReadOnly);
            let gets_worktree = broker.gets_worktree(record.progress.backend.as_ref());
            let is_alone = only_reads || gets_worktree;
            let beside = running.into_iter().filter(|other| !is_alone && !is_separate(other));
            let neighbors = beside.map(|record| record.id).filter(runs).collect();
            let has_worktree = record.progress.workspace.as_ref().is_some_and(|state| state.worktree.is_some());
            let in_worktree = !only_reads && gets_worktree && !has_worktree;
            Ok::<_, Refusal>((broker.clean(record), in_worktree, neighbors))
        });
        match read.await {
            Ok(Ok((record, in_worktree, neighbors))) => {
                StartedTask { record: Some(record), in_worktree, neighbors, ..started }
            }
            Ok(Err(problem)) | Err(problem) => {
                tracing::debug!(%problem, task = %started.id, "cannot read a task that was just started");
                started
            }
        }
    }

    /// Fails if there is no such task. Only reads its record.
    pub async fn check_exists(&self, id: &TaskId) -> Result<(), Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| broker.record(&id).map(drop)).await?
    }

    /// The task's record, not redacted.
    pub(super) fn record(&self, id: &TaskId) -> Result<TaskRecord, Refusal> {
        if let Some(record) = self.reader.record(id)? {
            return Ok(record);
        }
        Err(match self.reader.other_log_dir(id)? {
            Some(there) => self.other_log_dir(id, there),
            None => Refusal::NoSuchTask(id.as_str().into()),
        })
    }

    pub(super) fn other_log_dir(&self, id: &TaskId, there: PathBuf) -> Refusal {
        Refusal::OtherLogDir { id: id.clone(), there, here: self.config.log_dir.clone() }
    }

    /// The result of a task. The middle of a long result is omitted.
    pub async fn result(&self, record: &TaskRecord) -> Result<Option<ResultText>, Refusal> {
        let record = record.clone();
        self.on_disk(move |broker| broker.result_of(&record)).await?
    }

    fn result_of(&self, record: &TaskRecord) -> Result<Option<ResultText>, Refusal> {
        let mut result = self.reader.result(&record.id, MAX_RESULT_BYTES)?;
        let redactor = self.redactor_for(record);
        let texts = result.iter_mut().flat_map(|result| [&mut result.head, &mut result.tail]);
        texts.for_each(|text| redactor.redact(text.raw_mut()));
        Ok(result)
    }

    /// A part of one of a task's files; `None` if the file does not exist.
    pub async fn read_chunk(
        &self,
        record: &TaskRecord,
        file: TaskFile,
        range: ByteRange,
    ) -> Result<Option<FileChunk>, Refusal> {
        let record = record.clone();
        self.on_disk(move |broker| {
            let mut chunk = broker.reader.read_chunk(&record.id, file, range)?;
            let redactor = broker.redactor_for(&record);
            chunk.iter_mut().for_each(|chunk| redactor.redact(chunk.text.raw_mut()));
            Ok(chunk)
        })
        .await?
    }

    /// The sizes and modification times of these files, in the same order; `None` for a file that does not exist.
    pub async fn file_metadata(&self, files: Vec<(TaskId, TaskFile)>) -> Result<Vec<Option<FileMetadata>>, Refusal> {
        self.on_disk(move |broker| files.iter().map(|(id, file)| broker.reader.file_metadata(id, *file)).collect())
            .await
    }

    /// The same for the list of tasks, which changes whenever a task begins or ends.
    pub async fn index_metadata(&self) -> Result<Option<FileMetadata>, Refusal> {
        self.on_disk(|broker| broker.reader.index_metadata()).await
    }

    /// The newest `limit` tasks, with this status or with any. Finalizes tasks whose supervisor has died. A task that
    /// cannot be finalized now is listed with the status in its record.
    pub async fn list(&self, status: Option<TaskStatus>, limit: usize) -> Result<Listing, Refusal> {
        self.settle_running().await?;
        self.on_disk(move |broker| {
            let mut listing = broker.reader.list(status, limit)?;
            listing.records = listing.records.into_iter().map(|record| broker.clean(record)).collect();
            listing.waiting = broker.waiting(&listing.records)?;
            Ok(listing)
        })
        .await?
    }

    /// The running tasks among `records` whose agents cannot work at the moment.
    fn waiting(&self, records: &[TaskRecord]) -> Result<BTreeMap<TaskId, WaitsFor>, Refusal> {
        if records.iter().all(TaskRecord::is_final) {
            return Ok(BTreeMap::new());
        }
        let queued = self.reader.queued()?.into_iter().map(|id| (id, WaitsFor::Turn));
        let offline = records.iter().filter(|record| !record.is_final()).filter_map(|record| {
            let since = self.reader.live(&record.id)?.offline_since?;
            Some((record.id.clone(), WaitsFor::Network { since }))
        });
        Ok(offline.chain(queued).collect())
    }

    /// A notice about the queued tasks and the limit they wait for.
    pub async fn limited(&self) -> Option<Message> {
        let waiting = self.on_disk(|broker| broker.reader.waiting()).await.ok()?.unwrap_or_default();
        (!waiting.is_empty()).then(|| present::notices::queued(&waiting, self.config.max_running))
    }

    /// New notices about the data directory since the last call.
    pub fn notices(&self) -> Vec<Message> {
        self.reader.notices().take()
    }
}
