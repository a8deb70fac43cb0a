//! The promises of `src/fuzzing`, tested with input that is almost right.
//!
//! A fuzzer may need hours to find such input by chance. These tests build it on purpose in seconds: real transcripts,
//! records, indexes and settings with a few mistakes. A failure prints the smallest input that causes it. Add that
//! input to `fuzz/seeds`, and every later run tries it again.

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

/// Runs a property with this many inputs. No failing input is written to a file.
fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// One input in the form that a property takes.
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
