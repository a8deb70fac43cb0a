//! Where the parts of the screen are.

use ratatui::layout::{Rect, Size};

/// The width from which the list and a task are next to each other.
const MIN_SPLIT: u16 = 100;

/// The widths of a list next to a task.
const MIN_LIST: u16 = 44;
const MAX_LIST: u16 = 80;

/// The part of the screen that the keys move in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    List,
    Task,
}

/// The parts of the screen. Those that do not fit are empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Where the tasks are from, and how many there are.
    pub(super) top: Rect,
    /// The filter of the list.
    pub(super) filter: Rect,
    /// The list.
    pub(super) list: Rect,
    /// The line between the list and the task.
    pub(super) divider: Rect,
    /// The heading of the task.
    pub(super) heading: Rect,
    /// Its tabs.
    pub(super) tabs: Rect,
    /// The content of the open tab.
    pub(super) body: Rect,
    /// The part that a dialog covers.
    pub(super) dialog: Rect,
    /// The hints, or the line that is typed.
    pub(super) bottom: Rect,
}

impl Layout {
    /// The parts of a screen of this size.
    pub(super) fn of(size: Size, focus: Focus, has_filter: bool) -> Self {
        let Size { width, height } = size;
        let (mut y, mut end) = (0, height);
        let mut layout = Self::default();
        if height >= 2 {
            end -= 1;
            layout.bottom = Rect::new(0, end, width, 1);
        }
        if height >= 3 {
            layout.top = Rect::new(0, 0, width, 1);
            y = 1;
        }
        layout.dialog = Rect::new(0, y, width, end - y);
        let is_split = width >= MIN_SPLIT;
        let list_width = if is_split { (width * 2 / 5).clamp(MIN_LIST, MAX_LIST) } else { width };
        if is_split || focus == Focus::List {
            let mut top = y;
            if has_filter && end - y >= 2 {
                layout.filter = Rect::new(0, y, list_width, 1);
                top += 1;
            }
            layout.list = Rect::new(0, top, list_width, end - top);
        }
        if is_split || focus == Focus::Task {
            let x = if is_split { list_width + 2 } else { 0 };
            let width = width - x;
            if is_split {
                layout.divider = Rect::new(list_width, y, 1, end - y);
            }
            if end - y >= 4 {
                layout.heading = Rect::new(x, y, width, 1);
                y += 1;
            }
            if end - y >= 3 {
                layout.tabs = Rect::new(x, y, width, 1);
                y += 1;
            }
            layout.body = Rect::new(x, y, width, end - y);
        }
        layout
    }

    /// Whether the list and a task are next to each other.
    pub(super) fn is_split(&self) -> bool {
        !self.divider.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_never_leave_the_screen_or_overlap() {
        for width in [0, 1, 10, 80, 99, 100, 200, 500] {
            for height in [0, 1, 2, 3, 4, 5, 24, 60] {
                for (focus, has_filter) in [(Focus::List, true), (Focus::List, false), (Focus::Task, true)] {
                    let layout = Layout::of(Size { width, height }, focus, has_filter);
                    let Layout { top, filter, list, divider, heading, tabs, body, dialog, bottom } = layout;
                    let parts = [top, filter, list, divider, heading, tabs, body, bottom];
                    for (at, part) in parts.iter().enumerate() {
                        assert!(part.right() <= width && part.bottom() <= height, "{width}×{height} {part:?}");
                        assert!(parts[at + 1..].iter().all(|other| !part.intersects(*other)), "{width}×{height}");
                    }
                    assert!(dialog.bottom() <= height);
                    if width > 0 && height > 0 {
                        let shown = if focus == Focus::List { list } else { body };
                        assert!(!shown.is_empty(), "{width}×{height}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_wide_screen_shows_both_parts() {
        assert!(Layout::of(Size { width: 100, height: 24 }, Focus::List, false).is_split());
        let narrow = Layout::of(Size { width: 80, height: 24 }, Focus::Task, false);
        assert!(!narrow.is_split() && narrow.list.is_empty());
    }
}
