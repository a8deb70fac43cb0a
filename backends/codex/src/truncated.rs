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
/// Inside a JSON string, every quote has a backslash before it, so `"type":"` is always a key.
pub(crate) fn kinds(head: &[u8]) -> Option<TruncatedKinds<'_>> {
    const KEY: &[u8] = b"\"type\":\"";
    let word_after_key = |from: &[u8]| Some(from.windows(KEY.len()).position(|window| window == KEY)? + KEY.len());
    let word = |start: usize| {
        let rest = &head[start..];
        std::str::from_utf8(&rest[..rest.iter().position(|byte| *byte == b'"')?]).ok()
    };
    let event_at = word_after_key(head).filter(|_| head.starts_with(b"{"))?;
    let item_at = word_after_key(&head[event_at..]).map(|at| at + event_at);
    Some(TruncatedKinds { event: word(event_at)?, item: item_at.and_then(word).unwrap_or_default() })
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
    fn a_type_inside_a_string_is_ignored() {
        let head = br#"{"type":"turn.failed","error":{"message":"\"type\":\"x\" "#;
        assert_eq!(kinds(head), Some(TruncatedKinds { event: "turn.failed", item: "" }));
        assert_eq!(kinds(br#"xxx "type":"error""#), None);
        assert_eq!(kinds(br#"{"type":"torn"#), None);
        assert_eq!(kinds(b""), None);
    }
}
