//! Text for a person at a terminal, or for a script that reads a pipe.
//!
//! A [`Screen`] says what the output can show. On a terminal, lines are cut to its width, columns are aligned, symbols
//! are colored, and times are relative. In a pipe, nothing is cut or colored, and columns are separated by tabs, so that
//! `cut`, `awk` and `sort` work.
//!
//! All untrusted text is put on one line with unsafe characters escaped, as everywhere in `present`, before it becomes
//! part of a [`Line`]. Escape sequences are added only by [`Line::render`], which is the last step.

mod line;
mod list;
mod screen;
mod table;
#[cfg(test)]
mod tests;
mod time;

pub(crate) use line::{Line, Tone};
pub(crate) use list::{count_line, elapsed, task_list};
pub(crate) use screen::{Screen, Symbols};
pub(crate) use time::{age, length, tokens};
