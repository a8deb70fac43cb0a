//! Tasks as MCP resources: clients can list, read and watch the record, log, result, events, diff and diagnostics of a
//! task.
//!
//! A resource exists as long as its file. One read returns at most [`MAX_READ_BYTES`]; for a longer file, the answer
//! contains the URI of the next piece. Secrets are redacted as in all answers.

mod uri;
pub(super) mod watch;

use chrono::{DateTime, Utc};
use rmcp::model::{
    Annotations, ErrorData, ListResourceTemplatesResult, ListResourcesResult, MetaObject, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};
use serde_json::json;

use self::uri::{ResourceRange, TaskResource, TaskUri};
use crate::{
    broker::{Broker, DiffContent, NotOperable, PathSelection, Refusal},
    present::{self, protocol, resources},
    store::{ByteRange, FileChunk, FileMetadata},
    task::{Listing, TaskId, TaskRecord},
};

/// Maximum number of bytes that one read returns.
const MAX_READ_BYTES: usize = 256 << 10;
const MAX_READ_LENGTH: u64 = MAX_READ_BYTES as u64;

/// The range of a read whose URI has none.
const DEFAULT_EXTENT: ByteRange = ByteRange { offset: 0, length: MAX_READ_LENGTH };

/// Number of tasks on one page of the list.
const TASKS_PER_PAGE: usize = 20;

/// Maximum number of log lines that `tail` returns.
const MAX_LINES: usize = 10_000;

/// `resources/list`: the resources of the tasks after `cursor`, newest first.
pub(super) async fn list(broker: &Broker, cursor: Option<&str>) -> Result<ListResourcesResult, ErrorData> {
    let after = cursor.map(Cursor::parse).transpose()?;
    let listing = broker.list(None, usize::MAX).await.map_err(|refusal| failed(broker, &refusal))?;
    let Listing { mut records, total: _, is_partial, waiting: _ } = listing;
    records.sort_by_cached_key(|record| std::cmp::Reverse(Cursor::of(record)));
    let mut records =
        records.into_iter().filter(|record| after.as_ref().is_none_or(|after| Cursor::of(record) < *after));
    let page: Vec<_> = records.by_ref().take(TASKS_PER_PAGE).collect();
    let mut resources = Vec::new();
    for record in &page {
        resources.extend(resources_of(broker, record).await.map_err(|refusal| failed(broker, &refusal))?);
    }
    let mut result = ListResourcesResult::with_all_items(resources);
    if is_partial && page.is_empty() {
        return Err(ErrorData::internal_error(protocol::PARTIAL_LIST, None));
    }
    // A partial list has no last page.
    let has_more = is_partial || records.next().is_some();
    result.next_cursor = page.last().filter(|_| has_more).map(|last| Cursor::of(last).to_string());
    Ok(result)
}

/// The position of a page in the list: after this task, in order of start time. New tasks do not change it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cursor {
    micros: i64,
    id: TaskId,
}

impl Cursor {
    fn of(record: &TaskRecord) -> Self {
        Self { micros: record.start.started_at.timestamp_micros(), id: record.id.clone() }
    }

    fn parse(cursor: &str) -> Result<Self, ErrorData> {
        let parts =
            cursor.rsplit_once('-').and_then(|(micros, id)| Some((micros.parse().ok()?, TaskId::parse(id).ok()?)));
        let invalid = || ErrorData::invalid_params(protocol::INVALID_CURSOR, None);
        parts.map(|(micros, id)| Self { micros, id }).ok_or_else(invalid)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.micros, self.id)
    }
}

async fn resources_of(broker: &Broker, record: &TaskRecord) -> Result<Vec<Resource>, Refusal> {
    let facts = broker.file_metadata(TaskResource::ALL.map(|part| (record.id.clone(), part.file())).to_vec()).await?;
    let resource = |(part, facts): (TaskResource, Option<FileMetadata>)| {
        let facts = facts?;
        let (title, description) = resources::listed(record, part.name());
        let resource = Resource::new(
            TaskUri::without_range(&record.id, part).to_string(),
            format!("{}-{}", record.id, part.name()),
        )
        .with_title(title)
        .with_description(description)
        .with_mime_type(part.mime_type())
        .with_annotations(changed(facts));
        // Some are generated, so the size of a file does not apply.
        let is_generated = matches!(part, TaskResource::Diagnostics | TaskResource::Diff);
        Some(if is_generated { resource } else { resource.with_size(facts.size) })
    };
    Ok(TaskResource::ALL.into_iter().zip(facts).filter_map(resource).collect())
}

fn changed(facts: FileMetadata) -> Annotations {
    let mut annotations = Annotations::default();
    annotations.last_modified = Some(present::timestamp(DateTime::<Utc>::from(facts.modified)));
    annotations
}

/// `resources/templates/list`.
pub(super) fn templates() -> ListResourceTemplatesResult {
    let template = |part: TaskResource| {
        let (ranges, about) = match part {
            TaskResource::Record => ("{?offset,length}", resources::RECORD),
            TaskResource::Log => ("{?offset,length,tail}", resources::LOG),
            TaskResource::Result => ("{?offset,length}", resources::RESULT),
            TaskResource::Events => ("{?offset,length}", resources::EVENTS),
            TaskResource::Diff => ("{?offset,length}", resources::DIFF),
            TaskResource::Diagnostics => ("", resources::DIAGNOSTICS),
        };
        ResourceTemplate::new(format!("task://{{id}}{}{ranges}", part.path()), format!("task-{}", part.name()))
            .with_title(resources::template_title(part.name()))
            .with_description(about)
            .with_mime_type(part.mime_type())
    };
    ListResourceTemplatesResult::with_all_items(TaskResource::ALL.map(template).to_vec())
}

/// `resources/read`.
pub(super) async fn read(broker: &Broker, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let parsed = TaskUri::parse(uri).map_err(|bad| resource_not_found(uri, protocol::bad_uri(bad.0)))?;
    let (extent, lines) = match parsed.range {
        ResourceRange::From { offset, length } => {
            (ByteRange { offset, length: length.unwrap_or(MAX_READ_LENGTH).min(MAX_READ_LENGTH) }, None)
        }
        ResourceRange::All => (DEFAULT_EXTENT, None),
        ResourceRange::Tail(lines) => (DEFAULT_EXTENT, Some(lines.min(MAX_LINES))),
    };
    let view = broker.view(&parsed.id, lines.unwrap_or(1)).await.map_err(|refusal| not_found(broker, uri, &refusal))?;
    let piece = match (parsed.part, lines) {
        (TaskResource::Record, _) => {
            FileChunk::of_text(&(serde_json::to_string_pretty(&view.record).unwrap_or_default() + "\n"), extent)
        }
        (TaskResource::Diagnostics, _) => FileChunk::of_text(&(present::diagnostics(&view.record) + "\n"), extent),
        (TaskResource::Log, Some(_)) => FileChunk::of_text(&present::last_lines(&view.tail, MAX_READ_BYTES), extent),
        (TaskResource::Diff, _) => {
            let (_, patch) = broker
                .diff(&parsed.id, PathSelection::default(), DiffContent::ShownPatch)
                .await
                .map_err(|refusal| no_diff(broker, uri, &refusal))?;
            let mut patch = patch.expect("a patch was requested");
            patch.chunk(extent).map_err(|problem| failed(broker, &broker.patch_unreadable(&parsed.id, &problem)))?
        }
        (part, _) => {
            let piece = broker.read_chunk(&view.record, part.file(), extent).await;
            let missing = || resource_not_found(uri, protocol::no_such_part(&parsed.id, part.name()));
            piece.map_err(|refusal| failed(broker, &refusal))?.ok_or_else(missing)?
        }
    };
    // A `tail` of a growing log has no next piece in bytes.
    let next = piece.next.filter(|_| lines.is_none());
    let next = next.map(|offset| TaskUri { range: ResourceRange::From { offset, length: None }, ..parsed.clone() });
    let mut contents =
        ResourceContents::text(present::verbatim(piece.text), uri).with_mime_type(parsed.part.mime_type());
    if let Some(next) = next {
        let meta = json!({"codex-connector/next": next.to_string(), "codex-connector/size": piece.size});
        contents = contents.with_meta(MetaObject::from(meta.as_object().cloned().unwrap_or_default()));
    }
    Ok(ReadResourceResult::new(vec![contents]))
}

/// The resource does not exist. The error data contains the URI, as clients expect.
fn resource_not_found(uri: &str, why: String) -> ErrorData {
    ErrorData::resource_not_found(why, Some(json!({"uri": uri})))
}

fn not_found(broker: &Broker, uri: &str, refusal: &Refusal) -> ErrorData {
    match refusal {
        Refusal::NoSuchTask(_) => resource_not_found(uri, broker.explain(refusal).in_one_line()),
        other => failed(broker, other),
    }
}

/// A task without snapshots has no such resource.
fn no_diff(broker: &Broker, uri: &str, refusal: &Refusal) -> ErrorData {
    match refusal {
        Refusal::NotOperable(problem)
            if matches!(**problem, NotOperable::NoSnapshots { .. } | NotOperable::Expired(_)) =>
        {
            resource_not_found(uri, broker.explain(refusal).in_one_line())
        }
        other => failed(broker, other),
    }
}

fn failed(broker: &Broker, refusal: &Refusal) -> ErrorData {
    ErrorData::internal_error(broker.explain(refusal).in_one_line(), None)
}
