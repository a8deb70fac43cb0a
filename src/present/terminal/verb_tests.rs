//! The output of `logs`, `usage`, `config show` and completions.

use connector_api::Usage;
use serde_json::json;

use super::{
    show_tests::{screen, zone},
    *,
};
use crate::{
    present::json_parts::{SettingObject, SourceKind},
    task::{TimelineEntry, TimelineEvent, Totals, TotalsBy, UsageReport},
};

fn at() -> chrono::DateTime<chrono::Utc> {
    "2026-01-02T03:04:05.678Z".parse().expect("a valid time")
}

#[test]
fn a_log_line_has_local_times_on_a_terminal_only() {
    let line = b"[2026-01-02T03:04:05.678Z] STDOUT: a\tb \x1b[31m \xff";
    assert_eq!(log_line(line, Some(at()), screen(20), zone), "2026-01-02 05:04:05 STDOUT: a    b \\x1b[31m \\xff\n");
    let piped = log_line(line, Some(at()), Screen::PIPE, zone);
    assert_eq!(piped, "[2026-01-02T03:04:05.678Z] STDOUT: a\tb \\x1b[31m \\xff\n");
    assert_eq!(log_line(b"    more] x", None, screen(80), zone), "    more] x\n");
    let hidden = "[2026-01-02T03:04:05.678Z] STDOUT: a\u{200b}b\u{feff}".as_bytes();
    for screen in [Screen::PIPE, screen(80)] {
        assert!(log_line(hidden, Some(at()), screen, zone).ends_with("STDOUT: a\\u{200b}b\\u{feff}\n"));
    }
    let colored = log_line(line, Some(at()), Screen { has_color: true, ..Screen::PIPE }, zone);
    assert_eq!(colored, format!("\u{1b}[2m[2026-01-02T03:04:05.678Z]\u{1b}[0m{}", &piped[26..]));
    assert_eq!(raw_lines(&[b"\x1b\xff".to_vec(), vec![]]), b"\x1b\xff\n\n");
}

#[test]
fn an_event_is_one_line() {
    let entry = |event| TimelineEntry { seq: 1, at: at(), event };
    let message = entry(TimelineEvent::Message { text: "one\n\ttwo \u{1b}[31m".into() });
    assert_eq!(event_line(&message, Screen::PIPE, zone), "2026-01-02T03:04:05.678Z\tmessage\tone two \\x1b[31m\n");
    assert_eq!(event_line(&message, screen(80), zone), "2026-01-02 05:04:05 message           one two \\x1b[31m\n");
    let colored = event_line(&message, Screen { has_color: true, ..Screen::PIPE }, zone);
    assert!(colored.contains("\t\u{1b}[1mmessage\u{1b}[0m\t"), "{colored:?}");
    let started = entry(TimelineEvent::CommandStarted { command: "cargo test -p parser".into() });
    assert_eq!(event_line(&started, screen(50), zone), "2026-01-02 05:04:05 command started   cargo test …\n");
    assert_eq!(event_line(&started, screen(20), zone), "2026-01-02 05:04:05…\n");
    let unknown = entry(TimelineEvent::Unknown { kind: "new_kind".into() });
    assert_eq!(event_line(&unknown, Screen::PIPE, zone), "2026-01-02T03:04:05.678Z\tnew_kind\t\n");
}

fn report() -> UsageReport {
    let usage = |input_tokens, output_tokens| Usage { input_tokens, output_tokens, ..Usage::default() };
    let groups = vec![
        ("/home/x/shop/.git".to_owned(), Totals { tasks: 12, unreported: 1, usage: usage(1_234_567, 8_900) }),
        (String::new(), Totals { tasks: 1, unreported: 0, usage: usage(50, 5) }),
    ];
    UsageReport { by: TotalsBy::Repository, groups }
}

#[test]
fn totals_on_a_terminal_have_a_last_row_and_a_note() {
    let expected = [
        "REPOSITORY         TASKS         IN  CACHED    OUT      TOTAL",
        "/home/x/shop/.git     12  1,234,567       0  8,900  1,243,467",
        "(unknown)              1         50       0      5         55",
        "total                 13  1,234,617       0  8,905  1,243,522",
        "The tokens of 1 task are unknown: running, or not reported by the agent.",
        "",
    ];
    assert_eq!(usage(&report(), screen(80), false).split('\n').collect::<Vec<_>>(), expected);
    let narrow = usage(&report(), screen(20), false);
    assert!(narrow.lines().all(|line| line.chars().count() <= 20), "{narrow}");
    assert!(narrow.lines().any(|line| line.starts_with("total ") && line.ends_with(" 1.2M")), "{narrow}");
    let none = UsageReport { by: TotalsBy::Day, groups: vec![] };
    assert!(usage(&none, screen(80), false).contains("usage --all"));
    assert_eq!(usage(&none, screen(80), true), "No tasks.\n");
}

#[test]
fn totals_in_a_pipe_are_plain_numbers() {
    let expected = "/home/x/shop/.git\t12\t1234567\t0\t8900\t1243467\t1\n\t1\t50\t0\t5\t55\t0\n";
    assert_eq!(usage(&report(), Screen::PIPE, false), expected);
}

#[test]
fn settings_show_where_they_come_from_and_hide_secrets() {
    let setting = |key: &str, value: serde_json::Value, source, name: Option<&str>| SettingObject {
        key: key.to_owned(),
        hidden: value.is_null(),
        value,
        source,
        name: name.map(str::to_owned),
    };
    let all = [
        setting("agent_env.set.KEY", json!(null), SourceKind::File, Some("/c.toml")),
        setting("tasks.default_timeout", json!("none"), SourceKind::Default, None),
        setting("tools.extra", json!(["a\u{1b}"]), SourceKind::Variable, Some("CODEX_CONNECTOR_TOOLS__EXTRA")),
    ];
    let file = Some(std::path::Path::new("/c.toml"));
    let expected = [
        "Configuration file: /c.toml",
        "",
        "KEY                    VALUE        FROM",
        "agent_env.set.KEY      (hidden)     file",
        "tasks.default_timeout  \"none\"       default",
        "tools.extra            [\"a\\u001b\"]  CODEX_CONNECTOR_TOOLS__EXTRA",
        "",
    ];
    assert_eq!(settings(file, true, &all, screen(80)).split('\n').collect::<Vec<_>>(), expected);
    assert!(settings(file, false, &all, screen(80)).starts_with("Configuration file: /c.toml (does not exist)\n"));
    let expected = "agent_env.set.KEY\t(hidden)\t/c.toml\n\
                    tasks.default_timeout\t\"none\"\tdefault\n\
                    tools.extra\t[\"a\\u001b\"]\tCODEX_CONNECTOR_TOOLS__EXTRA\n";
    assert_eq!(settings(file, true, &all, Screen::PIPE), expected);
}

#[test]
fn lines_are_wrapped_at_spaces() {
    let wrapped = |text: &str, width| -> Vec<String> {
        Line::default().with_exact(Tone::Plain, text).wrapped(width).into_iter().map(Line::text).collect()
    };
    assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
    assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
    assert_eq!(wrapped("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
    assert_eq!(wrapped("漢字漢字", 5), ["漢字", "漢字"]);
    assert_eq!(wrapped("short", usize::MAX), ["short"]);
    assert_eq!((wrapped("", 5), wrapped("漢", 1)), (vec![String::new()], vec!["漢".to_owned()]));
}

#[test]
fn styles_have_no_width() {
    assert_eq!(rendered_width("\u{1b}[1m1a2b\u{1b}[0m ok \u{1b}[38;5;1m漢\u{1b}[0m"), 10);
}
