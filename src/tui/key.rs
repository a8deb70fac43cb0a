//! The keys that a terminal sends, as bytes.
//!
//! A lone Escape and the beginning of a longer sequence are the same byte. [`KeyParser::flush`] decides for Escape when
//! nothing has followed for a moment.

/// Longest sequence that is waited for, in bytes.
const MAX_SEQUENCE: usize = 64;

/// Longest text that is pasted at once, in bytes.
const MAX_PASTE: usize = 64 << 10;

/// The sequence at the end of a pasted text.
const PASTE_END: &[u8] = b"\x1b[201~";

/// A key, or a pasted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    /// A letter together with Ctrl.
    Ctrl(char),
    Enter,
    Escape,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    /// Text that was pasted.
    Paste(String),
}

/// Turns bytes into keys.
#[derive(Debug, Default)]
pub(super) struct KeyParser {
    pending: Vec<u8>,
    /// The text so far, while one is pasted.
    paste: Option<Vec<u8>>,
}

/// The beginning of the pending bytes.
enum Parsed {
    /// A key of this many bytes, or nothing that we know.
    Key(usize, Option<Key>),
    /// The beginning of a pasted text, of this many bytes.
    Paste(usize),
    /// The beginning of a longer sequence.
    Incomplete,
}

impl KeyParser {
    /// The keys that are complete with these further bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend(bytes);
        let mut keys = Vec::new();
        while !self.pending.is_empty() {
            if self.paste.is_some() {
                match self.pasted() {
                    Some(text) => keys.push(Key::Paste(text)),
                    None => break,
                }
                continue;
            }
            match parse(&self.pending) {
                Parsed::Key(length, key) => {
                    self.pending.drain(..length);
                    keys.extend(key);
                }
                Parsed::Paste(length) => {
                    self.pending.drain(..length);
                    self.paste = Some(Vec::new());
                }
                Parsed::Incomplete if self.pending.len() > MAX_SEQUENCE => self.pending.clear(),
                Parsed::Incomplete => break,
            }
        }
        keys
    }

    /// Whether the next bytes decide what the last ones mean.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty() && self.paste.is_none()
    }

    /// The keys in the pending bytes if no more bytes follow.
    pub(super) fn flush(&mut self) -> Vec<Key> {
        if !self.is_waiting() {
            return Vec::new();
        }
        let bytes = std::mem::take(&mut self.pending);
        match bytes.split_first() {
            Some((0x1b, rest)) => {
                let mut keys = vec![Key::Escape];
                keys.extend(self.push(rest));
                keys
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The pasted text once its end has arrived. Text beyond the limit is dropped.
    fn pasted(&mut self) -> Option<String> {
        let text = self.paste.as_mut()?;
        let end = memchr::memmem::find(&self.pending, PASTE_END);
        // The end may have arrived in part.
        let complete = end.unwrap_or_else(|| self.pending.len().saturating_sub(PASTE_END.len() - 1));
        let room = MAX_PASTE.saturating_sub(text.len());
        text.extend(self.pending[..complete].iter().take(room));
        self.pending.drain(..complete + end.map_or(0, |_| PASTE_END.len()));
        end?;
        self.paste.take().map(|text| String::from_utf8_lossy(&text).into_owned())
    }
}

fn parse(bytes: &[u8]) -> Parsed {
    match bytes {
        [0x1b] => Parsed::Incomplete,
        [0x1b, b'[', rest @ ..] => control_sequence(rest),
        [0x1b, b'O'] => Parsed::Incomplete,
        [0x1b, b'O', letter, ..] => Parsed::Key(3, named(*letter)),
        [0x1b, ..] => Parsed::Key(1, Some(Key::Escape)),
        [b'\r' | b'\n', ..] => Parsed::Key(1, Some(Key::Enter)),
        [b'\t', ..] => Parsed::Key(1, Some(Key::Tab)),
        [0x7f | 0x08, ..] => Parsed::Key(1, Some(Key::Backspace)),
        [control @ 1..=26, ..] => Parsed::Key(1, Some(Key::Ctrl(char::from(control + b'a' - 1)))),
        [0..=31, ..] => Parsed::Key(1, None),
        [first, ..] => character(*first, bytes),
        [] => Parsed::Incomplete,
    }
}

/// A character in UTF-8. Bytes that are not UTF-8 are skipped.
fn character(first: u8, bytes: &[u8]) -> Parsed {
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if bytes.len() < length {
        return Parsed::Incomplete;
    }
    match std::str::from_utf8(&bytes[..length]) {
        Ok(text) => Parsed::Key(length, text.chars().next().map(Key::Char)),
        Err(_) => Parsed::Key(1, None),
    }
}

/// A sequence after `ESC [`: parameters, and a letter or `~`.
fn control_sequence(rest: &[u8]) -> Parsed {
    let Some(end) = rest.iter().position(|byte| (0x40..=0x7e).contains(byte)) else { return Parsed::Incomplete };
    let length = end + 3;
    let number = rest[..end].split(|byte| *byte == b';').next().unwrap_or_default();
    let key = match (rest[end], number) {
        (b'~', b"200") => return Parsed::Paste(length),
        (b'~', b"1" | b"7") => Some(Key::Home),
        (b'~', b"4" | b"8") => Some(Key::End),
        (b'~', b"3") => Some(Key::Delete),
        (b'~', b"5") => Some(Key::PageUp),
        (b'~', b"6") => Some(Key::PageDown),
        (letter, _) => named(letter),
    };
    Parsed::Key(length, key)
}

/// The key whose sequence ends with this letter.
fn named(letter: u8) -> Option<Key> {
    Some(match letter {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'M' => Key::Enter,
        b'Z' => Key::BackTab,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        KeyParser::default().push(bytes)
    }

    #[test]
    fn the_sequences_of_usual_terminals_are_known() {
        for (bytes, key) in [
            (&b"\x1b[A"[..], Key::Up),
            (b"\x1bOB", Key::Down),
            (b"\x1b[1;5C", Key::Right),
            (b"\x1b[5~", Key::PageUp),
            (b"\x1b[6~", Key::PageDown),
            (b"\x1b[H", Key::Home),
            (b"\x1b[4~", Key::End),
            (b"\x1b[Z", Key::BackTab),
            (b"\r", Key::Enter),
            (b"\x7f", Key::Backspace),
            (b"\x03", Key::Ctrl('c')),
            ("日".as_bytes(), Key::Char('日')),
        ] {
            assert_eq!(keys(bytes), [key]);
        }
        assert_eq!(keys(b"jk\t"), [Key::Char('j'), Key::Char('k'), Key::Tab]);
        assert_eq!(keys(b"\x1b[99;99R\xff\0q"), [Key::Char('q')], "unknown sequences are skipped");
    }

    #[test]
    fn a_sequence_may_arrive_in_any_parts() {
        let bytes = "a\u{1b}[5~é\u{1b}[200~one\ntwo\u{1b}[201~z".as_bytes();
        let whole = keys(bytes);
        let text = Key::Paste("one\ntwo".to_owned());
        assert_eq!(whole, [Key::Char('a'), Key::PageUp, Key::Char('é'), text, Key::Char('z')]);
        for at in 0..bytes.len() {
            let mut parser = KeyParser::default();
            let mut found = parser.push(&bytes[..at]);
            found.extend(parser.push(&bytes[at..]));
            assert_eq!(found, whole, "{at}");
        }
    }

    #[test]
    fn escape_is_a_key_if_nothing_follows() {
        let mut parser = KeyParser::default();
        assert_eq!(parser.push(b"\x1b"), []);
        assert!(parser.is_waiting());
        assert_eq!(parser.flush(), [Key::Escape]);
        assert!(!parser.is_waiting());
        assert_eq!(keys(b"\x1bq"), [Key::Escape, Key::Char('q')]);
    }

    #[test]
    fn long_input_stays_bounded() {
        let mut parser = KeyParser::default();
        parser.push(&[b"\x1b[".as_slice(), &[b'1'; 10_000]].concat());
        assert!(parser.pending.len() <= MAX_SEQUENCE);
        let mut parser = KeyParser::default();
        parser.push(b"\x1b[200~");
        let pasted = parser.push(&[&[b'x'; 1 << 20][..], PASTE_END].concat());
        assert_eq!(pasted, [Key::Paste("x".repeat(MAX_PASTE))]);
    }
}
