//! A line of text that a person types.

/// Longest line, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// A line with a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Input {
    text: String,
    /// A position between two characters, in bytes.
    cursor: usize,
}

impl Input {
    /// A line with the cursor at its end.
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), cursor: text.len() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub(super) fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Inserts a text at the cursor. Control characters, such as line breaks in a pasted text, become spaces.
    pub(super) fn insert(&mut self, text: &str) {
        let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        if self.text.len() + text.len() <= MAX_BYTES {
            self.text.insert_str(self.cursor, &text);
            self.cursor += text.len();
        }
    }

    /// Removes the character before the cursor.
    pub(super) fn backspace(&mut self) {
        let end = self.cursor;
        self.left();
        self.text.drain(self.cursor..end);
    }

    /// Removes the character behind the cursor.
    pub(super) fn delete(&mut self) {
        let next = self.next();
        self.text.drain(self.cursor..next);
    }

    /// Removes the word before the cursor.
    pub(super) fn delete_word(&mut self) {
        let before = self.before_cursor().trim_end();
        let start = before.rfind(' ').map_or(0, |space| space + 1);
        self.text.drain(start..self.cursor);
        self.cursor = start;
    }

    /// Removes everything before the cursor.
    pub(super) fn clear_before(&mut self) {
        self.text.drain(..self.cursor);
        self.cursor = 0;
    }

    pub(super) fn left(&mut self) {
        self.cursor = self.before_cursor().char_indices().next_back().map_or(0, |(at, _)| at);
    }

    pub(super) fn right(&mut self) {
        self.cursor = self.next();
    }

    pub(super) fn home(&mut self) {
        self.cursor = 0;
    }

    pub(super) fn end(&mut self) {
        self.cursor = self.text.len();
    }

    fn next(&self) -> usize {
        self.cursor + self.text[self.cursor..].chars().next().map_or(0, char::len_utf8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_at_its_cursor() {
        let mut line = Input::new("run é");
        line.left();
        line.insert("a\nb");
        assert_eq!((line.text(), line.before_cursor()), ("run a bé", "run a b"));
        line.backspace();
        line.delete();
        line.delete();
        assert_eq!(line.text(), "run a ");
        line.delete_word();
        assert_eq!(line.text(), "run ");
        line.home();
        line.backspace();
        line.right();
        line.clear_before();
        assert_eq!((line.text(), line.before_cursor()), ("un ", ""));
        line.end();
        line.insert(&"x".repeat(MAX_BYTES));
        assert_eq!(line.text(), "un ", "a text that is too long is not inserted");
    }
}
