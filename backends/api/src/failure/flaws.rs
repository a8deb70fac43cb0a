//! The test that every failure table must pass.

use super::{FailureRow, FailureTable, MessageTokens, Pattern};

/// Messages that resemble a failure with a cause, but are something else. No table may find a cause in them.
const UNRELATED: [&str; 14] = [
    "Error: failed to write session file: Disk quota exceeded (os error 122)",
    "EDQUOT: disk quota exceeded, open '/home/me/billing/quota.json'",
    "No space left on device (os error 28)",
    "This API requires a quota project, which is not set by default.",
    "cannot open src/billing/rate_limit.rs",
    "the range takt#806 418-429 does not apply",
    "listening on port 4290, then on 127.0.0.1:429",
    "at 04:29:01, line 401, column 529",
    "Error: 429 tests failed",
    "model gpt-429 answers slowly",
    "recursion limit reached while expanding a macro",
    "sandbox `read-only` cannot be enforced by codex 0.171.0",
    "patch rejected: writing is blocked by read-only sandbox",
    "Sorry, you have been blocked. Ray ID: 9c401d2e7f0ab1c2",
];

/// Messages with a placeholder for an ID.
const WITH_ID: [&str; 8] = [
    "Sorry, you have been blocked. Ray ID: {}",
    "cf-ray: {}-FRA, and nothing else",
    "the request {} failed",
    "{\"type\":\"api_error\",\"message\":\"Internal server error\",\"request_id\":\"req_{}\"}",
    "{}: it broke",
    "see https://example.com/{}/status/{} for more",
    "session {}\nended",
    "id={} trace={}",
];

/// HTTP status codes that an ID may contain by chance.
const CODES: [&str; 6] = ["401", "402", "413", "429", "503", "529"];

impl FailureTable {
    /// Mistakes in this table, for tests. Empty if the table is sound:
    ///
    /// - Each example is explained by its own row.
    /// - Each pattern matches an example of its row, and appears only once in the table.
    /// - Each advice is one line.
    /// - No row with a cause matches a message that only contains an ID or looks similar.
    pub fn flaws(&self) -> Vec<String> {
        let mut flaws: Vec<String> = self.0.iter().flat_map(|row| self.flaws_of(row)).collect();
        let patterns: Vec<Pattern> = self.0.iter().flat_map(|row| row.patterns).copied().collect();
        let repeated = (0..patterns.len()).filter(|at| patterns[..*at].contains(&patterns[*at]));
        flaws.extend(repeated.map(|at| format!("{:?} appears twice in the table", patterns[at])));
        let ids = (0..2_000).map(id);
        let with_ids = ids.flat_map(|id| WITH_ID.map(|message| message.replace("{}", &id)));
        for said in UNRELATED.iter().map(|said| (*said).to_owned()).chain(with_ids) {
            if let Some(row) = self.find(&said).filter(|row| row.cause.is_some()) {
                flaws.push(format!("`{said}` is mistaken for {:?}: {}", row.cause, row.advice));
            }
        }
        flaws
    }

    fn flaws_of(&self, row: &FailureRow) -> Vec<String> {
        let mut flaws = vec![];
        for example in row.examples {
            match self.find(example) {
                Some(found) if found.advice == row.advice && found.cause == row.cause => {}
                Some(other) => flaws.push(format!("`{example}` is explained by an earlier row: {}", other.advice)),
                None => flaws.push(format!("`{example}` is not explained by any row")),
            }
        }
        let matches =
            |pattern: Pattern| row.examples.iter().any(|example| MessageTokens::read(example).matches(pattern));
        let unused = row.patterns.iter().filter(|pattern| !matches(**pattern));
        flaws.extend(unused.map(|pattern| format!("{pattern:?} does not match any example of its row")));
        if row.examples.is_empty() || row.patterns.is_empty() {
            flaws.push(format!("a row has no patterns or no examples: {}", row.advice));
        }
        if row.advice.is_empty() || row.advice.contains('\n') || row.advice.contains("  ") {
            flaws.push(format!("the advice is not one line: `{}`", row.advice));
        }
        flaws
    }
}

/// The `n`-th of a fixed series of IDs: hexadecimal numbers, UUIDs and decimal numbers. Most contain a status code.
fn id(n: u64) -> String {
    // splitmix64
    let mut bits = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let hex = format!("{:016x}", bits ^ (bits >> 31));
    let code = CODES[usize::try_from(n).unwrap_or_default() % CODES.len()];
    match n % 5 {
        0 => hex,
        1 => format!("{}{code}{}", &hex[..5], &hex[5..]),
        2 => format!("{}-{code}{}-{}-{code}a-{}{code}", &hex[..8], &hex[8..9], &hex[9..13], &hex[..9]),
        3 => code.to_owned(),
        _ => format!("{}-{code}", &hex[..3]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cause;

    const fn row(patterns: &'static [Pattern], examples: &'static [&'static str]) -> FailureRow {
        FailureRow { patterns, examples, advice: "do something", cause: Some(Cause::NotLoggedIn) }
    }

    fn flaws(rows: &'static [FailureRow]) -> String {
        FailureTable::new(rows).flaws().join("\n")
    }

    #[test]
    fn the_shared_rows_are_sound() {
        const ROWS: [FailureRow; 3] = [
            FailureRow::DISK_FULL,
            FailureRow::DISK_QUOTA,
            row(&[Pattern::Status(401), Pattern::Words("not logged in")], &["HTTP 401", "Not logged in"]),
        ];
        assert_eq!(flaws(&ROWS), "");
    }

    #[test]
    fn a_row_that_cannot_be_reached_is_found() {
        const ROWS: [FailureRow; 2] = [
            FailureRow { advice: "another", ..row(&[Pattern::Words("key")], &["a key"]) },
            row(&[Pattern::Words("no key")], &["no key"]),
        ];
        assert_eq!(flaws(&ROWS), "`no key` is explained by an earlier row: another");
    }

    #[test]
    fn a_pattern_in_two_rows_and_an_empty_row_are_found() {
        const ROWS: [FailureRow; 3] = [
            row(&[Pattern::Words("no key")], &["no key"]),
            row(&[Pattern::Words("no key"), Pattern::Words("bad key")], &["bad key"]),
            FailureRow { advice: "nothing", ..row(&[], &[]) },
        ];
        let expected = [
            "Words(\"no key\") does not match any example of its row",
            "a row has no patterns or no examples: nothing",
            "Words(\"no key\") appears twice in the table",
        ];
        assert_eq!(flaws(&ROWS), expected.join("\n"));
    }

    #[test]
    fn a_pattern_without_an_example_is_found() {
        const ROWS: [FailureRow; 1] = [row(&[Pattern::Words("a b"), Pattern::Words("c")], &["a b", "d"])];
        assert_eq!(flaws(&ROWS), "`d` is not explained by any row\nWords(\"c\") does not match any example of its row");
    }

    #[test]
    fn a_pattern_that_is_too_wide_is_found() {
        const ROWS: [FailureRow; 1] = [row(&[Pattern::Words("quota")], &["quota"])];
        assert!(flaws(&ROWS).contains("requires a quota project"));
    }

    #[test]
    fn most_ids_contain_a_status_code() {
        assert!((0..50).all(|n| n % 5 == 0 || CODES.iter().any(|code| id(n).contains(code))));
    }
}
