//! Foreign text made visible: what a terminal or a reader would obey, or overlook, is shown instead.
//!
//! Two kinds of characters are not what they seem. Some **drive**: control characters and escape sequences move a
//! terminal's cursor, bidirectional controls turn the order of what is read, separators begin lines where nobody looks
//! for one. Some **hide**: nothing is seen of them, and yet they are there. Either is written as an escape, `\x1b` or
//! `\u{202e}`, and never dropped: two names that differ look different.
//!
//! Not for telling apart what was escaped and what was written that way: a text may hold the letters `\x1b` itself.

use std::{
    borrow::Cow,
    fmt,
    io::{self, Write},
};

/// Whether `letter` drives a terminal or a reader. A line feed and a tab are what they seem.
pub(crate) fn is_terminal_control(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' => true,
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => true,
        _ => letter.is_control(),
    }
}

/// Whether nothing is seen of `letter`. Joiners are such too, although they hold an emoji together; what chooses
/// between the forms of a visible character (U+FE00 to U+FE0F) is not.
pub(crate) fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What is shown in the place of a character.
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

/// `text` of any number of lines, with everything that drives shown as its escape. A line may end with CR LF.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if is_plain(text.as_bytes()) || next(text, 0).is_none() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 64);
    let (mut done, mut from) = (0, 0);
    while let Some((at, letter)) = next(text, from) {
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

/// Writes `bytes` with everything that drives shown as its escape, a CR at the end of a line too, and likewise every
/// byte that is not UTF-8: terminals take some of them for controls.
pub(crate) fn write_visible(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    if is_plain(bytes) {
        return to.write_all(bytes);
    }
    // Most text is UTF-8, and to find that out is several times as fast as to look for what is not.
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
    while let Some((at, letter)) = next(text, done) {
        to.write_all(&text.as_bytes()[done..at])?;
        write!(to, "{}", Escape(letter))?;
        done = at + letter.len_utf8();
    }
    to.write_all(&text.as_bytes()[done..])
}

/// How many bytes at the end of `bytes` are the beginning of a character whose rest may come later.
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

/// Whether `bytes` are nothing but visible ASCII, blanks, tabs and line feeds.
fn is_plain(bytes: &[u8]) -> bool {
    let is_plain = |byte: u8| (0x20..0x7f).contains(&byte) | (byte == b'\n') | (byte == b'\t');
    bytes.chunks(BLOCK_BYTES).all(|block| block.iter().fold(true, |plain, byte| plain & is_plain(*byte)))
}

/// So many bytes are looked at without a way out, which lets the compiler look at many of them at once.
const BLOCK_BYTES: usize = 64;

/// The first character from byte `from` on that drives, and where it is.
fn next(text: &str, mut from: usize) -> Option<(usize, char)> {
    loop {
        let at = from + begins(&text.as_bytes()[from..])?;
        // Every byte that is looked for begins a character.
        let letter = text[at..].chars().next()?;
        if is_terminal_control(letter) {
            return Some((at, letter));
        }
        from = at + letter.len_utf8();
    }
}

/// Where the first byte is with which characters that drive begin.
fn begins(bytes: &[u8]) -> Option<usize> {
    // What is not ASCII begins U+0080 to U+009F, U+061C, and U+2000 to U+2FFF.
    let begins = |byte: u8| {
        (byte < 0x20 && byte != b'\n' && byte != b'\t')
            | (byte == 0x7f)
            | (byte == 0xc2)
            | (byte == 0xd8)
            | (byte == 0xe2)
    };
    let is_in = |block: &[u8]| block.iter().fold(false, |found, byte| found | begins(*byte));
    let (block, bytes) = bytes.chunks(BLOCK_BYTES).enumerate().find(|(_, block)| is_in(block))?;
    Some(block * BLOCK_BYTES + bytes.iter().position(|byte| begins(*byte))?)
}

/// A command line for a shell, on one line, in which everything that drives or hides is shown as its escape. Words with such
/// characters are written as `$'…'`, which bash, zsh and ksh understand.
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
            // As bytes, so that it does not depend on the shell's locale.
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
        write_visible(&mut written, bytes).expect("memory takes everything");
        String::from_utf8(written).expect("only text is written")
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
        assert_eq!(String::from_utf8(printed).expect("it is text"), words.map(|word| format!("{word}\0")).concat());
    }

    #[test]
    fn control_characters_are_escaped_and_other_text_is_unchanged() {
        assert_eq!(visible("a\tb\r\nc ä 👩\u{200d}🔧 \u{2026}"), "a\tb\r\nc ä 👩\u{200d}🔧 \u{2026}");
        assert_eq!(visible("\u{1b}[2J\u{9b}1m \r\u{7f}\0"), "\\x1b[2J\\x9b1m \\r\\x7f\\x00");
        assert_eq!(visible("\u{202e}\u{2028}\u{61c}\u{85}\u{b}"), "\\u{202e}\\u{2028}\\u{61c}\\x85\\x0b");
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

    /// The lists above are Unicode's properties, apart from the exceptions named here.
    #[test]
    fn control_and_invisible_characters_match_unicode() {
        let property = |class: &str| {
            let class = regex::Regex::new(&format!("^{class}$")).expect("it is a class of characters");
            move |letter: char| class.is_match(letter.encode_utf8(&mut [0; 4]))
        };
        let is_driver = property(r"(?s)[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}--[\n\t]]");
        let is_ignorable = property(r"\p{Default_Ignorable_Code_Point}");
        for letter in '\0'..=char::MAX {
            let is_deprecated_control = ('\u{206a}'..='\u{206f}').contains(&letter);
            assert_eq!(is_terminal_control(letter), is_driver(letter) || is_deprecated_control, "{letter:?}");
            // Unicode does not ignore these. The first is a blank, and fonts show nothing for the others.
            let is_blank = matches!(letter, '\u{2800}' | '\u{fff9}'..='\u{fffb}');
            let chooses_a_form = ('\u{fe00}'..='\u{fe0f}').contains(&letter);
            let is_hidden = (is_ignorable(letter) && !chooses_a_form && !is_terminal_control(letter)) || is_blank;
            assert_eq!(is_invisible(letter), is_hidden, "{letter:?}");
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
