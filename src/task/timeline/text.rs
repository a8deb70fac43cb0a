//! Fitting texts and lists into an entry.

/// Maximum number of bytes of one text in an entry, and of all texts of a list together. The note about omitted bytes
/// comes on top.
pub const MAX_TEXT_BYTES: usize = 4 << 10;

/// `text` with at most about [`MAX_TEXT_BYTES`] bytes. In a longer text, a note with the number of omitted bytes
/// replaces the middle.
pub fn excerpt(text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(MAX_TEXT_BYTES / 2);
    let tail = text.ceil_char_boundary(text.len() - MAX_TEXT_BYTES / 2);
    format!("{}\n[… {} bytes left out …]\n{}", &text[..head], tail - head, &text[tail..])
}

/// The first items whose texts have at most [`MAX_TEXT_BYTES`] bytes together, and the number of items that do not fit.
/// `length` returns the length of an item's text in bytes.
pub fn fit_items<T>(items: impl ExactSizeIterator<Item = T>, length: impl Fn(&T) -> usize) -> (Vec<T>, u64) {
    /// The names and punctuation that each item adds to the JSON.
    const ITEM_OVERHEAD_BYTES: usize = 16;
    let total = items.len();
    let mut left = MAX_TEXT_BYTES;
    let mut kept = Vec::new();
    for item in items {
        let needed = length(&item) + ITEM_OVERHEAD_BYTES;
        if needed > left {
            break;
        }
        left -= needed;
        kept.push(item);
    }
    let omitted = u64::try_from(total - kept.len()).unwrap_or(u64::MAX);
    (kept, omitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_stays_and_a_long_one_keeps_its_head_and_tail() {
        assert_eq!(excerpt(&"x".repeat(MAX_TEXT_BYTES)), "x".repeat(MAX_TEXT_BYTES));
        let cut = excerpt(&format!("{}{}{}", "a".repeat(3_000), "ä".repeat(3_000), "z".repeat(3_000)));
        let expected = format!("{}\n[… 7904 bytes left out …]\n{}", "a".repeat(2_048), "z".repeat(2_048));
        assert_eq!(cut, expected);
    }

    #[test]
    fn text_is_cut_at_character_boundaries() {
        let cut = excerpt(&format!("x{}", "😀".repeat(2_000)));
        assert!(
            cut.len() <= MAX_TEXT_BYTES + 40 && cut.starts_with("x😀") && cut.ends_with("😀"),
            "{} bytes",
            cut.len()
        );
    }

    #[test]
    fn a_list_keeps_its_beginning_and_counts_the_rest() {
        let long = vec!["x".repeat(1_000); 10];
        let (kept, omitted) = fit_items(long.iter(), |item| item.len());
        assert_eq!((kept.len(), omitted), (4, 6));
        assert_eq!(fit_items(["", "a"].iter(), |item| item.len()), (vec![&"", &"a"], 0));
    }
}
