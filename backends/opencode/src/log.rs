//! Reads lines of OpenCode's own log, which it writes to stderr with `--print-logs`:
//! `timestamp=… level=ERROR run=… message="stream error" small=false error.error="…"`.

use serde_json::Deserializer;

/// The fields of one line of the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogEntry(Vec<(String, String)>);

impl LogEntry {
    /// Reads a line. `None` if it is not from the log.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut rest = line.strip_prefix("timestamp=").map(|_| line)?;
        let mut fields = vec![];
        while let Some((key, after)) = rest.trim_start().split_once('=') {
            let (value, after) = value(after);
            fields.push((key.to_owned(), value));
            rest = after;
        }
        Some(Self(fields))
    }

    pub(crate) fn field(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(crate) fn message(&self) -> &str {
        self.field("message").unwrap_or_default()
    }

    /// The error, in the provider's words or in OpenCode's.
    pub(crate) fn error(&self) -> Option<&str> {
        ["error.error", "error.error.message", "error"].into_iter().find_map(|key| self.field(key))
    }
}

/// The value at the beginning of `text`, and the rest after it. A value with a space is a JSON string; a truncated one
/// extends to the end.
fn value(text: &str) -> (String, &str) {
    if !text.starts_with('"') {
        let (value, rest) = text.split_once(' ').unwrap_or((text, ""));
        return (value.to_owned(), rest);
    }
    let mut strings = Deserializer::from_str(text).into_iter::<String>();
    match strings.next() {
        Some(Ok(value)) => (value, text.get(strings.byte_offset()..).unwrap_or_default()),
        Some(Err(_)) | None => (text.trim_matches('"').to_owned(), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_read_whatever_its_value() {
        let line =
            r#"timestamp=2026-11-26T13:20:49.857Z level=INFO message="creating instance" directory="/a b \"q" n=1"#;
        let entry = LogEntry::read(line).expect("a line of the log");
        assert_eq!((entry.message(), entry.field("directory")), ("creating instance", Some(r#"/a b "q"#)));
        assert_eq!((entry.field("n"), entry.field("b")), (Some("1"), None));
    }

    #[test]
    fn text_inside_a_value_is_not_a_field() {
        let entry = LogEntry::read(r#"timestamp=1 message=failed error="x: message=other directory=/x" cause="cut"#);
        let entry = entry.expect("a line of the log");
        assert_eq!((entry.field("directory"), entry.error()), (None, Some("x: message=other directory=/x")));
        assert_eq!(entry.field("cause"), Some("cut"));
        assert_eq!(LogEntry::read("Error: timestamp=1"), None);
    }
}
