//! Finds the kind of an event from its beginning, if its line was too long to keep.

/// The kinds in an event, which Codex writes before any long text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TruncatedKinds<'a> {
    /// The kind of the event, such as `item.completed`.
    pub(crate) event: &'a str,
    /// The kind of its item, such as `agent_message`; empty if there is none.
    pub(crate) item: &'a str,
}

/// Reads the kinds at the beginning of a truncated line.
///
/// Inside a JSON string, every quote has a backslash before it, so `"type"` followed by a colon is always a key.
pub(crate) fn kinds(head: &[u8]) -> Option<TruncatedKinds<'_>> {
    let (event, rest) = next_type(head).filter(|_| head.trim_ascii_start().starts_with(b"{"))?;
    let item = next_type(rest).map(|(item, _)| item).unwrap_or_default();
    Some(TruncatedKinds { event, item })
}

/// The value of the next key `type`, and the bytes after it.
fn next_type(head: &[u8]) -> Option<(&str, &[u8])> {
    const KEY: &[u8] = b"\"type\"";
    let mut rest = head;
    loop {
        rest = &rest[rest.windows(KEY.len()).position(|window| window == KEY)? + KEY.len()..];
        // Otherwise it is not a key, or its value is not a text.
        let value = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        if let Some(value) = value.and_then(|value| value.strip_prefix(b"\"")) {
            let (word, after) = value.split_at(value.iter().position(|byte| *byte == b'"')?);
            return Some((std::str::from_utf8(word).ok()?, after));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_found_in_a_truncated_line() {
        let head =
            br#"{"type":"item.completed","item":{"id":"item_2","type":"agent_message","text":"a \"type\":\"b\" "#;
        assert_eq!(kinds(head), Some(TruncatedKinds { event: "item.completed", item: "agent_message" }));
    }

    #[test]
    fn blanks_between_the_parts_are_skipped() {
        let head = b" { \"type\" : \"item.completed\", \"item\": {\"id\": \"type\",\t\"type\":\t\"agent_message\", \"text\": \"a";
        assert_eq!(kinds(head), Some(TruncatedKinds { event: "item.completed", item: "agent_message" }));
    }

    #[test]
    fn a_type_inside_a_string_is_ignored() {
        let head = br#"{"type":"turn.failed","error":{"message":"\"type\":\"x\" "#;
        assert_eq!(kinds(head), Some(TruncatedKinds { event: "turn.failed", item: "" }));
        assert_eq!(kinds(br#"xxx "type":"error""#), None);
        assert_eq!(kinds(br#"{"type":"torn"#), None);
        assert_eq!(kinds(b""), None);
    }
}
