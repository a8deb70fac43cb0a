//! Every page as a file in `goldens`. To update them: `UPDATE_GOLDEN=1 cargo test --lib present::web`.

use super::{checker_tests::assert_page, fixtures_tests::*, *};
use crate::{
    present::{Refused, answer_reader::now},
    task::{TaskCounts, message},
};

const PROMPT: &str = "write the missing tests for the parser";

fn assert_golden(name: &str, page: &str) {
    assert_page(page);
    let lines = page.replace("><", ">\n<").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let hash = regex::Regex::new(r"\?v=[0-9a-f]{16}").expect("a valid expression");
    let actual = hash.replace_all(&lines, "?v=HASH").into_owned() + "\n";
    let file = format!("{}/src/present/web/goldens/{name}.html", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &actual).expect("the source directory is writable");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        actual == expected,
        "{file} has changed. If this is intended, run the test with UPDATE_GOLDEN=1:\n{actual}"
    );
}

#[test]
fn the_list_of_tasks() {
    let query = TaskListQuery { page: 2, ..TaskListQuery::default() };
    let list = TaskList { problem: None, ..list(&query, PROMPT) };
    assert_golden("tasks", &tasks(&list, &viewer(false)).into_string());
}

#[test]
fn an_empty_list_says_why() {
    let all = TaskListQuery::default();
    let empty = |query| {
        let mut list = list(query, PROMPT);
        list.found.tasks.clear();
        list.found.total = 0;
        TaskList { counts: TaskCounts::default(), repositories: vec![], backends: vec![], problem: None, ..list }
    };
    assert_golden("no_tasks", &tasks(&empty(&all), &viewer(false)).into_string());
    let filtered = TaskListQuery { backend: Some("claude".to_owned()), ..TaskListQuery::default() };
    assert_golden("no_match", &tasks(&empty(&filtered), &viewer(false)).into_string());
}

#[test]
fn the_tabs_of_a_task() {
    for (name, page) in task_pages("failed", PROMPT) {
        assert_golden(&format!("task_{name}"), &page);
    }
    let running = task_pages("running", PROMPT);
    assert_golden("running_task", &running["activity"]);
}

#[test]
fn the_other_pages() {
    let at = |nav| Viewer { nav, ..viewer(false) };
    assert_golden("usage", &usage(&usage_page("claude", "30d"), &at(NavItem::Usage)).into_string());
    assert_golden(
        "check",
        &check(&findings("/home/me/.codex-connector/config.toml"), &at(NavItem::Check)).into_string(),
    );
    assert_golden("signed_out", &signed_out(SignedOut::NoSession).into_string());
    let refused = Refused::new(message!["no task has the ID ", &id()], "run `codex-connector ls --all`");
    assert_golden("problem", &problem(404, &refused, Some(&viewer(false))).into_string());
}

#[test]
fn the_pages_before_an_action() {
    let task = summary("running", PROMPT);
    let page =
        |action, plan| confirm(&Confirmation { task: &task, action, plan, now: now() }, &viewer(true)).into_string();
    assert_golden("confirm_cancel", &page(Action::Cancel, Plan::Cancel));
    assert_golden("confirm_undo", &page(Action::Undo, Plan::Operation(Box::new(operation("src/parser.rs")))));
    assert_golden("confirm_resume", &page(Action::Resume, Plan::Resume));
}
