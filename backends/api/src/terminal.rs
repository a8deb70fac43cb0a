//! Terminal escape sequences in a program's output.

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// The length in bytes of the escape sequence at the beginning of `bytes`; 0 if there is none.
///
/// A `{` never ends a sequence here, although the standard allows it, so that a truncated sequence does not swallow the
/// JSON object after it. Sequences end with an ASCII byte, so the bytes that follow are still valid UTF-8.
pub(crate) fn escape_length(bytes: &[u8]) -> usize {
    let Some((&ESCAPE, rest)) = bytes.split_first() else { return 0 };
    let run = |from: usize, of: std::ops::RangeInclusive<u8>| {
        let rest = rest.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| of.contains(byte)).count()
    };
    // The length of the final byte: 1, or 0 if it is missing.
    let final_length = |at: usize, from: u8| {
        usize::from(rest.get(at).is_some_and(|byte| (from..=0x7e).contains(byte) && *byte != b'{'))
    };
    1 + match rest.first() {
        // CSI: parameters, then a final byte from `@` to `~`.
        Some(b'[') => {
            let end = 1 + run(1, 0x20..=0x3f);
            end + final_length(end, 0x40)
        }
        // OSC, DCS and the like: text up to BEL or ESC `\`.
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let end = 1 + rest[1..].iter().take_while(|byte| **byte >= 0x20).count();
            match &rest[end..] {
                [BELL, ..] => end + 1,
                [ESCAPE, b'\\', ..] => end + 2,
                // It does not end on this line, or another sequence comes first, so only its first two bytes are removed.
                _ => 1,
            }
        }
        Some(_) => {
            let end = run(0, 0x20..=0x2f);
            end + final_length(end, 0x30)
        }
        None => 0,
    }
}

/// The text without any terminal escape sequences: colors, cursor movements, window titles and the like.
pub fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(char::from(ESCAPE)) {
        plain.push_str(&rest[..at]);
        rest = &rest[at + escape_length(&rest.as_bytes()[at..])..];
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_escape_sequence_is_removed() {
        for sequence in [
            "\u{1b}[0m",
            "\u{1b}[38;5;12m",
            "\u{1b}[?2004h",
            "\u{1b}[?25l",
            "\u{1b}[2K",
            "\u{1b}[1 q",
            "\u{1b}]0;a title; \u{e9}\u{7}",
            "\u{1b}]8;;https://example.org\u{1b}\\",
            "\u{1b}P1$r0m\u{1b}\\",
            "\u{1b}(B",
            "\u{1b}7",
            "\u{1b}=",
            "\u{1b}\\",
        ] {
            assert_eq!(without_colours(&format!("a{sequence}b")), "ab", "{sequence:?}");
        }
    }

    #[test]
    fn a_truncated_sequence_removes_nothing_else() {
        for (text, plain) in [
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}[1;2\u{e9}", "\u{e9}"),
            ("\u{1b}[0{\"a\"", "{\"a\""),
            ("\u{1b}{\"a\"", "{\"a\""),
            ("\u{1b}]0;title{\"a\"", "0;title{\"a\""),
            ("\u{1b}]0;\u{1b}[0mx", "0;x"),
            ("no [1m] here", "no [1m] here"),
        ] {
            assert_eq!(without_colours(text), plain, "{text:?}");
        }
    }
}
