//! The page Task.

use chrono::Utc;
use maud::Markup;

use super::{explain, zone::local_time};
use crate::{
    broker::{Broker, DiffContent, PathSelection, Refusal},
    present::{
        operations::PatchPart,
        terminal::{NextSteps, show_fields},
        web::{
            self, ActivityTab, ChangesTab, ElementId, Spans, Tab, TabContent, TabQuery, TaskHead, TaskPage, Viewer,
            links,
        },
    },
    store::{ByteRange, TaskFile},
    task::{ActivityPage, GitPath, TaskId, TaskState, TaskSummary, TimelineEntry},
};

/// Number of timeline entries on a page.
const ENTRIES: usize = 200;

/// Number of log lines on a page.
const LOG_LINES: usize = 500;

/// Maximum number of periods in the timeline bar.
const SPANS: usize = 300;

/// Up to this size of the timeline, in bytes, the timeline bar is on every tab.
const MAX_TIMELINE_BYTES: u64 = 1 << 20;

/// Maximum length of a patch on a page, in bytes.
const MAX_PATCH_BYTES: u64 = 1 << 20;

/// The page, with one of its tabs.
pub(crate) async fn task(
    broker: &Broker,
    id: &TaskId,
    tab: Tab,
    query: &TabQuery,
    viewer: &Viewer,
) -> Result<Markup, Refusal> {
    let summary = broker.summary(id).await?;
    let newest = broker.activity_page(id, query.before.filter(|_| tab == Tab::Activity), ENTRIES).await?;
    let is_newest = query.before.is_none();
    let content = content(broker, &summary, &newest, tab, query).await?;
    let spans = spans(broker, id, tab).await?;
    // Only the newest activity continues.
    let is_live = summary.state != TaskState::Ended && tab == Tab::Activity && is_newest;
    let last = newest.entries.last().map_or(0, |entry| entry.seq);
    let page = TaskPage {
        head: head(broker, &summary, &newest),
        spans,
        content,
        live: is_live.then(|| links::task_live(id, last)),
    };
    Ok(web::task(&page, viewer))
}

/// New entries of its activity, as items of the list.
pub(crate) fn activity_items(entries: &[TimelineEntry]) -> Markup {
    web::activity_items(entries, local_time)
}

/// The newest entries of its activity, as the content of the list, with a link to those before them.
pub(crate) fn newest_activity(id: &TaskId, entries: &[TimelineEntry]) -> Markup {
    web::newest_activity(id, entries, local_time)
}

/// The contents of its elements that change: the head, the timeline bar and the current step. The stream itself adds the
/// activity.
pub(crate) async fn task_fragments(
    broker: &Broker,
    id: &TaskId,
    viewer: &Viewer,
) -> Result<Vec<(ElementId, Markup)>, Refusal> {
    let summary = broker.summary(id).await?;
    let newest = broker.activity_page(id, None, ENTRIES).await?;
    let spans = spans(broker, id, Tab::Activity).await?;
    Ok(web::task_fragments(&head(broker, &summary, &newest), &spans, viewer))
}

/// The periods of the timeline bar. Reading a long timeline takes too long for every tab.
async fn spans(broker: &Broker, id: &TaskId, tab: Tab) -> Result<Spans, Refusal> {
    let metadata = broker.file_metadata(vec![(id.clone(), TaskFile::Timeline)]).await?;
    let size = metadata.into_iter().flatten().map(|metadata| metadata.size).sum::<u64>();
    match tab {
        Tab::Activity | Tab::Changes | Tab::Log | Tab::Result if size > MAX_TIMELINE_BYTES => Ok(Spans::Long),
        Tab::Activity | Tab::Changes | Tab::Log | Tab::Result | Tab::Details => {
            Ok(Spans::Known(broker.activity_spans(id, SPANS).await?))
        }
    }
}

fn head<'a>(broker: &Broker, task: &'a TaskSummary, newest: &ActivityPage) -> TaskHead<'a> {
    TaskHead {
        task,
        tokens_so_far: web::tokens_so_far(&newest.entries),
        can_resume: can_resume(broker, task),
        zone: local_time,
        now: Utc::now(),
    }
}

fn can_resume(broker: &Broker, task: &TaskSummary) -> bool {
    task.record.progress.backend.as_ref().is_some_and(|backend| broker.can_resume(backend))
}

async fn content<'a>(
    broker: &Broker,
    summary: &TaskSummary,
    newest: &'a ActivityPage,
    tab: Tab,
    query: &TabQuery,
) -> Result<TabContent<'a>, Refusal> {
    let id = &summary.record.id;
    Ok(match tab {
        Tab::Activity => TabContent::Activity(ActivityTab {
            entries: &newest.entries,
            has_earlier: newest.has_earlier,
            has_later: query.before.is_some(),
            zone: local_time,
        }),
        Tab::Changes => {
            let changes = changes(broker, id, query.file.as_ref()).await;
            TabContent::Changes(changes.map(Box::new).map_err(|refusal| explain(broker, &refusal)))
        }
        Tab::Log => TabContent::Log(broker.log_page(id, query.before, LOG_LINES).await?),
        Tab::Result => TabContent::Result(broker.result(&summary.record).await?),
        Tab::Details => {
            let view = broker.view(id, 0).await?;
            let next = NextSteps {
                can_resume: can_resume(broker, summary),
                agent_command: summary.record.resumption.command.clone(),
            };
            TabContent::Details(show_fields(summary, &view, &next, local_time, Utc::now()))
        }
    })
}

/// The changes of a task, or only those of one file.
async fn changes(broker: &Broker, id: &TaskId, file: Option<&GitPath>) -> Result<ChangesTab, Refusal> {
    let selection = PathSelection::of(file.map(|file| file.as_path().to_owned()).into_iter().collect());
    let (diff, patch) = broker.diff(id, selection, DiffContent::ShownPatch).await?;
    let mut patch = patch.expect("a diff has the content that was requested");
    let chunk = patch.chunk(ByteRange { offset: 0, length: MAX_PATCH_BYTES });
    let chunk = chunk.map_err(|problem| broker.patch_unreadable(id, &problem))?;
    let patch = PatchPart { text: chunk.text, offset: 0, next: chunk.next, size: chunk.size };
    Ok(ChangesTab { diff, patch, selected: file.cloned() })
}
