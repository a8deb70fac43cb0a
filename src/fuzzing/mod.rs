//! Properties that hold for any input of the parsers of untrusted data.
//!
//! Each function here takes bytes, passes them to one parser as the program does, and panics if a property is violated.
//! The fuzzers (`fuzz/`) search for such bytes without end. The property tests (`tests/properties`) generate almost
//! valid inputs in each test run. This module is not part of the program; the feature `fuzzing` enables it.
//!
//! If an input has several parts, a line `%%` separates them, so that people can read and write the seeds. Missing
//! parts are empty:
//!
//! ```text
//! log_level = "loud"
//! %%
//! CODEX_CONNECTOR_INDEX__ENTRIES=5
//! ```

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

/// Tests one parser with an input, and panics if a property is violated.
pub type Property = fn(&[u8]);

/// All properties by the name of their fuzz target, which is also the name of the directory with its seeds.
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

/// Parts: a text from an agent or a user; the end of a log; a result. See [`tool_arguments`] for the other direction.
///
/// For any input, untrusted text in an answer cannot be mistaken for the answer's own text, and no answer is longer
/// than clients show.
pub fn markdown(input: &[u8]) {
    let texts: [&[u8]; 3] = parts(input);
    let [text, log, result] = texts.map(String::from_utf8_lossy);
    crate::present::fuzzing::markdown(&text, &log, &result);
}
