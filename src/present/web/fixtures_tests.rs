//! Pages for tests, with any text wherever text from outside can be.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Utc};
use connector_api::{BackendName, Usage};

use super::*;
use crate::{
    present::{
        Refused,
        answer_reader::{live, now, record, result},
        check::CheckFinding,
        operations::PatchPart,
        terminal::{NextSteps, show_fields},
    },
    task::{
        ActivitySpan, ChangeKind, ChangedFile, ChangedPath, ChangesPlace, CommandOutcome, Compared, DailyUsage,
        DayUsage, GitPath, LogPage, LogTail, Message, ObjectId, OperationKind, OperationResult, PageLine, PlanItem,
        SpanKind, Standing, StateFilter, Summaries, TaskCounts, TaskDiff, TaskId, TaskRecord, TaskState, TaskStatus,
        TaskSummary, TaskView, TimelineEntry, TimelineEvent, Totals, Trouble, WarningSource,
    },
};

pub(super) fn utc(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    at.fixed_offset()
}

pub(super) fn viewer(can_act: bool) -> Viewer {
    Viewer { csrf: "token".to_owned(), can_act, nav: NavItem::Tasks, notices: vec![] }
}

pub(super) fn id() -> TaskId {
    TaskId::parse("1a2b3c4d").expect("a valid task ID")
}

fn backend() -> BackendName {
    BackendName::new("codex").expect("a valid name")
}

/// A task with this text wherever possible.
pub(super) fn summary(status: &str, text: &str) -> TaskSummary {
    let mut record: TaskRecord = record(status, text);
    record.start.repository = Some(PathBuf::from(text));
    record.standing = Some(Standing {
        place: ChangesPlace::Branch(GitPath::from_bytes(text)),
        continues: Some(id()),
        diff_by_tool: false,
        apply_by_tool: false,
    });
    if let Some(end) = &mut record.end {
        end.completed_at = Some(now() + TimeDelta::seconds(90));
        end.usage = Some(Usage { input_tokens: 84_000, output_tokens: 1_200, ..Usage::default() });
    }
    let is_running = record.end.is_none();
    TaskSummary {
        state: if is_running { TaskState::Running } else { TaskState::Ended },
        step: is_running.then(|| entries(text).remove(4)),
        trouble: is_running.then(|| Trouble { text: text.into(), offline_since: Some(now()) }),
        record,
    }
}

/// Every kind of entry.
pub(super) fn entries(text: &str) -> Vec<TimelineEntry> {
    let text = || text.to_owned();
    let finished = |status, code| TimelineEvent::CommandFinished {
        command: text(),
        status,
        exit_code: Some(code),
        took: Some(Duration::from_secs(12)),
        output: text(),
    };
    let file = || ChangedFile { path: text(), change: text() };
    let events = vec![
        TimelineEvent::Queued { ahead: 2, max_running: 1 },
        TimelineEvent::Started { backend: backend(), version: Some(text()), attempt: 2 },
        TimelineEvent::Session { id: text() },
        TimelineEvent::Reasoning { text: text() },
        TimelineEvent::CommandStarted { command: format!("other {}", text()) },
        TimelineEvent::CommandStarted { command: text() },
        finished(CommandOutcome::Completed, 0),
        finished(CommandOutcome::Completed, 0),
        finished(CommandOutcome::Completed, 0),
        finished(CommandOutcome::Failed, 101),
        TimelineEvent::FilesChanged { files: vec![file(), file()], omitted: 3, applied: true },
        TimelineEvent::FilesChanged { files: vec![file()], omitted: 0, applied: false },
        TimelineEvent::Tool { server: text(), tool: text(), error: None },
        TimelineEvent::Tool { server: text(), tool: text(), error: Some(text()) },
        TimelineEvent::Plan { done: 1, total: 2, items: vec![PlanItem { text: text(), done: false }] },
        TimelineEvent::Usage { usage: Usage { input_tokens: 5, output_tokens: 6, ..Usage::default() } },
        TimelineEvent::Output { text: text() },
        TimelineEvent::Warning { source: WarningSource::AgentTrouble, text: text(), offline: true },
        TimelineEvent::Warning { source: WarningSource::AgentError, text: text(), offline: false },
        TimelineEvent::Silence { lasting: Duration::from_secs(300) },
        TimelineEvent::Fallback { reason: text(), to: Some(backend()) },
        TimelineEvent::Stopping { cause: text() },
        TimelineEvent::Changes { base: text(), head: text(), files: 2, added: 3, removed: 4, omitted: 0 },
        TimelineEvent::Omitted { count: 7 },
        TimelineEvent::Unknown { kind: text() },
        TimelineEvent::Message { text: text() },
        TimelineEvent::Ended {
            status: TaskStatus::Failed,
            reason: Some(text()),
            exit_code: Some(1),
            exit_signal: None,
            took: Some(Duration::from_secs(90)),
        },
    ];
    let entry = |(at, event): (usize, _)| {
        let seq = u64::try_from(at).expect("a small number") + 1;
        TimelineEntry { seq, at: now() + TimeDelta::seconds(i64::try_from(at).expect("a small number")), event }
    };
    events.into_iter().enumerate().map(entry).collect()
}

pub(super) fn list<'a>(query: &'a TaskListQuery, text: &str) -> TaskList<'a> {
    let tasks = vec![summary("running", text), summary("failed", text), summary("completed", text)];
    let tasks = tasks.into_iter().zip(["1a2b3c4d", "2a2b3c4d", "3a2b3c4d"]);
    let renamed = |(mut task, id): (TaskSummary, &str)| {
        task.record.id = TaskId::parse(id).expect("a valid task ID");
        task
    };
    TaskList {
        query,
        counts: TaskCounts { running: 1, failed: 1, completed: 70_000, ..TaskCounts::default() },
        found: Summaries { tasks: tasks.map(renamed).collect(), total: 70_002, is_partial: true },
        page_size: 50,
        repositories: vec![(text.to_owned(), 3), (String::new(), 2)],
        backends: vec![(text.to_owned(), 3)],
        problem: Some(invalid_since(text)),
        zone: utc,
        now: now() + TimeDelta::seconds(192),
    }
}

pub(super) fn query(text: &str) -> TaskListQuery {
    TaskListQuery {
        state: Some(StateFilter::State(TaskState::Running)),
        repository: Some(text.to_owned()),
        backend: Some(text.to_owned()),
        since: Some(text.to_owned()),
        page: 2,
    }
}

pub(super) fn changed(path: &str) -> ChangedPath {
    ChangedPath {
        path: GitPath::from_bytes(path),
        old_path: Some(GitPath::from_bytes(path)),
        kind: ChangeKind::Renamed,
        added: Some(41),
        removed: Some(7),
        is_named: true,
    }
}

pub(super) fn diff(files: Vec<ChangedPath>) -> TaskDiff {
    let object = |digit: &str| digit.repeat(40).parse::<ObjectId>().expect("a valid object name");
    TaskDiff {
        id: id(),
        base: object("a"),
        head: object("b"),
        compared: Compared::Running,
        files,
        worktree: Some(PathBuf::from("/work/tree")),
        undone: 1,
    }
}

pub(super) fn changes_tab(patch: &str, files: Vec<ChangedPath>) -> ChangesTab {
    let size = u64::try_from(patch.len()).expect("a small number");
    let selected = files.first().map(|file| file.path.clone());
    ChangesTab { diff: diff(files), patch: PatchPart { text: patch.into(), offset: 0, next: None, size }, selected }
}

pub(super) fn spans() -> Spans {
    let at = |seconds| now() + TimeDelta::seconds(seconds);
    let span = |(kind, start, end)| ActivitySpan { kind, start: at(start), end: at(end) };
    let spans = [(SpanKind::Thinking, 0, 20), (SpanKind::Command, 20, 60), (SpanKind::Silence, 60, 90)];
    Spans::Known(spans.into_iter().map(span).collect())
}

/// Every tab of the page Task, with its name.
pub(super) fn task_pages(status: &str, text: &str) -> BTreeMap<&'static str, String> {
    let task = summary(status, text);
    let entries = entries(text);
    let view = TaskView {
        record: task.record.clone(),
        live: Some(live(text)),
        tail: LogTail { lines: vec![text.into()], has_more: true },
        result: result(text),
    };
    let next = NextSteps { can_resume: true, agent_command: Some(text.to_owned()) };
    let patch = format!("diff --git a/{text} b/{text}\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-{text}\n+{text}\n");
    let line = PageLine { text: text.replace('\n', " ").into(), omitted: 5 };
    let contents = [
        TabContent::Activity(ActivityTab { entries: &entries, has_earlier: true, has_later: true, zone: utc }),
        TabContent::Changes(Ok(Box::new(changes_tab(&patch, vec![changed(text)])))),
        TabContent::Changes(Err(Refused::new(text.to_owned(), text.to_owned()))),
        TabContent::Log(LogPage { lines: vec![line.clone(), line], start: 7, end: 90, size: 100 }),
        TabContent::Result(result(text)),
        TabContent::Result(None),
        TabContent::Details(show_fields(&task, &view, &next, utc, now())),
    ];
    let names = ["activity", "changes", "no_changes", "log", "result", "no_result", "details"];
    let page =
        |content| TaskPage { head: head_of(&task), spans: spans(), content, live: Some(links::task_live(&id(), 27)) };
    names.into_iter().zip(contents.map(|content| super::task(&page(content), &viewer(true)).into_string())).collect()
}

pub(super) fn head_of(task: &TaskSummary) -> TaskHead<'_> {
    TaskHead { task, tokens_so_far: Some(950), can_resume: true, zone: utc, now: now() + TimeDelta::seconds(192) }
}

pub(super) fn operation(text: &str) -> OperationResult {
    OperationResult {
        kind: OperationKind::Undo,
        top: PathBuf::from(text),
        is_check: true,
        files: vec![GitPath::from_bytes(text)],
        unnamed: vec![GitPath::from_bytes(text)],
        branch: None,
        recovered: vec![],
    }
}

pub(super) fn usage_page<'a>(text: &str, since: &'a str) -> UsagePage<'a> {
    let totals = |input_tokens| Totals::of(Some(Usage { input_tokens, output_tokens: 100, ..Usage::default() }));
    let day = |day, backends: Vec<(&str, u64)>| DayUsage {
        day: NaiveDate::from_ymd_opt(2024, 1, day).expect("a valid day"),
        backends: backends.into_iter().map(|(name, tokens)| (name.to_owned(), totals(tokens))).collect(),
    };
    let days = vec![day(12, vec![("codex", 1_000)]), day(15, vec![("", 5), (text, 2_000), ("codex", 500)])];
    UsagePage { usage: DailyUsage { days }, since, problem: None }
}

pub(super) fn findings(text: &str) -> Vec<CheckFinding> {
    let finding = |label: &str, word, lines: Vec<Message>| CheckFinding { label: label.to_owned(), word, lines };
    vec![
        finding("configuration", "ok", vec![text.to_owned().into()]),
        finding("backend codex", "PROBLEM", vec![text.to_owned().into(), "next: install it".into()]),
        finding("Claude Code", "todo", vec!["run `codex-connector init`".into()]),
    ]
}
