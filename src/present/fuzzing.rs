//! Properties that answers have for any output of an agent. See the module `fuzzing`.

use super::{
    Refused, already_ended,
    answer_reader::{assert_only_our_markup, live, now, record, result},
    cancelled, ended,
    notices::with_notices,
    status, tasks,
};
use crate::task::{Listing, LogTail, TaskView, Untrusted};

/// Every answer is shorter than this, in characters.
const MAX_ANSWER_CHARACTERS: usize = 40_000;

/// Checks answers about tasks that contain `text` wherever text from outside can appear, `log` as the end of the log,
/// and `agent_text`, once or repeated, as the result.
///
/// Text from outside must not pass for ours, and no answer may be longer than clients show.
pub(crate) fn markdown(text: &str, log: &str, agent_text: &str) {
    let tail = || LogTail { lines: log.split('\n').map(Untrusted::from).collect(), has_more: true };
    let (running, failed) = (record("running", text), record("failed", text));
    // Long results are slow to check, so only some inputs get one.
    let times = if agent_text.len() % 8 == 1 { 30_000 / agent_text.len() } else { 0 };
    let long = format!("{agent_text}\n").repeat(times);
    let view = TaskView { record: running.clone(), live: Some(live(text)), tail: tail(), result: None };
    check_answer(&status(view, None, now()), 7, 1);
    for agent_text in [agent_text, &long] {
        let view = TaskView { record: failed.clone(), live: None, tail: tail(), result: result(agent_text) };
        check_answer(&status(view, None, now()), 7, 1);
        check_answer(&ended(&failed, result(agent_text)), 0, 1);
    }
    check_answer(&cancelled(&failed), 0, 1);
    check_answer(&already_ended(&failed), 0, 1);
    let listing = Listing { records: vec![running, failed], total: 2, is_partial: false, waiting: [].into() };
    check_answer(&tasks(&listing, now()), 4, 0);
    let notices = [text, log, agent_text].map(|text| text.to_owned().into());
    check_answer(&with_notices("Plain.".into(), &notices), 0, 0);
    let refused = Refused::new(text.to_owned(), agent_text.to_owned()).markdown();
    assert_eq!(refused.matches('\n').count(), 1, "{refused}");
}

fn check_answer(answer: &str, rows: usize, statuses: usize) {
    assert!(answer.chars().count() < MAX_ANSWER_CHARACTERS, "{} characters", answer.chars().count());
    assert_only_our_markup(answer, rows, statuses);
}
