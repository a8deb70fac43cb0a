//! `top`: the tasks of this repository, or of all, on the whole terminal.
//!
//! ```text
//! keys ────▶ ┌───────┐            ┌───────┐
//! tasks ───▶ │ State │ ─ draw ──▶ │ Frame │
//! resize ──▶ └───┬───┘            └───────┘
//!                └─ Effect ──▶ load (through the broker), or an action (a verb of the broker)
//! ```
//!
//! The state is plain data. Keys and news change it without I/O, return effects, and determine which queries the screen
//! needs; [`run`] starts and stops the loaders of these queries, executes the effects and feeds the results back. The
//! views draw a state into a frame and change nothing. So every screen and every key is tested without a terminal.
//!
//! The screen is redrawn when something has changed, and once a second because of the times in it. Nothing is read that is
//! not visible: the list is read again when a task begins or ends, tasks on the screen and the open tab are followed, and
//! of a long text only the end is read until a person wants to see more.
//!
//! Actions are the verbs of the command line. Each is shown before it runs, as the command that a person would type.

mod act;
mod backend;
mod dialog;
mod document;
mod draw;
#[cfg(test)]
mod fixture;
mod input;
mod key;
#[cfg(test)]
mod key_tests;
mod keys;
mod layout;
mod list;
mod load;
mod pane;
mod query;
mod run;
#[cfg(test)]
mod screen_tests;
mod signals;
mod state;
mod terminal;

pub(crate) use run::{TopOptions, run};
pub(crate) use signals::TopEnd;
