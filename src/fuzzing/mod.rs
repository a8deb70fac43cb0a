//! What holds for every parser that meets the outside, whatever it is given.
//!
//! Each function here takes bytes, hands them to one parser the way the program does, and panics when a promise is not
//! kept. The fuzzers (`fuzz/`) look for such bytes without end; the property tests (`tests/properties`) make some that
//! are nearly right at each test run. Not a part of the program: the feature `fuzzing` switches it on.
//!
//! An input of several parts has a line `%%` between them, and parts that are not there are empty, so that people can
//! read and write the seeds.

mod events;
mod json;
mod lines;
mod parts;
mod settings;
mod store;
mod trickle;

pub use events::event_lines;
pub use json::json_line;
pub use lines::line_reader;
pub use parts::SEPARATOR;
use parts::parts;
pub use settings::config;
pub use store::{index, records};

pub use crate::request::fuzzing::tool_arguments;

/// A parser with its promises.
pub type Property = fn(&[u8]);

/// Every parser by the name of its fuzz target, which is also that of the directory of its seeds.
pub const TARGETS: [(&str, Property); 8] = [
    ("event_lines", event_lines),
    ("json_line", json_line),
    ("line_reader", line_reader),
    ("records", records),
    ("index", index),
    ("config", config),
    ("tool_arguments", tool_arguments),
    ("markdown", markdown),
];

/// Parts: a text of an agent's or of a user's; the end of a log; a result. See [`tool_arguments`] for the other direction.
///
/// Whatever they are, nothing in an answer passes for ours that is not, and no answer is longer than clients show.
pub fn markdown(input: &[u8]) {
    let texts: [&[u8]; 3] = parts(input);
    let [text, log, result] = texts.map(String::from_utf8_lossy);
    crate::present::fuzzing::markdown(&text, &log, &result);
}
