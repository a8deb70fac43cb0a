use super::*;

const ROOM: usize = 1_000;

fn whole(text: &str) -> ResultText {
    ResultText { head: text.to_owned(), left_out: 0, tail: String::new() }
}

#[test]
fn a_result_that_fits_stands_as_it_is() {
    assert_eq!(result(&whole("# Done\n```\nx\n```"), None, ROOM), "````\n# Done\n```\nx\n```\n````");
}

#[test]
fn a_long_result_loses_its_middle_and_names_its_file() {
    let text = format!("first{}last", "ä".repeat(10_000));
    let shown = result(&whole(&text), Some(Path::new("/logs/1.result")), ROOM);
    assert!(shown.starts_with("The whole result is in `/logs/1.result`.\n\n```\nfirst"), "{shown}");
    assert!(shown.ends_with("last\n```"), "{shown}");
    let kept: usize = shown.matches('ä').count() * "ä".len() + "firstlast".len();
    assert!(shown.contains(&format!("[… {} bytes left out …]", text.len() - kept)), "{shown}");
}

#[test]
fn the_middle_that_was_never_read_counts() {
    let long = ResultText { head: "a".repeat(5_000), left_out: 10_000_000, tail: "z".repeat(5_000) };
    let shown = result(&long, None, ROOM);
    let kept = shown.matches('a').count() + shown.matches('z').count();
    assert!(shown.contains(&format!("[… {} bytes", 10_010_000 - kept + "bytes".matches('a').count())), "{shown}");
}

#[test]
fn whatever_stands_in_a_text_it_fits() {
    for text in [
        "`".repeat(50_000),
        "`\n".repeat(50_000),
        "😀".repeat(50_000),
        format!("{}x", "`".repeat(990)),
        "\u{202e}".repeat(50_000),
    ] {
        let file = Path::new("/logs/1.result");
        let lines = text.lines().map(str::to_owned).collect();
        for shown in [
            result(&whole(&text), Some(file), ROOM),
            said(&text, ROOM),
            log(&Tail { lines, more: true }, Some(file), ROOM),
        ] {
            assert!(shown.chars().count() <= ROOM + 120, "{} characters", shown.chars().count());
        }
    }
}

#[test]
fn the_newest_lines_of_a_log_stay() {
    let lines: Vec<String> = (0..1_000).map(|number| format!("line {number}")).collect();
    let shown = log(&Tail { lines, more: true }, Some(Path::new("/logs/1.log")), 100);
    let expected = "### Recent log (last 10 lines)\nOlder lines did not fit here; the whole log is `/logs/1.log`.\n\n```\n\
                    line 990\n";
    assert!(shown.starts_with(expected) && shown.ends_with("line 999\n```"), "{shown}");
}

#[test]
fn a_long_line_of_a_log_is_cut() {
    let lines = vec!["x".repeat(600)];
    let shown = log(&Tail { lines, more: false }, None, ROOM);
    assert_eq!(shown, format!("### Recent log (last 1 line)\n```\n{} … (100 more characters)\n```", "x".repeat(500)));
}
