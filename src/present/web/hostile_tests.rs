//! Hostile input in every template: none of it becomes markup, and all of it is visible.

use super::{
    checker_tests::{assert_fragment, assert_page},
    fixtures_tests::*,
    *,
};
use crate::{
    present::{Refused, answer_reader::now, hostile_tests::HOSTILE},
    task::{Message, TaskDiff},
};

/// Texts that end an attribute, an element or a comment.
const MARKUP: [&str; 7] = [
    "\"><script>alert(1)</script>",
    "' onload='alert(1)",
    "\" onmouseover=\"alert(1)",
    "</pre></main><h1>Task completed</h1>",
    "</title><script src=//example.com></script>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp;amp; &#60;b&#62; --> ]]>",
];

fn texts() -> impl Iterator<Item = String> {
    let several_lines = MARKUP.map(|text| format!("{text}\n{}{text}", "long ".repeat(100)));
    HOSTILE.into_iter().chain(MARKUP).map(str::to_owned).chain(several_lines)
}

#[test]
fn no_text_becomes_markup_in_a_list_of_tasks() {
    for text in texts() {
        for query in [TaskListQuery::default(), query(&text)] {
            let list = list(&query, &text);
            let elements = assert_page(&tasks(&list, &viewer(true)).into_string());
            assert_eq!(elements.iter().filter(|element| element.name == "tr").count(), 4, "{text:?}");
            let mut list = list;
            list.found.tasks.clear();
            assert_page(&tasks(&list, &viewer(false)).into_string());
        }
    }
}

#[test]
fn no_text_becomes_markup_in_a_page_of_a_task() {
    for text in texts() {
        for status in ["running", "failed"] {
            for page in task_pages(status, &text).values() {
                assert_page(page);
            }
            let task = summary(status, &text);
            for (_, html) in task_fragments(&head_of(&task), &spans(), &viewer(true)) {
                assert_fragment(&html.into_string());
            }
        }
        let entries = entries(&text);
        for entry in entries.chunks(1).chain([entries.as_slice()]) {
            assert_fragment(&activity_items(entry, utc).into_string());
        }
        assert_fragment(&newest_activity(&id(), &entries, utc).into_string());
    }
}

#[test]
fn no_text_becomes_markup_in_any_other_page() {
    for text in texts() {
        let refused = || Refused::new(text.clone(), text.clone());
        let notices = vec![Message::from(text.clone())];
        let viewer = Viewer { notices, ..viewer(true) };
        assert_page(&usage(&usage_page(&text, &text), &viewer).into_string());
        assert_page(&check(&findings(&text), &viewer).into_string());
        for status in [400, 403, 404, 409, 500] {
            assert_page(&problem(status, &refused(), Some(&viewer)).into_string());
            assert_page(&problem(status, &refused(), None).into_string());
        }
        let task = summary("running", &text);
        for action in Action::ALL {
            for plan in
                [Plan::Cancel, Plan::Resume, Plan::Operation(Box::new(operation(&text))), Plan::Refused(refused())]
            {
                let confirmation = Confirmation { task: &task, action, plan, now: now() };
                assert_page(&confirm(&confirmation, &viewer).into_string());
            }
        }
    }
}

#[test]
fn every_reason_to_sign_in_is_a_page_without_navigation() {
    for why in [
        SignedOut::NoSession,
        SignedOut::UsedAddress,
        SignedOut::WrongToken,
        SignedOut::TooManyAttempts,
        SignedOut::NotEncrypted { port: 4_321 },
    ] {
        let elements = assert_page(&signed_out(why).into_string());
        assert!(elements.iter().all(|element| element.name != "nav"), "{why:?}");
        let has_form = elements.iter().any(|element| element.name == "form");
        assert_eq!(has_form, !matches!(why, SignedOut::NotEncrypted { .. }), "{why:?}");
    }
}

#[test]
fn a_read_only_server_offers_no_action_and_no_form_for_one() {
    let task = summary("running", "x");
    let read_only = task_fragments(&head_of(&task), &spans(), &viewer(false));
    let html: String = read_only.into_iter().map(|(_, html)| html.into_string()).collect();
    assert!(html.contains("codex-connector cancel 1a2b3c4d") && !html.contains("/cancel\""), "{html}");
    let confirmation = Confirmation { task: &task, action: Action::Cancel, plan: Plan::Cancel, now: now() };
    let html = confirm(&confirmation, &viewer(false)).into_string();
    assert!(html.contains("--actions") && !html.contains("action=\"/tasks/"), "{html}");
    assert!(confirm(&confirmation, &viewer(true)).into_string().contains("action=\"/tasks/1a2b3c4d/cancel\""));
}

#[test]
fn long_inputs_make_bounded_pages() {
    let prompt = "word ".repeat(20_000);
    for (name, page) in task_pages("failed", &prompt) {
        let is_whole = name == "details" || name == "activity";
        assert!(page.len() < if is_whole { 8 << 20 } else { 2 << 20 }, "{name}: {} bytes", page.len());
    }
    let list_query = TaskListQuery::default();
    // Names of repositories and backends are never that long.
    let list = TaskList { repositories: vec![], backends: vec![], problem: None, ..list(&list_query, &prompt) };
    let page = tasks(&list, &viewer(true)).into_string();
    assert!(page.len() < 40_000, "{} bytes", page.len());

    let hunk = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n".to_owned() + &"+<line>\n".repeat(50_000);
    let html = task_page_of(changes_tab(&hunk, vec![changed("x")]));
    let elements = assert_page(&html);
    let lines = elements.iter().filter(|element| element.attribute("class") == Some("line-added")).count();
    assert_eq!(lines, 2_000 - 4);
    assert!(html.contains("48004 more lines") && html.contains("too long for one page"), "a cut is explained");
    assert!(html.len() < 300_000, "{} bytes", html.len());

    let line = format!("diff --git a/x b/x\n@@ -1 +1 @@\n+{}\n", "x".repeat(10 << 20));
    let html = task_page_of(changes_tab(&line, vec![changed("x")]));
    assert!(html.len() < 100_000, "{} bytes", html.len());

    let many: Vec<_> = (0..50_000).map(|number| changed(&format!("file {number}"))).collect();
    let tab = ChangesTab { diff: TaskDiff { files: many, ..diff(vec![]) }, ..changes_tab("", vec![]) };
    let html = task_page_of(tab);
    assert!(html.contains("and 49000 more files") && html.len() < 2 << 20, "{} bytes", html.len());
}

fn task_page_of(tab: ChangesTab) -> String {
    let task = summary("completed", "x");
    let content = TabContent::Changes(Ok(Box::new(tab)));
    super::task(&TaskPage { head: head_of(&task), spans: Spans::Long, content, live: None }, &viewer(true))
        .into_string()
}
