//! Suggestions for unknown keys.

/// Upper bound on the length of a key that gets a suggestion, in bytes: longer keys are not typos.
const MAX_KEY_BYTES: usize = 200;

/// The key in `keys` that is spelled most like `wanted`. If none is similar: one with the same last part, because the
/// most common mistake in TOML is a key in the wrong section.
///
/// Only keys that can hold a value are suggested, not sections. The last parts must be similar by themselves: otherwise,
/// a long common section would make any two of its keys similar.
pub(super) fn nearest_key<'a>(wanted: &str, keys: &'a [String]) -> Option<&'a str> {
    if wanted.len() > MAX_KEY_BYTES {
        return None;
    }
    let others: Vec<&str> =
        keys.iter().map(String::as_str).filter(|key| *key != wanted && !is_section(key, keys)).collect();
    let similar: Vec<&str> = match wanted.rsplit_once('.') {
        Some((_, last)) => {
            others.iter().copied().filter(|key| connector_api::nearest(last, &[last_part(key)]).is_some()).collect()
        }
        // The separators may be wrong too, as in `tasks_keep_events`.
        None => others.clone(),
    };
    let in_other_sections = || others.iter().copied().filter(|key| last_part(key) == last_part(wanted));
    connector_api::nearest(wanted, &similar)
        .or_else(|| in_other_sections().min_by_key(|key| strsim::osa_distance(key, wanted)))
}

fn is_section(key: &str, keys: &[String]) -> bool {
    keys.iter().any(|other| other.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

fn last_part(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, last)| last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 10] = [
        "data_dir",
        "tasks",
        "tasks.heartbeat_interval",
        "tasks.keep_events",
        "index",
        "index.text",
        "backends.codex.kind",
        "backends.codex.env",
        "backends.codex.env.pass",
        "backends.codex.env.set",
    ];

    fn nearest(wanted: &str) -> Option<String> {
        nearest_key(wanted, &KEYS.map(str::to_owned)).map(str::to_owned)
    }

    #[test]
    fn a_typo_is_recognized() {
        for (wanted, suggestion) in [
            ("tasks.heartbeet_interval", "tasks.heartbeat_interval"),
            ("tsks.heartbeet_interval", "tasks.heartbeat_interval"),
            ("tasks_keep_events", "tasks.keep_events"),
            ("datadir", "data_dir"),
            ("idnex.text", "index.text"),
            ("backends.codex.env.sett", "backends.codex.env.set"),
        ] {
            assert_eq!(nearest(wanted).as_deref(), Some(suggestion), "{wanted}");
        }
    }

    #[test]
    fn a_key_in_the_wrong_section_is_found_in_the_right_one() {
        assert_eq!(nearest("heartbeat_interval").as_deref(), Some("tasks.heartbeat_interval"));
        assert_eq!(nearest("stopping.keep_events").as_deref(), Some("tasks.keep_events"));
    }

    #[test]
    fn nonsense_gets_no_suggestion_not_even_inside_a_section() {
        for wanted in ["colour", "x", "tasks.x", "backends.codex.sandbox", "backends.codex.env.add", "backends.codex.x"]
        {
            assert_eq!(nearest(wanted), None, "{wanted}");
        }
        assert_eq!(nearest(&format!("{}.keep_events", "x".repeat(1_000))), None);
    }

    #[test]
    fn a_section_is_never_suggested() {
        assert_eq!(nearest("task"), None);
        assert_eq!(nearest("backends.codex.evn"), None);
    }
}
