//! Shortening texts.

/// `text` with at most about `max` characters. In a longer text, a note with the number of omitted characters replaces
/// the middle.
pub fn cut_middle(text: &str, max: usize) -> String {
    let length = text.chars().count();
    if length <= max {
        return text.to_owned();
    }
    let half = max / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(length - half).collect();
    format!("{head}\n[… {} characters left out …]\n{tail}", length - 2 * half)
}

/// The first line that is not blank, cut to 160 characters.
pub fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match line.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_not_cut_and_a_long_one_loses_its_middle() {
        assert_eq!(cut_middle("äöü", 3), "äöü");
        assert_eq!(cut_middle("abcdefgh", 4), "ab\n[… 4 characters left out …]\ngh");
    }
}
