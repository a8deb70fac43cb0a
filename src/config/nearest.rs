//! Suggestions for unknown keys.

/// Upper bound on the length of a key that gets a suggestion, in bytes: longer keys are not typos.
const MAX_KEY_BYTES: usize = 200;

/// The candidate that is spelled most like `wanted`, or else one with the same last part: the most common mistake in
/// TOML is a key in the wrong section.
pub(super) fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wanted.len() > MAX_KEY_BYTES {
        return None;
    }
    let others: Vec<&str> = candidates.into_iter().filter(|candidate| *candidate != wanted).collect();
    let last = |key: &str| key.rsplit('.').next().map(str::to_owned);
    let in_other_sections = || others.iter().copied().filter(|candidate| last(candidate) == last(wanted));
    connector_api::nearest(wanted, &others)
        .or_else(|| in_other_sections().min_by_key(|candidate| strsim::osa_distance(candidate, wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = ["data_dir", "tasks.heartbeat_interval", "tasks.keep_events", "index.text", "index"];

    #[test]
    fn a_typo_is_recognized() {
        for (wanted, suggestion) in [
            ("tasks.heartbeet_interval", "tasks.heartbeat_interval"),
            ("tasks_keep_events", "tasks.keep_events"),
            ("datadir", "data_dir"),
            ("idnex", "index"),
        ] {
            assert_eq!(nearest(wanted, KEYS), Some(suggestion), "{wanted}");
        }
    }

    #[test]
    fn a_key_in_the_wrong_section_is_found_in_the_right_one() {
        assert_eq!(nearest("heartbeat_interval", KEYS), Some("tasks.heartbeat_interval"));
        assert_eq!(nearest("stopping.keep_events", KEYS), Some("tasks.keep_events"));
    }

    #[test]
    fn nonsense_gets_no_suggestion() {
        assert_eq!(nearest("colour", KEYS), None);
        assert_eq!(nearest("x", KEYS), None);
        assert_eq!(nearest(&format!("{}.keep_events", "x".repeat(1_000)), KEYS), None);
    }
}
