//! Reads what the screen needs, through the broker. Each loader is one asynchronous task that ends when it is aborted.

use std::time::Duration;

use tokio::{
    sync::mpsc::Sender,
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{
    pane::{Content, Details, MAX_LINES},
    query::{ListQuery, PaneQuery, Tab},
    state::News,
};
use crate::{
    broker::{Broker, DiffContent, PathSelection, Refusal, TaskNews},
    follower::LogEnd,
    present::terminal::{
        self, Line, LocalTime, NextSteps, Symbols, Tone, activity_rows, log_row, page_row, patch_rows, result_rows, top,
    },
    store::{ByteRange, Filter, LogStart, time_of},
    task::{TaskId, TimelineEntry, Untrusted},
};

/// How often the index is checked for tasks that have begun or ended.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How often the list is read again while tasks run, in case that a supervisor was killed.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// Minimum time between two reads of the same timeline or log, however much is written to it.
const MIN_INTERVAL: Duration = Duration::from_millis(200);

/// Maximum length of a patch that is shown, in bytes.
const MAX_PATCH_BYTES: u64 = 4 << 20;

/// Each step further back shows four times as much, up to this many times what is shown first.
const MAX_FACTOR: usize = 40;

/// The number of lines at the end of a log that are shown first.
const LOG_LINES: usize = 500;

/// The number of entries at the end of a timeline that are shown first.
const ACTIVITY_ENTRIES: usize = 500;

/// Maximum number of pages of a log that are read. One has up to a megabyte.
const MAX_PAGES: usize = 8;

/// Longest part of a line of a log that is shown, in bytes.
const MAX_LINE_BYTES: usize = 8 << 10;

/// Number of lines of the log among the details.
const TAIL_LINES: usize = 10;

/// Everything that loaders need.
#[derive(Debug, Clone)]
pub(super) struct Loader {
    pub(super) broker: Broker,
    pub(super) sender: Sender<News>,
    /// Selects the tasks of the repository of the current directory.
    pub(super) here: Filter,
    pub(super) symbols: Symbols,
    pub(super) zone: LocalTime,
    pub(super) resumable: Vec<connector_api::BackendName>,
}

impl Loader {
    /// Reads a list, and reads it again whenever a task begins or ends.
    pub(super) async fn list(self, query: ListQuery) {
        let filter = if query.is_everywhere { Filter::default() } else { self.here.clone() };
        let (mut seen, mut read_at, mut has_unfinished) = (None, None::<Instant>, false);
        loop {
            let now = self.broker.index_metadata().await.ok().flatten();
            let is_old = has_unfinished && read_at.is_some_and(|at| at.elapsed() >= RELOAD_INTERVAL);
            if read_at.is_none() || now != seen || is_old {
                let found = self.broker.find_in_state(&filter, query.state, query.limit).await;
                let counts = self.broker.counts(&filter).await.ok();
                has_unfinished = counts.is_some_and(|counts| counts.running + counts.queued > 0);
                let news = match found {
                    Ok(found) => News::Listed { query: query.clone(), found, counts },
                    Err(refusal) => News::Problem(self.problem(&refusal).into_iter().next().unwrap_or_default()),
                };
                if self.sender.send(news).await.is_err() {
                    return;
                }
                (seen, read_at) = (now, Some(Instant::now()));
            }
            sleep(CHECK_INTERVAL).await;
        }
    }

    /// Follows the steps of a task until it ends.
    pub(super) async fn live(self, id: TaskId) {
        let mut task = self.broker.follow(&id);
        loop {
            let news = match task.next_entries().await {
                Ok(TaskNews::Entries(entries)) => News::Entries(id.clone(), entries),
                Ok(TaskNews::Ended(record)) => News::Ended(record),
                // The list says so.
                Err(_) => return,
            };
            let is_last = matches!(news, News::Ended(_));
            if self.sender.send(news).await.is_err() || is_last {
                return;
            }
            sleep(MIN_INTERVAL).await;
        }
    }

    /// Reads the content of a tab, and follows it if more may come.
    pub(super) async fn pane(self, query: PaneQuery) {
        let read = match query.tab {
            Tab::Activity => self.activity(&query).await,
            Tab::Diff => self.diff(&query).await,
            Tab::Log => self.log(&query).await,
            Tab::Result => self.result(&query).await,
            Tab::Details => self.details(&query).await,
        };
        if let Err(refusal) = read {
            self.send(&query, whole(self.problem(&refusal))).await;
        }
    }

    async fn send(&self, query: &PaneQuery, content: Content) {
        // If nobody receives it, this loader is about to be aborted.
        let _ = self.sender.send(News::Pane { query: query.clone(), content }).await;
    }

    fn problem(&self, refusal: &Refusal) -> Vec<Line> {
        top::text_rows(&refusal.explain_for_terminal().redacted(self.broker.redactor()).plain())
    }

    async fn activity(&self, query: &PaneQuery) -> Result<(), Refusal> {
        let count = deeper(ACTIVITY_ENTRIES, query.depth);
        let page = self.broker.activity_page(&query.id, None, count).await?;
        let mut last = page.entries.last().map_or(0, |entry| entry.seq);
        let has_earlier = page.has_earlier && count < MAX_LINES;
        self.send(query, Content::Whole { lines: self.activity_rows(&page.entries), has_earlier }).await;
        if query.has_ended {
            return Ok(());
        }
        let mut events = self.broker.events_after(&query.id, last).await?;
        loop {
            let read = events.read().await?;
            if let Some(newest) = read.entries.last() {
                last = last.max(newest.seq);
                self.send(query, Content::More(self.activity_rows(&read.entries))).await;
            }
            if !read.has_more {
                events.changed().await;
            }
            sleep(MIN_INTERVAL).await;
        }
    }

    fn activity_rows(&self, entries: &[TimelineEntry]) -> Vec<Line> {
        let rows = entries.iter().flat_map(|entry| activity_rows(entry, self.symbols, self.zone));
        let mut rows: Vec<_> = rows.collect();
        rows.drain(..rows.len().saturating_sub(MAX_LINES));
        rows
    }

    async fn log(&self, query: &PaneQuery) -> Result<(), Refusal> {
        let count = deeper(LOG_LINES, query.depth);
        if query.has_ended {
            return self.ended_log(query, count).await;
        }
        let mut log = self.broker.log(&query.id, LogStart::Last(count)).await?;
        let (mut lines, mut is_first) = (Vec::new(), true);
        loop {
            let read = log.read(LogEnd::Open).await?;
            lines.extend(read.lines.iter().map(|line| self.log_line(line)));
            lines.drain(..lines.len().saturating_sub(MAX_LINES));
            if read.has_more {
                continue;
            }
            let part = std::mem::take(&mut lines);
            if is_first {
                let has_earlier = part.len() >= count && count < MAX_LINES;
                self.send(query, Content::Whole { lines: part, has_earlier }).await;
            } else if !part.is_empty() {
                self.send(query, Content::More(part)).await;
            }
            is_first = false;
            log.changed().await;
            sleep(MIN_INTERVAL).await;
        }
    }

    /// The last lines of a log to which nothing is added any more.
    async fn ended_log(&self, query: &PaneQuery, count: usize) -> Result<(), Refusal> {
        let (mut pages, mut before, mut found) = (Vec::new(), None, 0);
        while found < count && pages.len() < MAX_PAGES {
            let page = self.broker.log_page(&query.id, before, count - found).await?;
            found += page.lines.len();
            before = Some(page.start);
            let is_empty = page.lines.is_empty();
            pages.push(page.lines);
            if page.start == 0 || is_empty {
                break;
            }
        }
        let lines = pages.into_iter().rev().flatten();
        let lines = lines.map(|line| page_row(&line, time_of, self.symbols, self.zone)).collect();
        let has_earlier = before.is_some_and(|start| start > 0) && count < MAX_LINES;
        self.send(query, Content::Whole { lines, has_earlier }).await;
        Ok(())
    }

    fn log_line(&self, line: &[u8]) -> Line {
        match line.split_at_checked(MAX_LINE_BYTES) {
            Some((shown, rest)) if !rest.is_empty() => {
                log_row(shown, time_of(line), self.zone).then(top::line_is_cut(rest.len() as u64, self.symbols))
            }
            Some(_) | None => log_row(line, time_of(line), self.zone),
        }
    }

    async fn diff(&self, query: &PaneQuery) -> Result<(), Refusal> {
        let (diff, patch) = self.broker.diff(&query.id, PathSelection::default(), DiffContent::ShownPatch).await?;
        let lines = spawn_blocking(move || {
            let mut lines: Vec<_> = terminal::diff_notes(&diff).iter().flat_map(|note| top::text_rows(note)).collect();
            let chunk = patch.map(|mut patch| patch.chunk(ByteRange { offset: 0, length: MAX_PATCH_BYTES }));
            match chunk {
                Some(Ok(chunk)) => {
                    lines.extend(patch_rows(&chunk.text));
                    if let Some(next) = chunk.next {
                        let cut = terminal::patch_is_cut(&diff, next, chunk.size);
                        lines.push(Line::of(Tone::Attention, &cut));
                    }
                }
                Some(Err(problem)) => lines.push(Line::of(Tone::Bad, &Untrusted::from(problem.to_string()))),
                None => {}
            }
            if diff.files.is_empty() {
                lines.push(top::no_changes());
            }
            lines
        });
        let lines = lines.await.unwrap_or_default();
        self.send(query, whole(lines)).await;
        Ok(())
    }

    async fn result(&self, query: &PaneQuery) -> Result<(), Refusal> {
        let record = self.broker.summary(&query.id).await?.record;
        let result = self.broker.result(&record).await?;
        let lines = match result {
            Some(result) => result_rows(&result, self.symbols),
            None => vec![top::no_result_yet(record.is_final())],
        };
        self.send(query, whole(lines)).await;
        Ok(())
    }

    async fn details(&self, query: &PaneQuery) -> Result<(), Refusal> {
        loop {
            let summary = self.broker.summary(&query.id).await?;
            let view = self.broker.view(&query.id, TAIL_LINES).await?;
            let backend = summary.record.progress.backend.as_ref();
            let next = NextSteps {
                can_resume: backend.is_some_and(|backend| self.resumable.contains(backend)),
                agent_command: summary.record.resumption.command.clone(),
            };
            let is_final = summary.record.is_final();
            self.send(query, Content::Details(Box::new(Details { summary, view, next }))).await;
            if is_final {
                return Ok(());
            }
            sleep(2 * CHECK_INTERVAL).await;
        }
    }
}

/// How much is shown of a long text that begins with this much.
fn deeper(first: usize, depth: u32) -> usize {
    first.saturating_mul(4_usize.saturating_pow(depth)).min(first * MAX_FACTOR)
}

fn whole(lines: Vec<Line>) -> Content {
    Content::Whole { lines, has_earlier: false }
}
