//! Finds objects in a line, and copies them in a form that serde_json can read.
//!
//! This module finds the end of an object but does not decide whether the object is valid; serde_json does.

use memchr::memchr;

use super::split_surrogates::SplitSurrogates;
use crate::terminal::escape_length;

/// Maximum depth of nesting that serde_json reads, in levels.
pub(super) const MAX_DEPTH: usize = 127;

/// The byte order mark, which some Windows programs write before a text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// U+FFFD in UTF-8.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// The beginning of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ObjectStart {
    pub(super) start: usize,
    /// Only blanks, control characters, escape sequences and a byte order mark come before it.
    pub(super) is_first: bool,
}

/// Finds the first `{` at or after `from` that is followed by a `"`. Escape sequences are skipped.
pub(super) fn find_object(line: &[u8], from: usize) -> Option<ObjectStart> {
    memchr(b'{', line.get(from..)?)?;
    let (mut at, mut is_first) = (from, true);
    while let Some(byte) = line.get(at) {
        let length = escape_length(&line[at..]);
        if length > 0 {
            at += length;
            continue;
        }
        if line[at..].starts_with(BYTE_ORDER_MARK) {
            at += BYTE_ORDER_MARK.len();
            continue;
        }
        if *byte == b'{' && line[at + 1..].trim_ascii_start().first() == Some(&b'"') {
            return Some(ObjectStart { start: at, is_first });
        }
        is_first &= *byte <= b' ';
        at += 1;
    }
    None
}

/// An object that serde_json may be able to read.
#[derive(Debug)]
pub(super) struct CopiedObject {
    pub(super) text: Vec<u8>,
    /// The end of the original in the line.
    pub(super) end: usize,
    pub(super) is_incomplete: bool,
    pub(super) surrogates: SplitSurrogates,
}

/// Copies the object at `start`. `None` if it has no end.
pub(super) fn copy_object(line: &[u8], start: usize) -> Option<CopiedObject> {
    let mut copy =
        CopiedObject { text: vec![], end: start, is_incomplete: false, surrogates: SplitSurrogates::default() };
    let mut depth = 0_usize;
    // The position in the copy at which a value begins that is nested too deeply.
    let mut too_deep = None;
    loop {
        let byte = *line.get(copy.end)?;
        match byte {
            b'"' => copy.string(line)?,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    too_deep.get_or_insert(copy.text.len());
                }
                copy.byte(byte);
            }
            b'}' | b']' => {
                copy.byte(byte);
                depth -= 1;
                if let Some(begin) = too_deep.take_if(|_| depth == MAX_DEPTH) {
                    copy.text.truncate(begin);
                    copy.null();
                }
                if depth == 0 {
                    return Some(copy);
                }
            }
            b',' | b':' | b' ' => copy.byte(byte),
            0x1b => copy.end += escape_length(&line[copy.end..]),
            // Control characters between values have no meaning.
            0..=0x1f | 0x7f => copy.end += 1,
            _ => copy.word(line),
        }
    }
}

impl CopiedObject {
    fn byte(&mut self, byte: u8) {
        self.text.push(byte);
        self.end += 1;
    }

    fn null(&mut self) {
        self.text.extend_from_slice(b"null");
        self.is_incomplete = true;
    }

    /// Copies a number, `true`, `null` and the like, or whatever is there instead.
    fn word(&mut self, line: &[u8]) {
        let is_part = |byte: &&u8| **byte > b' ' && !b"\"{}[],:\x7f".contains(byte);
        let length = line[self.end..].iter().take_while(is_part).count();
        let word = &line[self.end..][..length];
        self.end += length;
        // Rust also parses `NaN` and `Infinity`, in upper or lower case and with a sign.
        let number = std::str::from_utf8(word).ok().and_then(|word| word.parse::<f64>().ok());
        match number {
            Some(number) if !number.is_finite() => self.null(),
            Some(_) | None => self.text.extend_from_slice(word),
        }
    }

    /// Copies the string that begins at `self.end`. `None` if it has no end.
    fn string(&mut self, line: &[u8]) -> Option<()> {
        self.byte(b'"');
        let first = self.end;
        loop {
            let rest = line.get(self.end..)?;
            let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
            self.text.extend_from_slice(String::from_utf8_lossy(&rest[..plain]).as_bytes());
            self.end += plain;
            match *line.get(self.end)? {
                b'"' => {
                    self.byte(b'"');
                    return Some(());
                }
                b'\\' => self.escape(&line[self.end..], self.end == first)?,
                control => {
                    self.text.extend_from_slice(format!("\\u{control:04x}").as_bytes());
                    self.end += 1;
                }
            }
        }
    }

    /// Copies the escape at the beginning of `rest`. `None` if the line ends in the middle of it.
    fn escape(&mut self, rest: &[u8], is_first: bool) -> Option<()> {
        let (length, half) = match (unit(rest), unit(rest.get(6..).unwrap_or_default())) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, None),
            (Some(half @ 0xd800..=0xdfff), _) => (6, Some(half)),
            (Some(_), _) => (6, None),
            (None, _) => (2, None),
        };
        let escape = rest.get(..length)?;
        match half {
            Some(half) => {
                let is_last = rest.get(6) == Some(&b'"');
                match half {
                    0xd800..=0xdbff if is_last => self.surrogates.high = Some(half),
                    0xdc00.. if is_first => self.surrogates.low = Some(half),
                    _ => {}
                }
                self.text.extend_from_slice(REPLACEMENT);
            }
            None => self.text.extend_from_slice(escape),
        }
        self.end += length;
        Some(())
    }
}

/// The UTF-16 unit of an escape such as `\ud83d` at the beginning of `bytes`.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    is_hex.then(|| std::str::from_utf8(digits).ok().and_then(|digits| u16::from_str_radix(digits, 16).ok())).flatten()
}
