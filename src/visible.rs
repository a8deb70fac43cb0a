//! Makes invisible and misleading characters in untrusted text visible.
//!
//! Two kinds of characters mislead readers. **Control characters** control a terminal or a reader: escape sequences
//! move the cursor, bidirectional controls reverse the order of the text, separators start new lines. **Hidden
//! characters** are not displayed. Both are written as escapes such as `\x1b` or `\u{202e}`, and never removed, so that
//! different names look different.
//!
//! The result cannot be converted back: an original text may itself contain the letters `\x1b`.

use std::{
    borrow::Cow,
    fmt,
    io::{self, Write},
};

/// Whether `letter` controls a terminal or a reader. Line feeds and tabs do not count, because they do not mislead.
pub(crate) fn is_terminal_control(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' => true,
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => true,
        _ => letter.is_control(),
    }
}

/// Whether `letter` is not displayed. Joiners count, although they are parts of emoji. Variation selectors (U+FE00 to
/// U+FE0F) do not, because they select the form of a visible character.
pub(crate) fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Displays the escape for a character.
pub(crate) struct Escape(pub(crate) char);

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, u32::from(self.0)) {
            ('\r', _) => f.write_str("\\r"),
            (_, code @ 0..0x100) => write!(f, "\\x{code:02x}"),
            (_, code) => write!(f, "\\u{{{code:x}}}"),
        }
    }
}

/// `text` with control characters as escapes. It may have several lines, which may end with CR LF.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if is_plain(text.as_bytes()) || next_control(text, 0).is_none() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 64);
    let (mut done, mut from) = (0, 0);
    while let Some((at, letter)) = next_control(text, from) {
        from = at + letter.len_utf8();
        if letter == '\r' && text[from..].starts_with('\n') {
            continue;
        }
        shown.push_str(&text[done..at]);
        shown.push_str(&Escape(letter).to_string());
        done = from;
    }
    shown.push_str(&text[done..]);
    Cow::Owned(shown)
}

/// The same, with invisible characters as escapes too: for a person, who could not see them.
pub(crate) fn fully_visible(text: &str) -> Cow<'_, str> {
    let text = visible(text);
    if text.is_ascii() || !text.contains(is_invisible) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 64);
    for letter in text.chars() {
        match is_invisible(letter) {
            true => shown.push_str(&Escape(letter).to_string()),
            false => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

/// Writes `bytes` with control characters as escapes, including a CR at the end of a line. Bytes that are not UTF-8 are
/// escaped too, because terminals interpret some of them as control characters.
pub(crate) fn write_visible(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    if is_plain(bytes) {
        return to.write_all(bytes);
    }
    // Most text is UTF-8. Checking this is several times faster than searching for invalid bytes.
    if let Ok(text) = std::str::from_utf8(bytes) {
        return write_text(to, text);
    }
    for chunk in bytes.utf8_chunks() {
        write_text(to, chunk.valid())?;
        for byte in chunk.invalid() {
            write!(to, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

fn write_text(to: &mut impl Write, text: &str) -> io::Result<()> {
    let mut done = 0;
    while let Some((at, letter)) = next_control(text, done) {
        to.write_all(&text.as_bytes()[done..at])?;
        write!(to, "{}", Escape(letter))?;
        done = at + letter.len_utf8();
    }
    to.write_all(&text.as_bytes()[done..])
}

/// The number of bytes at the end of `bytes` that are an incomplete character, whose rest may follow.
pub(crate) fn torn_end(bytes: &[u8]) -> usize {
    for length in 1..=bytes.len().min(3) {
        let wanted = match bytes[bytes.len() - length] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if wanted > length { length } else { 0 };
    }
    0
}

/// Whether `bytes` contain only visible ASCII characters, spaces, tabs and line feeds.
fn is_plain(bytes: &[u8]) -> bool {
    let is_plain = |byte: &u8| (0x20..0x7f).contains(byte) || *byte == b'\n' || *byte == b'\t';
    let (words, rest) = bytes.as_chunks();
    words.iter().all(|word| is_printable(*word) || word.iter().all(is_plain)) && rest.iter().all(is_plain)
}

/// Whether all of these bytes are visible ASCII characters or spaces. Checks them at once, because every byte of an agent's
/// output comes here, and most of them are.
fn is_printable(bytes: [u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_ne_bytes(bytes);
    // The high bit of a byte is set in `word` from 0x80 on, in the difference below 0x20, and in the sum at 0x7f. Where a carry
    // reaches the next byte, the high bit of its own byte is set as well.
    (word | word.wrapping_sub(0x20 * EACH) | word.wrapping_add(EACH)) & (0x80 * EACH) == 0
}

/// The first control character at or after byte `from`, and its position.
fn next_control(text: &str, mut from: usize) -> Option<(usize, char)> {
    loop {
        let at = from + find_first_byte(&text.as_bytes()[from..])?;
        // Every byte that this finds is the first one of a character.
        let letter = text[at..].chars().next()?;
        if is_terminal_control(letter) {
            return Some((at, letter));
        }
        from = at + letter.len_utf8();
    }
}

/// The position of the first byte with which a control character may begin.
fn find_first_byte(bytes: &[u8]) -> Option<usize> {
    // The last three begin U+0080 to U+00BF, U+0600 to U+063F, and U+2000 to U+2FFF.
    let is_first_byte = |byte: u8| {
        (byte < 0x20 && byte != b'\n' && byte != b'\t')
            | (byte == 0x7f)
            | (byte == 0xc2)
            | (byte == 0xd8)
            | (byte == 0xe2)
    };
    let (words, _) = bytes.as_chunks();
    let has_one = |word: &[u8; 8]| !is_printable(*word) && word.iter().copied().any(is_first_byte);
    let skipped = 8 * words.iter().position(has_one).unwrap_or(words.len());
    Some(skipped + bytes[skipped..].iter().position(|byte| is_first_byte(*byte))?)
}

/// A shell command on one line, with control characters and invisible characters as escapes. Words with such characters
/// are written as `$'…'`, which bash, zsh and ksh understand.
pub(crate) fn shell_line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(shell_word).collect::<Vec<_>>().join(" ")
}

fn shell_word(word: &str) -> Cow<'_, str> {
    let is_escaped = |letter: char| letter.is_control() || is_terminal_control(letter) || is_invisible(letter);
    if let (false, Ok(quoted)) = (word.contains(is_escaped), shlex::try_quote(word)) {
        return quoted;
    }
    let mut quoted = "$'".to_owned();
    for letter in word.chars() {
        match letter {
            '\n' => quoted.push_str("\\n"),
            '\'' | '\\' => quoted.extend(['\\', letter]),
            // Written as bytes, so that the result does not depend on the shell's locale.
            letter if is_escaped(letter) => {
                let mut bytes = [0; 4];
                quoted.extend(letter.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\x{byte:02x}")));
            }
            letter => quoted.push(letter),
        }
    }
    (quoted + "'").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> String {
        let mut written = Vec::new();
        write_visible(&mut written, bytes).expect("writing to memory cannot fail");
        String::from_utf8(written).expect("the output is UTF-8")
    }

    #[test]
    fn every_pair_of_neighbors_is_printable_if_both_bytes_are() {
        for (first, second) in (0..=u8::MAX).flat_map(|first| (0..=u8::MAX).map(move |second| (first, second))) {
            for at in 0..7 {
                let mut word = *b"aaaaaaaa";
                (word[at], word[at + 1]) = (first, second);
                let expected = word.iter().all(|byte| (0x20..0x7f).contains(byte));
                assert_eq!(is_printable(word), expected, "{first:#x} and {second:#x} at {at}");
            }
        }
    }

    #[test]
    fn a_shell_parses_a_quoted_line_into_the_same_words() {
        let words = [
            "plain",
            "two words",
            "",
            "nl\nname",
            "tab\tit's \\n",
            "$(touch x) `id` \"q\"",
            "cr\r\u{1b}[1mé",
            "\u{202e}evil",
            "\u{200b}1",
            "ä'ö\n",
        ];
        let line = shell_line(words);
        assert!(
            !line.contains(|letter: char| letter.is_control() || is_terminal_control(letter) || is_invisible(letter)),
            "{line:?}"
        );
        assert!(line.starts_with("plain 'two words' '' $'nl\\nname' "), "{line}");
        let script = format!("printf '%s\\0' {line}");
        let printed =
            std::process::Command::new("bash").args(["-c", &script]).output().expect("bash is installed").stdout;
        assert_eq!(
            String::from_utf8(printed).expect("the output is UTF-8"),
            words.map(|word| format!("{word}\0")).concat()
        );
    }

    #[test]
    fn control_characters_are_escaped_and_other_text_is_unchanged() {
        assert_eq!(visible("a\tb\r\nc ä 👩\u{200d}🔧 \u{2026}"), "a\tb\r\nc ä 👩\u{200d}🔧 \u{2026}");
        assert_eq!(visible("\u{1b}[2J\u{9b}1m \r\u{7f}\0"), "\\x1b[2J\\x9b1m \\r\\x7f\\x00");
        assert_eq!(visible("\u{202e}\u{2028}\u{61c}\u{85}\u{b}"), "\\u{202e}\\u{2028}\\u{61c}\\x85\\x0b");
    }

    #[test]
    fn invisible_characters_are_escaped_for_a_person() {
        assert_eq!(fully_visible("a\u{200b}b\u{1b}\u{feff} ä\r\n"), "a\\u{200b}b\\x1b\\u{feff} ä\r\n");
        assert!(matches!(fully_visible("ä plain"), Cow::Borrowed("ä plain")));
    }

    #[test]
    fn every_control_character_is_found_in_text_and_in_bytes() {
        for letter in ('\0'..=char::MAX).filter(|letter| is_terminal_control(*letter)) {
            let text = format!("{}ä{letter}x", "y".repeat(100));
            for shown in [visible(&text).into_owned(), written(text.as_bytes())] {
                assert!(!shown.contains(letter) && shown.ends_with('x'), "{letter:?}: {shown}");
            }
        }
    }

    /// The lists above match Unicode's properties, apart from the exceptions here.
    #[test]
    fn control_and_invisible_characters_match_unicode() {
        let property = |class: &str| {
            let class = regex::Regex::new(&format!("^{class}$")).expect("the class is valid");
            move |letter: char| class.is_match(letter.encode_utf8(&mut [0; 4]))
        };
        let is_control = property(r"(?s)[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}--[\n\t]]");
        let is_ignorable = property(r"\p{Default_Ignorable_Code_Point}");
        for letter in '\0'..=char::MAX {
            let is_deprecated_control = ('\u{206a}'..='\u{206f}').contains(&letter);
            assert_eq!(is_terminal_control(letter), is_control(letter) || is_deprecated_control, "{letter:?}");
            // Not ignorable in Unicode, but the first is a blank, and fonts display nothing for the others.
            let is_blank = matches!(letter, '\u{2800}' | '\u{fff9}'..='\u{fffb}');
            let is_variation_selector = ('\u{fe00}'..='\u{fe0f}').contains(&letter);
            let is_invisible_in_unicode =
                (is_ignorable(letter) && !is_variation_selector && !is_terminal_control(letter)) || is_blank;
            assert_eq!(is_invisible(letter), is_invisible_in_unicode, "{letter:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_escaped() {
        assert_eq!(written(b"a\xff\x9b1m\xc3\xa4\xe2\x80"), "a\\xff\\x9b1m\u{e4}\\xe2\\x80");
        assert_eq!(written("\u{9b}\r\n".as_bytes()), "\\x9b\\r\n");
    }

    #[test]
    fn only_an_incomplete_character_counts_as_torn() {
        for (bytes, torn) in [
            (&b"abc"[..], 0),
            (b"a\xc3", 1),
            (b"a\xc3\xa4", 0),
            (b"\xe2\x80", 2),
            (b"\xf0\x9f\x94", 3),
            (b"\xf0\x9f\x94\xa7", 0),
            (b"\xa4\xa4\xa4\xa4", 0),
            (b"\xff", 0),
            (b"", 0),
        ] {
            assert_eq!(torn_end(bytes), torn, "{bytes:?}");
        }
    }
}
