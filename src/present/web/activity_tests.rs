//! Which entries are shown, folded and open.

use std::time::Duration;

use super::*;
use crate::present::{
    answer_reader::now,
    web::{
        checker_tests::{Element, assert_fragment},
        fixtures_tests::utc,
    },
};

fn entries(events: Vec<TimelineEvent>) -> Vec<TimelineEntry> {
    (1..).zip(events).map(|(seq, event)| TimelineEntry { seq, at: now(), event }).collect()
}

fn finished(command: &str, status: CommandOutcome) -> TimelineEvent {
    TimelineEvent::CommandFinished {
        command: command.to_owned(),
        status,
        exit_code: None,
        took: Some(Duration::from_secs(2)),
        output: "some output".to_owned(),
    }
}

fn started(command: &str) -> TimelineEvent {
    TimelineEvent::CommandStarted { command: command.to_owned() }
}

fn html(events: Vec<TimelineEvent>) -> (String, Vec<Element>) {
    let html = activity_items(&entries(events), utc).into_string();
    let elements = assert_fragment(&html);
    (html, elements)
}

#[test]
fn the_start_of_a_command_is_left_out_if_its_end_follows() {
    let command = || finished("make", CommandOutcome::Completed);
    let (html, _) = html(vec![started("make"), command(), started("make"), started("make test")]);
    assert_eq!(html.matches("ran: make").count(), 1, "{html}");
    assert_eq!(html.matches("runs: make").count(), 2, "the second run and the other command are still running: {html}");
}

#[test]
fn entries_of_a_kind_in_a_row_are_folded_but_never_a_failure() {
    let done = |number: usize| vec![finished("make", CommandOutcome::Completed); number];
    let failed = finished("make", CommandOutcome::Failed);
    let (_, elements) = html([done(4), vec![failed], done(2)].concat());
    let summaries: Vec<_> = elements.iter().filter(|element| element.name == "summary").collect();
    assert!(summaries[0].text.starts_with("4 commands until "), "{:?}", summaries[0]);
    let open: Vec<bool> = elements
        .iter()
        .filter(|element| element.name == "details" && !element.around.iter().any(|around| around == "details"))
        .map(|element| element.attribute("open").is_some())
        .collect();
    assert_eq!(open, [false, true, false, false], "the group, the failure, and two commands");
}

#[test]
fn a_message_is_never_folded_and_its_further_lines_can_be_opened() {
    let message = || TimelineEvent::Message { text: "first\nsecond".to_owned() };
    let (_, elements) = html(vec![message(), message(), message()]);
    let texts: Vec<_> =
        elements.iter().filter(|element| element.name == "pre").map(|element| element.text.trim()).collect();
    assert_eq!(texts, ["first\nsecond"; 3]);
}

#[test]
fn the_newest_report_of_tokens_counts() {
    let usage =
        |input_tokens| TimelineEvent::Usage { usage: connector_api::Usage { input_tokens, ..Default::default() } };
    assert_eq!(tokens_so_far(&entries(vec![usage(1), usage(5), started("x")])), Some(5));
    assert_eq!(tokens_so_far(&entries(vec![started("x")])), None);
}

#[test]
fn the_sentence_of_an_empty_list_follows_it_so_that_the_style_sheet_can_hide_it() {
    let id = TaskId::parse("1a2b3c4d").expect("a valid ID");
    let tab = ActivityTab { entries: &[], has_earlier: false, has_later: false, zone: utc };
    let html = activity(&id, &tab).into_string();
    assert!(html.contains("></ol><p class=\"empty\">There is no activity yet"), "{html}");
    let style = include_str!("../../web/assets/style.css");
    assert!(style.contains(".activity:not(:empty) + .empty { display: none; }"), "the rule that hides it");
}
