//! The list of tasks: which of them are shown, and which one is selected.

use std::collections::BTreeMap;

use super::document::Scroll;
use crate::{
    present::terminal::{has_step, matches, shorten},
    task::{LiveTask, Summaries, TaskCounts, TaskId, TaskState},
};

/// The tasks that were read.
#[derive(Debug, Clone, Default)]
pub(super) struct TaskList {
    tasks: Vec<LiveTask>,
    /// The number of all tasks, also of those that were not read.
    total: usize,
    /// The numbers of tasks in the repository, by state.
    pub(super) counts: Option<TaskCounts>,
    /// Whether older tasks may be missing.
    pub(super) is_partial: bool,
    /// Whether the list was read at least once.
    pub(super) is_read: bool,
    /// The words that a task must have, in lower case.
    words: Vec<String>,
    /// The positions of the tasks that have them.
    shown: Vec<usize>,
    selected: Option<TaskId>,
    /// The first task on the screen, as a position in `shown`.
    top: usize,
}

impl TaskList {
    /// Replaces the tasks by newly read ones. The selected one stays selected if it still exists; otherwise the one that
    /// is now in its place is.
    pub(super) fn replace(&mut self, found: Summaries, counts: Option<TaskCounts>) {
        let place = self.selected_place();
        let usage: BTreeMap<_, _> =
            self.tasks.iter().map(|task| (task.summary.record.id.clone(), task.usage)).collect();
        self.tasks = found.tasks.into_iter().map(LiveTask::new).collect();
        for task in &mut self.tasks {
            shorten(&mut task.summary);
            task.usage = usage.get(&task.summary.record.id).copied().flatten();
        }
        (self.total, self.is_partial, self.is_read) = (found.total, found.is_partial, true);
        self.counts = counts.or(self.counts);
        self.filter(place);
    }

    /// Forgets the tasks, because others will be read.
    pub(super) fn clear(&mut self) {
        *self = Self { words: std::mem::take(&mut self.words), ..Self::default() };
    }

    /// Shows only tasks with these words.
    pub(super) fn set_words(&mut self, text: &str) {
        self.words = text.split_whitespace().map(str::to_lowercase).collect();
        self.filter(self.selected_place());
    }

    fn filter(&mut self, place: usize) {
        let has_words = |task: &LiveTask| matches(&task.summary, &self.words);
        self.shown = (0..self.tasks.len()).filter(|at| has_words(&self.tasks[*at])).collect();
        if self.selected_task().is_none() {
            let place = place.min(self.shown.len().saturating_sub(1));
            self.selected = self.shown.get(place).map(|at| self.tasks[*at].summary.record.id.clone());
        }
    }

    /// The number of tasks that are shown.
    pub(super) fn len(&self) -> usize {
        self.shown.len()
    }

    /// The number of tasks that were read and are hidden.
    pub(super) fn hidden(&self) -> usize {
        self.tasks.len() - self.shown.len()
    }

    /// The number of tasks that were not read.
    pub(super) fn unread(&self) -> usize {
        self.total.saturating_sub(self.tasks.len())
    }

    /// The number of tasks that were read.
    pub(super) fn read(&self) -> usize {
        self.tasks.len()
    }

    /// The selected task, if it is shown.
    pub(super) fn selected_task(&self) -> Option<&LiveTask> {
        let selected = self.selected.as_ref()?;
        self.shown().find(|task| task.summary.record.id == *selected)
    }

    /// The place of the selected task among those that are shown.
    pub(super) fn selected_place(&self) -> usize {
        let is_selected = |task: &LiveTask| Some(&task.summary.record.id) == self.selected.as_ref();
        self.shown().position(is_selected).unwrap_or(self.top)
    }

    fn shown(&self) -> impl Iterator<Item = &LiveTask> {
        self.shown.iter().map(|at| &self.tasks[*at])
    }

    /// The task with this ID.
    pub(super) fn task_mut(&mut self, id: &TaskId) -> Option<&mut LiveTask> {
        self.tasks.iter_mut().find(|task| task.summary.record.id == *id)
    }

    /// Moves the selection. `height` is the number of rows on the screen.
    pub(super) fn scroll(&mut self, scroll: Scroll, height: usize) {
        let last = self.shown.len().saturating_sub(1);
        let page = self.visible(height).len().saturating_sub(1).max(1);
        let place = self.selected_place();
        let place = match scroll {
            Scroll::Up => place.saturating_sub(1),
            Scroll::Down => place + 1,
            Scroll::PageUp => place.saturating_sub(page),
            Scroll::PageDown => place + page,
            Scroll::Start => 0,
            Scroll::End => last,
        };
        self.selected = self.shown.get(place.min(last)).map(|at| self.tasks[*at].summary.record.id.clone());
        self.keep_visible(height);
    }

    /// Scrolls so that the selected task is on the screen.
    pub(super) fn keep_visible(&mut self, height: usize) {
        let place = self.selected_place();
        self.top = self.top.min(place).min(self.shown.len().saturating_sub(1));
        let rows = |from: usize| -> usize { self.shown().skip(from).take(place + 1 - from).map(rows_of).sum() };
        let mut top = self.top;
        // No row is lower than one, so at most `height` tasks fit.
        top = top.max((place + 1).saturating_sub(height.max(1)));
        while top < place && rows(top) > height {
            top += 1;
        }
        // No rows stay empty below the list while there are tasks above the screen.
        let rows_to_end = |from: usize| -> usize { self.shown().skip(from).take(height + 1).map(rows_of).sum() };
        while top > 0 && rows_to_end(top - 1) <= height {
            top -= 1;
        }
        self.top = top;
    }

    /// The tasks on a screen with this many rows.
    pub(super) fn visible(&self, height: usize) -> Vec<&LiveTask> {
        let mut left = height;
        let mut visible = Vec::new();
        for task in self.shown().skip(self.top) {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(rows_of(task));
            visible.push(task);
        }
        visible
    }

    /// The tasks on the screen that have not ended, and the selected one if it has not.
    pub(super) fn live(&self, height: usize) -> Vec<TaskId> {
        let visible = self.visible(height).into_iter().chain(self.selected_task());
        let live = visible.filter(|task| task.summary.state != TaskState::Ended);
        let mut ids: Vec<_> = live.map(|task| task.summary.record.id.clone()).collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

/// The number of rows that a task takes up.
fn rows_of(task: &LiveTask) -> usize {
    1 + usize::from(has_step(&task.summary))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::{found, running, with_step};

    fn selected(list: &TaskList) -> String {
        list.selected_task().map(|task| task.summary.record.id.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_selected_task_stays_selected_when_tasks_arrive_and_its_neighbor_is_when_it_disappears() {
        let mut list = TaskList::default();
        list.replace(found(&["aaaaaaa3", "aaaaaaa2", "aaaaaaa1"]), None);
        assert_eq!(selected(&list), "aaaaaaa3");
        list.scroll(Scroll::Down, 10);
        list.replace(found(&["aaaaaaa4", "aaaaaaa3", "aaaaaaa2", "aaaaaaa1"]), None);
        assert_eq!(selected(&list), "aaaaaaa2");
        list.replace(found(&["aaaaaaa4", "aaaaaaa3", "aaaaaaa1"]), None);
        assert_eq!(selected(&list), "aaaaaaa1");
        list.replace(found(&[]), None);
        assert_eq!(selected(&list), "");
    }

    #[test]
    fn words_hide_the_tasks_without_them_and_count_those() {
        let mut list = TaskList::default();
        list.replace(found(&["aaaaaaa3", "bbbbbbb2", "aaaaaaa1"]), None);
        list.set_words("AAA codex Completed");
        assert_eq!((list.len(), list.hidden(), selected(&list).as_str()), (2, 1, "aaaaaaa3"));
        list.set_words("aaa nothing");
        assert_eq!((list.len(), list.hidden(), selected(&list).as_str()), (0, 3, ""));
        list.set_words("");
        assert_eq!((list.len(), list.hidden()), (3, 0));
    }

    #[test]
    fn the_selected_task_is_always_on_the_screen() {
        let ids: Vec<_> = (0..50).map(|number| format!("aaaaaa{number:02}")).collect();
        let mut list = TaskList::default();
        let mut tasks = found(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        tasks.tasks[3] = with_step(running("aaaaaa03"), "x");
        list.replace(tasks, None);
        for height in [1, 2, 3, 10] {
            for scroll in [Scroll::Start, Scroll::Down, Scroll::Down, Scroll::Down, Scroll::PageDown, Scroll::End] {
                list.scroll(scroll, height);
                let shown = list.visible(height);
                assert!(shown.iter().any(|task| task.summary.record.id.as_str() == selected(&list)), "{height}");
                let rows: usize = shown.iter().map(|task| rows_of(task)).sum();
                assert!(rows <= height + 1, "only the last one may be cut");
            }
            assert_eq!(selected(&list), "aaaaaa49");
        }
        list.scroll(Scroll::Start, 10);
        assert_eq!(list.live(10).iter().map(TaskId::as_str).collect::<Vec<_>>(), ["aaaaaa03"]);
    }
}
