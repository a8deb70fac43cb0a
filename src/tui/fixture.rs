//! Tasks and states for tests.

use std::time::Duration;

use chrono::{DateTime, Utc};
use connector_api::BackendName;
use ratatui::layout::Size;
use serde_json::{Value, json};

use super::state::{News, State, Surroundings};
use crate::{
    present::terminal::Symbols,
    task::{Summaries, TaskCounts, TaskId, TaskRecord, TaskState, TaskSummary, TimelineEntry, TimelineEvent},
};

/// The time of every screen.
pub(super) fn now() -> DateTime<Utc> {
    "2026-01-02T03:07:17Z".parse().expect("a valid time")
}

pub(super) fn id(id: &str) -> TaskId {
    TaskId::parse(id).expect("a valid ID")
}

pub(super) fn record(id: &str, fields: Value) -> TaskRecord {
    let bare = json!({
        "id": id, "task": "write the missing tests for the parser", "backend": "codex", "status": "running",
        "startedAt": "2026-01-02T03:04:05Z", "workingDirectory": "/srv/shop", "sandbox": "workspace-write",
    });
    serde_json::from_value::<TaskRecord>(bare).expect("a record needs no more").with(fields)
}

pub(super) fn running(id: &str) -> TaskSummary {
    TaskSummary { record: record(id, json!({})), state: TaskState::Running, step: None, trouble: None }
}

pub(super) fn ended(id: &str, fields: Value) -> TaskSummary {
    let end = json!({"status": "completed", "completedAt": "2026-01-02T03:05:05Z", "duration": 60_000});
    TaskSummary::ended(record(id, end).with(fields))
}

pub(super) fn with_step(task: TaskSummary, command: &str) -> TaskSummary {
    let event = TimelineEvent::CommandStarted { command: command.to_owned() };
    TaskSummary { step: Some(entry(5, event)), ..task }
}

/// An entry 12 seconds ago.
pub(super) fn entry(seq: u64, event: TimelineEvent) -> TimelineEntry {
    TimelineEntry { seq, at: now() - Duration::from_secs(12), event }
}

pub(super) fn list(tasks: Vec<TaskSummary>) -> Summaries {
    Summaries { total: tasks.len(), tasks, is_partial: false }
}

/// Completed tasks with these IDs.
pub(super) fn found(ids: &[&str]) -> Summaries {
    list(ids.iter().map(|id| ended(id, json!({}))).collect())
}

/// Tasks in several states.
pub(super) fn tasks() -> Vec<TaskSummary> {
    let failed = json!({
        "status": "failed", "failureReason": "Gemini CLI exited with code 1", "backend": "gemini",
        "task": "rename Foo to Bar", "startedAt": "2026-01-02T01:00:00Z",
    });
    let changes = json!({"files": 2, "added": 41, "removed": 7, "paths": []});
    let wide = json!({"task": "日本語のテストを書く — and עברית too", "changes": changes, "startedAt": "2026-01-01T03:04:05Z"});
    let queued = TaskSummary { state: TaskState::Queued, ..running("aaaaaaa4") };
    vec![
        with_step(running("aaaaaaa5"), "/bin/bash -lc 'cargo test -p parser'"),
        queued,
        ended("aaaaaaa3", failed),
        ended("aaaaaaa2", wide),
        ended("aaaaaaa1", json!({"startedAt": "2025-12-01T03:04:05Z"})),
    ]
}

/// A screen of this size before anything was read.
pub(super) fn unread(width: u16, height: u16) -> State {
    let surroundings = Surroundings {
        here: "~/projects/shop".to_owned(),
        symbols: Symbols::Unicode,
        has_color: true,
        zone: |at| at.fixed_offset(),
        resumable: vec![BackendName::new("codex").expect("a valid name")],
    };
    State::new(surroundings, Size { width, height }, false)
}

/// A screen with these tasks.
pub(super) fn state_with(width: u16, height: u16, tasks: Vec<TaskSummary>) -> State {
    let mut state = unread(width, height);
    receive_list(&mut state, tasks);
    state
}

/// A screen with tasks in several states.
pub(super) fn state(width: u16, height: u16) -> State {
    state_with(width, height, tasks())
}

/// The list that the screen wants has these tasks.
pub(super) fn receive_list(state: &mut State, tasks: Vec<TaskSummary>) {
    let counts = TaskCounts { running: 1, queued: 1, completed: 2, failed: 1, ..TaskCounts::default() };
    let news = News::Listed { query: state.wanted_list(), found: list(tasks), counts: Some(counts) };
    state.receive(news);
    state.settle(now());
}
