//! The encodings of a secret that are recognized: unchanged, percent-encoded, and inside a JSON string.
//!
//! Encoders differ in the characters that they escape, and in the case of hex digits. The styles below are those of
//! common encoders; a text that mixes styles within one secret is not recognized. Most secrets consist of characters
//! that no encoder escapes, and have one form. No secret has more than `MAX_FORMS`.

use std::{borrow::Cow, collections::BTreeSet};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// Upper bound on the number of forms of one secret.
#[cfg(test)]
pub(super) const MAX_FORMS: usize = 1 + 2 * (PERCENT.len() + JSON.len());

/// A style of percent-encoding: the characters to escape, and the encoding of a space.
struct Percent {
    escaped: &'static AsciiSet,
    space: &'static str,
}

/// RFC 3986.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Python's `quote`.
const PATH: AsciiSet = UNRESERVED.remove(b'/');
/// JavaScript's `encodeURIComponent`.
const COMPONENT: AsciiSet = UNRESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
/// JavaScript's `encodeURI`.
const URI: AsciiSet = COMPONENT
    .remove(b';')
    .remove(b',')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b'#');
/// JavaScript's `URLSearchParams`, Java's `URLEncoder`.
const FORM: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

const PERCENT: [Percent; 8] = [
    // Python's `quote(safe='')`; with `+`, Go's `QueryEscape` and Python's `quote_plus`.
    Percent { escaped: &UNRESERVED, space: "%20" },
    Percent { escaped: &UNRESERVED, space: "+" },
    Percent { escaped: &COMPONENT, space: "%20" },
    Percent { escaped: &COMPONENT, space: "+" },
    Percent { escaped: &PATH, space: "%20" },
    Percent { escaped: &PATH, space: "+" },
    Percent { escaped: &URI, space: "%20" },
    Percent { escaped: &FORM, space: "+" },
];

/// A style of JSON: what it escapes although JSON does not require it.
struct Json {
    /// `/` becomes `\/`.
    slash: bool,
    /// Everything except visible ASCII becomes `\uXXXX`.
    ascii: bool,
    /// These characters become `\uXXXX`.
    markup: &'static str,
}

const JSON: [Json; 7] = [
    // JavaScript, Rust.
    Json { slash: false, ascii: false, markup: "" },
    Json { slash: true, ascii: false, markup: "" },
    // Python, which also escapes U+007F.
    Json { slash: false, ascii: true, markup: "" },
    // PHP.
    Json { slash: true, ascii: true, markup: "" },
    // Go, Ruby on Rails.
    Json { slash: false, ascii: false, markup: "<>&\u{2028}\u{2029}" },
    // .NET.
    Json { slash: false, ascii: true, markup: "<>&\"'+`" },
    // PHP for HTML.
    Json { slash: true, ascii: true, markup: "<>&\"'" },
];

/// The case of hex digits.
#[derive(Debug, Clone, Copy)]
enum Hex {
    Lower,
    Upper,
}

/// All forms of `secret`, including itself.
pub(super) fn forms(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([secret.to_vec()]);
    let text = std::str::from_utf8(secret).ok();
    for hex in [Hex::Lower, Hex::Upper] {
        forms.extend(PERCENT.iter().map(|style| style.encode(secret, hex).into_bytes()));
        forms.extend(text.iter().flat_map(|text| JSON.iter().map(|style| style.encode(text, hex).into_bytes())));
    }
    forms
}

impl Percent {
    fn encode(&self, secret: &[u8], hex: Hex) -> String {
        // A `%` in the secret is escaped too, so a part that begins with `%` is an escape.
        let parts = percent_encode(secret, self.escaped).map(|part| match (part, hex) {
            ("%20", _) => Cow::Borrowed(self.space),
            (escape, Hex::Lower) if escape.starts_with('%') => Cow::Owned(escape.to_ascii_lowercase()),
            (part, Hex::Lower | Hex::Upper) => Cow::Borrowed(part),
        });
        parts.collect()
    }
}

impl Json {
    fn encode(&self, secret: &str, hex: Hex) -> String {
        let mut encoded = String::with_capacity(secret.len());
        let mut units = [0; 2];
        for letter in secret.chars() {
            let is_beyond = self.ascii && !(' '..='~').contains(&letter);
            match letter {
                '\u{8}' => encoded.push_str("\\b"),
                '\u{c}' => encoded.push_str("\\f"),
                '\n' => encoded.push_str("\\n"),
                '\r' => encoded.push_str("\\r"),
                '\t' => encoded.push_str("\\t"),
                letter if letter < ' ' || is_beyond || self.markup.contains(letter) => {
                    for unit in letter.encode_utf16(&mut units) {
                        encoded.push_str(&hex.escape(*unit));
                    }
                }
                '"' | '\\' => encoded.extend(['\\', letter]),
                '/' if self.slash => encoded.push_str("\\/"),
                letter => encoded.push(letter),
            }
        }
        encoded
    }
}

impl Hex {
    /// Formats `unit` as `\uXXXX`.
    fn escape(self, unit: u16) -> String {
        match self {
            Self::Lower => format!("\\u{unit:04x}"),
            Self::Upper => format!("\\u{unit:04X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_forms(secret: &str, written: &[&str]) {
        let forms = forms(secret.as_bytes());
        for form in written {
            assert!(forms.contains(form.as_bytes()), "{form} is not a form of {secret:?}");
        }
        assert!(forms.len() <= MAX_FORMS);
    }

    #[test]
    fn text_that_no_encoder_escapes_has_one_form() {
        for secret in ["hunter2-Hunter2_x.y", "AKIAIOSFODNN7EXAMPLE", "sk-proj-0123_abc"] {
            assert_eq!(forms(secret.as_bytes()).len(), 1, "{secret}");
        }
        assert!(forms("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY=".as_bytes()).len() < 12);
    }

    #[test]
    fn url_forms_match_common_encoders() {
        assert_forms(
            "s3cr'et+/=value/x y~!",
            &[
                // Python: quote(s, safe=''), and in lower case; quote_plus; quote.
                "s3cr%27et%2B%2F%3Dvalue%2Fx%20y~%21",
                "s3cr%27et%2b%2f%3dvalue%2fx%20y~%21",
                "s3cr%27et%2B%2F%3Dvalue%2Fx+y~%21",
                "s3cr%27et%2B/%3Dvalue/x%20y~%21",
                // JavaScript: encodeURIComponent, with `+`, and in lower case; encodeURI; URLSearchParams.
                "s3cr'et%2B%2F%3Dvalue%2Fx%20y~!",
                "s3cr'et%2B%2F%3Dvalue%2Fx+y~!",
                "s3cr'et%2b%2f%3dvalue%2fx%20y~!",
                "s3cr'et+/=value/x%20y~!",
                "s3cr%27et%2B%2F%3Dvalue%2Fx+y%7E%21",
            ],
        );
        assert_forms("ä*", &["%C3%A4*", "%c3%a4*", "%C3%A4%2A"]);
        assert!(forms(b"\xff\xfe/").contains(&b"%FF%FE%2F"[..]), "a secret need not be UTF-8");
    }

    #[test]
    fn json_forms_match_common_encoders() {
        assert_forms(
            "a\"b\\/<ü😀>&+'\u{7f}\u{1b}\n",
            &[
                "a\\\"b\\\\/<ü😀>&+'\u{7f}\\u001b\\n",
                "a\\\"b\\\\/<ü😀>&+'\u{7f}\\u001B\\n",
                "a\\\"b\\\\\\/<ü😀>&+'\u{7f}\\u001b\\n",
                // Python
                "a\\\"b\\\\/<\\u00fc\\ud83d\\ude00>&+'\\u007f\\u001b\\n",
                // PHP
                "a\\\"b\\\\\\/<\\u00fc\\ud83d\\ude00>&+'\\u007f\\u001b\\n",
                // Go
                "a\\\"b\\\\/\\u003cü😀\\u003e\\u0026+'\u{7f}\\u001b\\n",
                // .NET
                "a\\u0022b\\\\/\\u003C\\u00FC\\uD83D\\uDE00\\u003E\\u0026\\u002B\\u0027\\u007F\\u001B\\n",
                // PHP for HTML
                "a\\u0022b\\\\\\/\\u003C\\u00FC\\uD83D\\uDE00\\u003E\\u0026+\\u0027\\u007F\\u001B\\n",
            ],
        );
        assert_forms("\u{2028}\u{8}\u{c}\r\t", &["\\u2028\\b\\f\\r\\t"]);
    }

    #[test]
    fn no_secret_has_more_forms_than_there_are_styles() {
        let all: String = (0..=0x7f).map(char::from).chain("äöü€😀\u{2028}".chars()).collect();
        let count = forms(all.as_bytes()).len();
        assert!(count > 20 && count <= MAX_FORMS, "{count}");
    }
}
