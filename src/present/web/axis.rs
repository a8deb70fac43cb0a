//! Tasks of one repository that ran at the same time, next to each other on a time axis.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{
    links::{self, Tab},
    state::{class, task_state, time},
    svg::{SCALE, position},
    text::{line, repository},
};
use crate::{
    present::terminal::{LocalTime, elapsed, length, tone},
    task::{Outcome, TaskSummary},
};

/// Maximum number of groups that are shown, newest first.
const MAX_GROUPS: usize = 4;

/// Maximum number of tasks of a group that are shown.
const MAX_TASKS: usize = 30;

/// Maximum length of a task's text or of a path, in characters.
const MAX_CHARACTERS: usize = 120;

/// Tasks of one repository, each of which overlaps with another one of them, oldest first.
struct Group<'a> {
    repository: String,
    tasks: Vec<&'a TaskSummary>,
}

/// The groups of these tasks that ran at the same time; empty if there are none.
pub(super) fn axis(tasks: &[TaskSummary], zone: LocalTime, now: DateTime<Utc>) -> Markup {
    let groups = groups(tasks, now);
    html! {
        @if !groups.is_empty() {
            section.axis aria-labelledby="axis-heading" {
                h2 #axis-heading { "In parallel" }
                @for group in &groups { (rendered(group, zone, now)) }
            }
        }
    }
}

fn rendered(group: &Group<'_>, zone: LocalTime, now: DateTime<Utc>) -> Markup {
    let begin = group.tasks.iter().map(|task| task.record.start.started_at).min().unwrap_or(now);
    let end = group.tasks.iter().map(|task| end(task, now)).max().unwrap_or(now);
    html! {
        h3 { bdi { (repository(&group.repository, MAX_CHARACTERS)) } }
        ol.lanes {
            @for task in group.tasks.iter().take(MAX_TASKS) {
                @let from = position(task.record.start.started_at, begin, end);
                @let to = position(self::end(task, now), begin, end);
                li {
                    div.lane-label {
                        (task_state(task)) " "
                        a href=(links::task(&task.record.id, Tab::Activity)) { (task.record.id) } " "
                        span.prompt { (line(&task.record.start.task, MAX_CHARACTERS)) }
                        span.visually-hidden { ", began " (time(task.record.start.started_at, zone)) ", " }
                        span.faint { " " (length(elapsed(task, now))) }
                    }
                    svg.lane viewBox={ "0 0 " (SCALE) " 10" } preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                        rect.track x="0" y="0" width=(SCALE) height="10" {}
                        rect.(class(tone(task.state, Outcome::of(&task.record)))) x=(from) y="0" width=((to - from).max(4)) height="10" {}
                    }
                }
            }
        }
        p.scale { span { (time(begin, zone)) } span { (time(end, zone)) } }
        @if group.tasks.len() > MAX_TASKS { p.faint { "and " (group.tasks.len() - MAX_TASKS) " more" } }
    }
}

/// Tasks that overlap, by repository. A group with the newest task comes first.
fn groups(tasks: &[TaskSummary], now: DateTime<Utc>) -> Vec<Group<'_>> {
    let mut by_repository: BTreeMap<String, Vec<&TaskSummary>> = BTreeMap::new();
    for task in tasks {
        if let Some(repository) = &task.record.start.repository {
            by_repository.entry(repository.to_string_lossy().into_owned()).or_default().push(task);
        }
    }
    let mut groups = Vec::new();
    for (repository, mut tasks) in by_repository {
        tasks.sort_by_key(|task| task.record.start.started_at);
        let mut overlapping: Vec<&TaskSummary> = Vec::new();
        let mut until = None;
        for task in tasks {
            if until.is_some_and(|until| task.record.start.started_at >= until) {
                groups.push(Group { repository: repository.clone(), tasks: std::mem::take(&mut overlapping) });
                until = None;
            }
            overlapping.push(task);
            until = until.max(Some(end(task, now)));
        }
        groups.push(Group { repository, tasks: overlapping });
    }
    groups.retain(|group| group.tasks.len() > 1);
    groups.sort_by_key(|group| std::cmp::Reverse(group.tasks.last().map(|task| task.record.start.started_at)));
    groups.truncate(MAX_GROUPS);
    groups
}

/// When a task ended, or the current time.
fn end(task: &TaskSummary, now: DateTime<Utc>) -> DateTime<Utc> {
    let start = task.record.start.started_at;
    let took = chrono::TimeDelta::from_std(elapsed(task, now)).unwrap_or_default();
    task.record.completed_at().unwrap_or_else(|| start.checked_add_signed(took).unwrap_or(now)).max(start)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::present::{answer_reader, web::fixtures_tests::summary};

    /// A task of this repository between two times in seconds.
    fn task(repository: &str, from: i64, to: i64) -> TaskSummary {
        let at = |seconds| answer_reader::now() + TimeDelta::seconds(seconds);
        let mut task = summary("completed", repository);
        task.record.start.started_at = at(from);
        let end = task.record.end.as_mut().expect("it has ended");
        end.completed_at = Some(at(to));
        task
    }

    #[test]
    fn only_tasks_of_one_repository_that_overlap_are_a_group() {
        let tasks = [
            task("a", 0, 10),
            task("a", 9, 20),
            task("a", 20, 30),
            task("a", 40, 90),
            task("a", 50, 60),
            task("a", 80, 95),
            task("b", 0, 10),
            task("c", 5, 15),
        ];
        let groups = groups(&tasks, answer_reader::now());
        let sizes: Vec<_> = groups.iter().map(|group| (group.repository.as_str(), group.tasks.len())).collect();
        assert_eq!(sizes, [("a", 3), ("a", 2)], "the newest group first");
        assert!(
            axis(&tasks[5..], crate::present::web::fixtures_tests::utc, answer_reader::now()).into_string().is_empty()
        );
    }
}
