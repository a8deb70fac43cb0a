//! The promises of `src/fuzzing`, held against input that is nearly right.
//!
//! What a fuzzer finds by chance in hours, these make on purpose in seconds: real transcripts, records, indexes and
//! settings with a few things wrong. A failure shows its input, the smallest there is; it becomes a seed in
//! `fuzz/seeds`, and so is tried at each run from then on.

mod answers;
mod arguments;
mod bytes;
mod events;
mod json;
mod json_line;
mod lines;
mod seeds;
mod settings;
mod store;

use std::fmt;

use codex_connector::fuzzing::SEPARATOR;
use proptest::test_runner::Config;

/// So many inputs are made for a property. None of them is written to a file.
fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// One input, as a property takes it.
struct PropertyInput(Vec<u8>);

impl PropertyInput {
    fn of(parts: &[&[u8]]) -> Self {
        Self(parts.join(SEPARATOR))
    }
}

impl fmt::Debug for PropertyInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}
