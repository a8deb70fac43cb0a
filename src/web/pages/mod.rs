//! Reads what a page shows, through the broker, and calls its template.
//!
//! A page is complete HTML. Its fragments are the contents of the elements that change while it is open.

mod confirm;
mod task;
mod tasks;
mod usage;

use chrono::{DateTime, FixedOffset, Local, Utc};

pub(crate) use confirm::confirm;
pub(crate) use task::{task, task_fragments};
pub(crate) use tasks::{tasks, tasks_fragments};
pub(crate) use usage::usage;

pub(crate) use crate::present::web::{check, problem, signed_out};

/// A time in the time zone of this machine.
pub(crate) fn local_time(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    at.with_timezone(&Local).fixed_offset()
}
