//! Patterns that match whole words of a message.
//!
//! A message is split into tokens and sentences. An identifier, path, host name, version number or URL is one token, so
//! patterns do not match inside it. Nor do they match across the end of a sentence or a line.

/// A pattern that is looked for in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// These words, next to each other and in this order, regardless of case and of punctuation between them. ` .. `
    /// matches up to eight arbitrary words, as in `model .. not found`. Must be lower case.
    Words(&'static str),
    /// This status code, where it is written as one: `status 401`, `HTTP 401`, `401 Unauthorized`, `Error: 401`,
    /// `"code":401`.
    Status(u16),
}

/// Maximum number of words that ` .. ` skips.
const MAX_GAP_TOKENS: usize = 8;

/// Only this much of a message is searched, in bytes.
const MAX_SEARCHED_BYTES: usize = 64 << 10;

/// A message, split into tokens.
pub(super) struct MessageTokens<'a> {
    said: &'a str,
    tokens: Vec<Token<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    word: &'a str,
    start: usize,
    /// The number of its sentence.
    sentence: usize,
}

impl Token<'_> {
    fn end(&self) -> usize {
        self.start + self.word.len()
    }

    fn is(&self, word: &str) -> bool {
        let straight = |c: char| if c == '\u{2019}' { '\'' } else { c.to_ascii_lowercase() };
        self.word.chars().map(straight).eq(word.chars())
    }

    fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }
}

impl<'a> MessageTokens<'a> {
    pub(super) fn read(said: &'a str) -> Self {
        let end = (0..=said.len().min(MAX_SEARCHED_BYTES)).rev().find(|end| said.is_char_boundary(*end));
        let said = &said[..end.unwrap_or_default()];
        let (mut tokens, mut sentence): (Vec<Token<'_>>, _) = (vec![], 0);
        let mut at = 0;
        while let Some(skipped) = said[at..].find(is_word) {
            let start = at + skipped;
            sentence += usize::from(ends_sentence(&said[at..start]));
            at = start + token_length(&said[start..]);
            tokens.push(Token { word: &said[start..at], start, sentence });
        }
        Self { said, tokens }
    }

    pub(super) fn matches(&self, pattern: Pattern) -> bool {
        match pattern {
            Pattern::Words(words) => self.has_words(words),
            Pattern::Status(code) => {
                let code = code.to_string();
                (0..self.tokens.len()).any(|at| self.tokens[at].is(&code) && self.is_status(at))
            }
        }
    }

    fn has_words(&self, pattern: &str) -> bool {
        let phrases: Vec<Vec<&str>> = pattern.split(" .. ").map(|phrase| phrase.split(' ').collect()).collect();
        let begin = |at: &usize| self.continues(*at, 0, self.tokens[*at].sentence, &phrases);
        (0..self.tokens.len()).any(|at| begin(&at))
    }

    /// Whether these phrases follow, the first of them at most `gap` tokens after `from`, and all in this sentence.
    fn continues(&self, from: usize, gap: usize, sentence: usize, phrases: &[Vec<&str>]) -> bool {
        let Some((phrase, rest)) = phrases.split_first() else { return true };
        (from..=from + gap).any(|at| {
            let there = self.tokens.get(at..at + phrase.len()).unwrap_or_default();
            there.len() == phrase.len()
                && there.iter().zip(phrase).all(|(token, word)| token.sentence == sentence && token.is(word))
                && self.continues(at + phrase.len(), MAX_GAP_TOKENS, sentence, rest)
        })
    }

    /// Whether the number at this token is written as a status code.
    fn is_status(&self, at: usize) -> bool {
        let number = self.tokens[at];
        let neighbors = |from: usize| {
            self.tokens[from..].iter().take_while(|token| token.sentence == number.sentence).map(|token| token.word)
        };
        let after: Vec<&str> = neighbors(at + 1).take(3).collect();
        if has_reason(number.word, &after) {
            return true;
        }
        let Some(before) = at.checked_sub(1).map(|before| self.tokens[before]) else { return false };
        let between = &self.said[before.end()..number.start];
        if before.sentence != number.sentence || !between.chars().all(|c| " :=\"'(\\".contains(c)) {
            return false;
        }
        let is_labelled = between.contains([':', '=']);
        if before.is_any(&STATUS_WORDS) {
            return true;
        }
        if before.is("code") {
            let earlier = at.checked_sub(2).map(|earlier| self.tokens[earlier]);
            return is_labelled || earlier.is_some_and(|word| word.is_any(&["status", "error", "response", "http"]));
        }
        // Exclude a count, as in "Error: 401 tests failed".
        before.is("error") && !self.said[number.end()..].trim_start().starts_with(char::is_lowercase)
    }
}

/// Words after which a number is a status code.
const STATUS_WORDS: [&str; 12] = [
    "status",
    "statuscode",
    "status_code",
    "http_status",
    "httpstatus",
    "errorcode",
    "error_code",
    "http",
    "http/1.0",
    "http/1.1",
    "http/2",
    "http/3",
];

/// Whether the words after a number are the HTTP reason phrase of that status code.
fn has_reason(number: &str, after: &[&str]) -> bool {
    let reason: &[&str] = match number {
        "401" => &["unauthorized"],
        "402" => &["payment", "required"],
        "403" => &["forbidden"],
        "413" => &["payload", "too", "large"],
        "429" => &["too", "many", "requests"],
        "503" => &["service", "unavailable"],
        // Anthropic's own status code.
        "529" => &["overloaded"],
        _ => return false,
    };
    after.len() >= reason.len() && after.iter().zip(reason).all(|(word, wanted)| word.eq_ignore_ascii_case(wanted))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the token at the beginning of `text`, which must begin with a word character.
fn token_length(text: &str) -> usize {
    let mut at = 0;
    loop {
        at += text[at..].find(|c| !is_word(c)).unwrap_or(text.len() - at);
        if text[at..].starts_with("://") {
            let ends = |c: char| c.is_whitespace() || "\"'`<>|\\".contains(c);
            let url = &text[..at + text[at..].find(ends).unwrap_or(text.len() - at)];
            return url.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '/']).len();
        }
        let mut rest = text[at..].chars();
        match (rest.next(), rest.next()) {
            (Some(joint), Some(next)) if "-./@#%+'\u{2019}".contains(joint) && is_word(next) => at += joint.len_utf8(),
            _ => return at,
        }
    }
}

/// Whether the text between two tokens ends a sentence or a line.
fn ends_sentence(between: &str) -> bool {
    between.contains('\n') || [". ", "! ", "? ", "; "].iter().any(|end| between.contains(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(said: &str) -> Vec<&str> {
        MessageTokens::read(said).tokens.iter().map(|token| token.word).collect()
    }

    fn matches(said: &str, pattern: &'static str) -> bool {
        MessageTokens::read(said).matches(Pattern::Words(pattern))
    }

    fn has_status(said: &str, code: u16) -> bool {
        MessageTokens::read(said).matches(Pattern::Status(code))
    }

    #[test]
    fn ids_paths_urls_and_versions_are_single_tokens() {
        for (said, tokens) in [
            ("Ray ID: 9c401d2e-429f.", &["Ray", "ID", "9c401d2e-429f"][..]),
            ("see https://x.test:4290/a?b=401&c=(d), then", &["see", "https://x.test:4290/a?b=401&c=(d", "then"]),
            ("{\"url\":\"http://x/401\",\"code\":429}", &["url", "http://x/401", "code", "429"]),
            ("/srv/billing/quota.rs:401:29", &["srv/billing/quota.rs", "401", "29"]),
            ("takt#806 418-429 gpt-4.01", &["takt#806", "418-429", "gpt-4.01"]),
            ("You\u{2019}ve hit it · now", &["You\u{2019}ve", "hit", "it", "now"]),
            ("req_011CX401bYq4290", &["req_011CX401bYq4290"]),
            ("", &[]),
            ("\u{1f980} - . ' ://", &[]),
        ] {
            assert_eq!(words(said), tokens, "{said}");
        }
    }

    #[test]
    fn whole_words_match_regardless_of_case_and_punctuation() {
        for (said, pattern, wanted) in [
            ("You\u{2019}ve HIT your usage limit.", "you've hit your", true),
            ("Error: \"rate limit\": exceeded", "rate limit exceeded", true),
            ("the rate limits exceeded", "rate limit exceeded", false),
            ("a quotation", "quota", false),
            ("src/quota.rs", "quota", false),
            ("quota_project", "quota", false),
            ("nothing", "nothing at all", false),
        ] {
            assert_eq!(matches(said, pattern), wanted, "{said}: {pattern}");
        }
    }

    #[test]
    fn a_gap_is_bounded_and_ends_with_the_sentence() {
        let gap = |words: usize| format!("model {}not found", "x ".repeat(words));
        assert!(matches(&gap(0), "model .. not found") && matches(&gap(MAX_GAP_TOKENS), "model .. not found"));
        assert!(!matches(&gap(MAX_GAP_TOKENS + 1), "model .. not found"));
        for said in ["the model began. File not found", "the model\nnot found", "not found: model"] {
            assert!(!matches(said, "model .. not found"), "{said}");
        }
        assert!(matches("a b a c", "a .. c") && matches("a x b y c", "a .. b .. c"));
    }

    #[test]
    fn a_status_code_matches_in_the_usual_forms() {
        for said in [
            "unexpected status 401 Unauthorized: bad key",
            "last status: 401",
            "HTTP 401",
            "HTTP/1.1 401",
            "401 Unauthorized",
            "Error: 401",
            "API Error: 401 {\"type\":\"error\"}",
            "API Error (401): no",
            "{\"error\":{\"code\":401}}",
            "{\\\"code\\\": 401}",
            "statusCode=401",
            "Request failed with status code 401",
            "error code: 401",
        ] {
            assert!(has_status(said, 401), "{said}");
        }
    }

    #[test]
    fn other_numbers_are_not_status_codes() {
        for said in [
            "Ray ID: 9c401d2e7f0ab1c2",
            "Ray ID: 401",
            "takt#401 lines 398-401",
            "listening on 127.0.0.1:401",
            "port 401",
            "line 401",
            "at 4:01:401",
            "model gpt-401",
            "401 tests failed",
            "Error: 401 tests failed",
            "Claude Code 401",
            "status 4010",
            "status 401-403 are errors",
            "status. 401",
            "the status is unknown, 401",
            "https://x.test/status/401",
        ] {
            assert!(!has_status(said, 401), "{said}");
        }
    }

    #[test]
    fn only_the_beginning_of_a_long_message_is_searched() {
        let long = format!("{}\u{e9}usage limit", "\u{e9} ".repeat(MAX_SEARCHED_BYTES));
        assert!(!matches(&long, "usage limit") && words(&long).len() < MAX_SEARCHED_BYTES);
    }
}
