//! Commands and tool calls that an agent has started but not finished, in bounded memory.

use std::collections::VecDeque;

/// Maximum number of items.
const MAX_ITEMS: usize = 1_000;

/// Maximum size of all items together, in bytes; a single larger item is kept. It is larger than the longest line of an
/// agent.
const MAX_TOTAL_BYTES: usize = 16 << 20;

/// Items that have started but not finished, by the agent's own IDs.
///
/// An agent may start any number of items and finish none, with IDs and texts of any length. When there are too many, the
/// oldest are dropped.
#[derive(Debug, Clone)]
pub struct UnfinishedItems<T> {
    items: VecDeque<UnfinishedItem<T>>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct UnfinishedItem<T> {
    id: String,
    item: T,
    bytes: usize,
}

impl<T> Default for UnfinishedItems<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0 }
    }
}

impl<T> UnfinishedItems<T> {
    /// Records the start of an item whose text is `length` bytes long. It replaces an item with the same ID. Returns
    /// whether it is new.
    pub fn begin(&mut self, id: &str, item: T, length: usize) -> bool {
        let is_new = self.end(id).is_none();
        let bytes = id.len() + length;
        self.items.push_back(UnfinishedItem { id: id.to_owned(), item, bytes });
        self.bytes += bytes;
        while self.items.len() > MAX_ITEMS || self.bytes > MAX_TOTAL_BYTES && self.items.len() > 1 {
            self.bytes -= self.items.pop_front().map_or(0, |oldest| oldest.bytes);
        }
        is_new
    }

    /// Records the end of an item, and returns it. `None` if it was never started or was dropped.
    pub fn end(&mut self, id: &str) -> Option<T> {
        let at = self.items.iter().position(|entry| entry.id == id)?;
        let entry = self.items.remove(at)?;
        self.bytes -= entry.bytes;
        Some(entry.item)
    }

    /// The unfinished items, oldest first.
    pub fn items(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|entry| &entry.item)
    }

    /// Whether all items have finished.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_ends_once_and_a_duplicate_id_replaces_it() {
        let mut items = UnfinishedItems::default();
        assert!(items.begin("a", 1, 0));
        assert!(!items.begin("a", 2, 0));
        items.begin("c", 3, 0);
        assert_eq!(items.items().collect::<Vec<_>>(), [&2, &3]);
        items.end("c");
        assert_eq!((items.end("b"), items.end("a"), items.end("a")), (None, Some(2), None));
        assert!(items.is_empty());
    }

    #[test]
    fn the_oldest_items_are_dropped_when_there_are_too_many() {
        let mut items = UnfinishedItems::default();
        for number in 0..=MAX_ITEMS {
            items.begin(&number.to_string(), number, 0);
        }
        assert_eq!((items.items.len(), items.end("0"), items.end("1")), (MAX_ITEMS, None, Some(1)));
    }

    #[test]
    fn long_ids_and_texts_are_bounded_together() {
        let mut items = UnfinishedItems::default();
        for number in 0..100 {
            let id = format!("{number}{}", "x".repeat(1 << 20));
            items.begin(&id, (), 1 << 20);
            assert!(items.bytes <= MAX_TOTAL_BYTES, "{} bytes", items.bytes);
        }
        items.begin("one that is too long alone", (), 2 * MAX_TOTAL_BYTES);
        assert_eq!(items.items.len(), 1);
        items.end("one that is too long alone");
        assert_eq!((items.bytes, items.is_empty()), (0, true));
    }
}
