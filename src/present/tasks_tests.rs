use serde_json::json;

use super::*;
use crate::present::{
    MAX_ANSWER_CHARACTERS,
    tests::{began, completed, record},
};

#[test]
fn an_empty_list_says_that_no_tasks_were_found() {
    let listing = |is_partial| Listing { records: Vec::new(), total: 0, is_partial, waiting: [].into() };
    assert_eq!(tasks(&listing(false), began()), "No tasks found.");
    assert_eq!(tasks(&listing(true), began()), "No tasks found among the newest ones.");
}

#[test]
fn a_partial_list_never_gives_the_number_of_all_tasks() {
    let records = vec![record("running"); 2];
    let of = |total| tasks(&Listing { records: records.clone(), total, is_partial: true, waiting: [].into() }, began());
    assert!(
        of(3).ends_with("The newest 2 of at least 3 tasks are shown; use a larger `limit` to see more."),
        "{}",
        of(3)
    );
    assert!(of(2).ends_with("The newest 2 of at least 2 tasks are shown."), "{}", of(2));
}

#[test]
fn a_list_that_exceeds_an_answer_says_how_many_tasks_it_shows() {
    let records = vec![completed().with(json!({"task": "|".repeat(200)})); 1_000];
    let answer = tasks(&Listing { records, total: 2_000, is_partial: false, waiting: [].into() }, began());
    assert!(answer.chars().count() < MAX_ANSWER_CHARACTERS, "{}", answer.chars().count());
    assert!(answer.ends_with("of 2000 tasks are shown; the others do not fit into one answer: filter by `status`."));
}
