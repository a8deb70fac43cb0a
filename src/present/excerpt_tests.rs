use serde_json::json;

use super::*;

const MAX_CHARACTERS: usize = 1_000;

/// A record whose result is in `file`.
fn record(file: Option<&str>) -> TaskRecord {
    serde_json::from_value(json!({
        "id": "1a2b3c4d", "status": "completed", "startedAt": "2024-01-15T10:30:00Z", "resultFile": file
    }))
    .expect("valid record")
}

fn full_result(text: &str) -> ResultText {
    ResultText { head: text.into(), left_out: 0, tail: "".into() }
}

#[test]
fn a_result_that_fits_is_unchanged() {
    assert_eq!(
        result(&full_result("# Done\n```\nx\n```"), &record(None), MAX_CHARACTERS),
        "````\n# Done\n```\nx\n```\n````"
    );
}

#[test]
fn a_long_result_is_shown_without_its_middle_and_names_its_file() {
    let text = format!("first{}last", "ä".repeat(10_000));
    let shown = result(&full_result(&text), &record(Some("/logs/1.result")), MAX_CHARACTERS);
    assert!(
        shown.starts_with(
            "The complete result is in `/logs/1.result` (resource `task://1a2b3c4d/result`).\n\n```\nfirst"
        ),
        "{shown}"
    );
    assert!(shown.ends_with("last\n```"), "{shown}");
    let kept: usize = shown.matches('ä').count() * "ä".len() + "firstlast".len();
    assert!(shown.contains(&format!("[… {} bytes left out …]", text.len() - kept)), "{shown}");
}

#[test]
fn bytes_that_were_never_read_count_as_left_out() {
    let long = ResultText { head: "a".repeat(5_000).into(), left_out: 10_000_000, tail: "z".repeat(5_000).into() };
    let shown = result(&long, &record(None), MAX_CHARACTERS);
    let kept = shown.matches('a').count() + shown.matches('z').count();
    assert!(shown.contains(&format!("[… {} bytes", 10_010_000 - kept + "bytes".matches('a').count())), "{shown}");
}

#[test]
fn every_text_is_cut_to_fit() {
    for text in [
        "`".repeat(50_000),
        "`\n".repeat(50_000),
        "😀".repeat(50_000),
        format!("{}x", "`".repeat(990)),
        "\u{202e}".repeat(50_000),
    ] {
        let file = Path::new("/logs/1.result");
        let lines = text.lines().map(Untrusted::from).collect();
        for shown in [
            result(&full_result(&text), &record(Some("/logs/1.result")), MAX_CHARACTERS),
            agent_text(&text.as_str().into(), MAX_CHARACTERS),
            log(&LogTail { lines, has_more: true }, Some(100), Some(file), MAX_CHARACTERS),
        ] {
            assert!(shown.chars().count() <= MAX_CHARACTERS + 120, "{} characters", shown.chars().count());
        }
    }
}

#[test]
fn the_newest_lines_of_a_log_are_kept() {
    let lines = (0..1_000).map(|number| format!("line {number}").into()).collect();
    let shown = log(&LogTail { lines, has_more: true }, None, Some(Path::new("/logs/1.log")), 100);
    let expected = "### Recent log (last 10 lines)\nOlder lines do not fit here; the complete log is `/logs/1.log`.\n\n```\n\
                    line 990\n";
    assert!(shown.starts_with(expected) && shown.ends_with("line 999\n```"), "{shown}");
}

#[test]
fn a_long_line_of_a_log_is_cut() {
    let lines = vec!["x".repeat(600).into(), "y".repeat(200).into()];
    let shown = log(&LogTail { lines, has_more: false }, None, None, MAX_CHARACTERS);
    let cut = format!("{} … (430 more characters)\n{}", "x".repeat(170), "y".repeat(200));
    assert_eq!(shown, format!("### Recent log (last 2 lines)\n```\n{cut}\n```"));
}

#[test]
fn lines_after_the_last_reported_one_are_new() {
    let tail = LogTail { lines: ["one", "two", "three"].map(Untrusted::from).to_vec(), has_more: true };
    let new = [Some("three"), Some("one"), Some("zero"), None]
        .map(|last| lines_after(&tail, last.map(Untrusted::from).as_ref()));
    assert_eq!(new, [0, 2, 3, 3]);
    assert!(log(&tail, Some(2), None, MAX_CHARACTERS).starts_with("### Recent log (last 3 lines, 2 new)\n"));
}
