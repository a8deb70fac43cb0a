//! Text that arrives in chunks.

use crate::SplitSurrogates;

/// The size to which a long text is trimmed, in bytes: half of it from the beginning, half from the end.
///
/// The end is trimmed only when it alone is longer than this, so up to one and a half times as much is kept.
const TRIMMED_BYTES: usize = 1 << 20;

/// Joins the chunks of a text. Of a long text, it keeps only the beginning and the end.
///
/// An agent that streams a text may cut it in the middle of a character outside the Basic Multilingual Plane, such as
/// an emoji. The two halves of its surrogate pair then arrive in two chunks, and neither is valid text by itself.
#[derive(Debug, Clone, Default)]
pub struct Chunks {
    /// The beginning, up to half of [`TRIMMED_BYTES`].
    head: String,
    /// The rest of the text; if that is long, only the end of it.
    tail: String,
    /// Bytes left out between the two.
    left_out: usize,
    /// The first half of a surrogate pair, if the text ends with one. In the text, U+FFFD takes its place.
    half: Option<u16>,
}

impl Chunks {
    /// Adds a chunk. `surrogates` are the split surrogates of the JSON object that contained the chunk.
    pub fn push(&mut self, chunk: &str, surrogates: SplitSurrogates) {
        if chunk.is_empty() {
            return;
        }
        let mut rest = chunk;
        if let (Some(high), Some(low), Some(after)) = (self.half, surrogates.low, chunk.strip_prefix('\u{fffd}'))
            && let Some(Ok(joined)) = char::decode_utf16([high, low]).next()
        {
            self.last().pop();
            self.add(joined.encode_utf8(&mut [0; 4]));
            rest = after;
        }
        self.add(rest);
        self.half = surrogates.high.filter(|_| rest.ends_with('\u{fffd}'));
    }

    /// Whether a part of the text was left out.
    pub fn is_cut(&self) -> bool {
        self.left_out > 0
    }

    /// The text; if it is long, its beginning and its end, with a note between them.
    pub fn text(&self) -> String {
        let Self { head, tail, left_out, half: _ } = self;
        match left_out {
            0 => format!("{head}{tail}"),
            _ => format!("{head}\n\n({left_out} bytes left out; see the task's log)\n\n{tail}"),
        }
    }

    /// Whether the text is blank.
    pub fn is_blank(&self) -> bool {
        self.left_out == 0 && self.head.trim().is_empty() && self.tail.trim().is_empty()
    }

    fn last(&mut self) -> &mut String {
        if self.tail.is_empty() { &mut self.head } else { &mut self.tail }
    }

    fn add(&mut self, text: &str) {
        let room = if self.tail.is_empty() { TRIMMED_BYTES / 2 - self.head.len() } else { 0 };
        let (head, tail) = text.split_at(boundary(text, room));
        self.head.push_str(head);
        self.tail.push_str(tail);
        // Trimming rarely, not after every chunk, moves each byte at most once.
        if self.tail.len() > TRIMMED_BYTES {
            let from = boundary(&self.tail, self.tail.len() - TRIMMED_BYTES / 2);
            self.left_out += from;
            self.tail.drain(..from);
        }
    }
}

/// The last character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JsonLine;

    fn joined(chunks: &[&str]) -> String {
        let mut text = Chunks::default();
        for chunk in chunks {
            let line = format!(r#"{{"text":"{chunk}"}}"#);
            let object = &JsonLine::read(line.as_bytes()).objects[0];
            text.push(object.value["text"].as_str().expect("it is a string"), object.surrogates);
        }
        text.text()
    }

    #[test]
    fn a_split_surrogate_pair_is_rejoined() {
        assert_eq!(joined(&["a\\ud83d", "\\ude00b"]), "a\u{1f600}b");
        assert_eq!(joined(&["\\ud83d", "\\ude00\\ud83d", "\\ude01"]), "\u{1f600}\u{1f601}");
        assert_eq!(joined(&["a\\ud83d", "", "\\ude00"]), "a\u{1f600}", "an empty chunk does not separate the halves");
    }

    #[test]
    fn surrogates_that_do_not_match_stay_apart() {
        assert_eq!(joined(&["a\\ud83d", "b", "\\ude00"]), "a\u{fffd}b\u{fffd}");
        assert_eq!(joined(&["a\\ud83d", "\u{fffd}b"]), "a\u{fffd}\u{fffd}b");
        assert_eq!(joined(&["a\u{fffd}", "\\ude00b"]), "a\u{fffd}\u{fffd}b");
        assert_eq!(joined(&["\\ud83d", "\\ud83d"]), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        let mut text = Chunks::default();
        for number in 0..500_000 {
            text.push(&format!("{number} \u{e9}"), SplitSurrogates::default());
        }
        let kept = text.text();
        assert!(text.is_cut() && kept.len() < 2 * TRIMMED_BYTES + 100, "{} bytes", kept.len());
        assert!(kept.starts_with("0 \u{e9}1 \u{e9}") && kept.ends_with("499999 \u{e9}"));
        let left_out = format!("({} bytes left out", text.left_out);
        assert!(kept.contains(&left_out), "{left_out}");
    }

    #[test]
    fn one_overlong_chunk_is_cut_between_characters() {
        let mut text = Chunks::default();
        text.push(&format!("a{}", "\u{e9}".repeat(2 * TRIMMED_BYTES)), SplitSurrogates::default());
        text.push("z", SplitSurrogates::default());
        assert!(text.text().ends_with("\u{e9}z") && text.text().len() < 2 * TRIMMED_BYTES + 100);
    }
}
