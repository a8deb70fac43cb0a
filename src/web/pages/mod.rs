//! Reads what a page shows, through the broker, and calls its template.
//!
//! A page is complete HTML. Its fragments are the contents of the elements that change while it is open.

mod confirm;
mod explain;
mod task;
mod tasks;
mod usage;
mod zone;

pub(crate) use confirm::confirm;
pub(crate) use explain::explain;
pub(crate) use task::{activity_items, newest_activity, task, task_fragments};
pub(crate) use tasks::{tasks, tasks_fragments};
pub(crate) use usage::usage;

pub(crate) use crate::present::web::{check, problem, signed_out};
