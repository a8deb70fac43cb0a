//! Text for a person at a terminal, or for a script that reads a pipe.
//!
//! A [`Screen`] says what the output can show. On a terminal, lines are cut to its width, columns are aligned, symbols
//! are colored, and times are relative. In a pipe, nothing is cut or colored, and columns are separated by tabs, so that
//! `cut`, `awk` and `sort` work.
//!
//! All untrusted text is put on one line with unsafe characters escaped, as everywhere in `present`, before it becomes
//! part of a [`Line`]. Escape sequences are added only by [`Line::render`], which is the last step.

mod diff;
mod fields;
mod hint;
mod line;
mod list;
mod live;
#[cfg(test)]
mod live_tests;
mod log;
mod operation;
mod options;
mod removal;
mod screen;
mod settings;
mod show;
#[cfg(test)]
mod show_tests;
mod state;
mod step;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod usage;
#[cfg(test)]
mod verb_tests;
mod workspace;

pub(crate) use diff::{diff_names, diff_notes, diff_stat, no_changes, patch_is_cut, patch_lines};
pub(crate) use hint::{described, hint};
pub(crate) use line::{Line, Tone, rendered_width};
pub(crate) use list::{count_line, task_list, used, worktrees_line};
pub(crate) use live::{
    agent_words, begin_line, cancel_line, end_lines, end_row, explanation_lines, live_line, remark, repeats, step_line,
};
pub(crate) use log::{event_line, event_tone, log_line, raw_lines};
pub(crate) use operation::{operation, operation_notes, operation_summary, undo_question, unnamed_note};
pub(crate) use options::with_options;
pub(crate) use removal::{MAX_NAMED, id_line, lost_changes, nothing_to_remove, removal_question};
pub(crate) use screen::{Screen, Symbols};
pub(crate) use settings::settings;
pub(crate) use show::{NextSteps, grouped, next_operation, result_text, show, show_fields};
pub(crate) use state::{elapsed, tone, word};
pub(crate) use step::{detail, step};
pub(crate) use time::{LocalTime, age, length, local, tokens};
pub(crate) use usage::usage;

use super::text::OutsideText;
