//! What the user may have meant by a key that does not exist.

/// Who writes more than this did not mean a key, and comparing would take long.
const LONGEST: usize = 200;

/// The candidate most like `wanted`, if one is like it at all.
///
/// One with the same last word is, however far away: a key in the wrong section is the commonest mistake in TOML.
pub(super) fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let last = |key: &str| key.rsplit('.').next().map(str::to_owned);
    let candidates = candidates.into_iter().filter(|_| wanted.len() <= LONGEST);
    candidates
        .filter(|candidate| *candidate != wanted)
        .map(|candidate| (last(candidate) == last(wanted), strsim::osa_distance(candidate, wanted), candidate))
        .filter(|(same_last, distance, _)| *same_last || *distance <= 1.max(wanted.chars().count() / 4))
        .min_by_key(|(_, distance, _)| *distance)
        .map(|(_, _, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = ["data_dir", "tasks.heartbeat_interval", "tasks.keep_events", "index.text", "index"];

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        for (wanted, meant) in [
            ("tasks.heartbeet_interval", "tasks.heartbeat_interval"),
            ("tasks_keep_events", "tasks.keep_events"),
            ("datadir", "data_dir"),
            ("idnex", "index"),
        ] {
            assert_eq!(nearest(wanted, KEYS), Some(meant), "{wanted}");
        }
    }

    #[test]
    fn a_key_in_the_wrong_section_is_found_in_the_right_one() {
        assert_eq!(nearest("heartbeat_interval", KEYS), Some("tasks.heartbeat_interval"));
        assert_eq!(nearest("stopping.keep_events", KEYS), Some("tasks.keep_events"));
    }

    #[test]
    fn nonsense_is_like_nothing() {
        assert_eq!(nearest("colour", KEYS), None);
        assert_eq!(nearest("x", KEYS), None);
        assert_eq!(nearest(&format!("{}.keep_events", "x".repeat(1_000)), KEYS), None);
    }
}
