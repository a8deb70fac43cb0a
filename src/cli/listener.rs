//! Shared by `notify` and `notify --follow`: the listener, and redaction of reported texts.

use std::path::PathBuf;

use crate::{
    config::Config,
    directory::repository_of,
    process::claude_window,
    redact::Redactor,
    store::{ListenedDirectory, Listener},
};

/// The listener in this session. With `here`, of tasks that other sessions started, it listens only to those in this
/// directory's repository or below it. `wakes` is whether its announcements wake an idle session.
pub(super) fn listener(session: Option<String>, here: Option<PathBuf>, wakes: bool) -> Listener {
    let listened = |here: PathBuf| {
        let directory = here.canonicalize().unwrap_or(here);
        ListenedDirectory { repository: repository_of(&directory), directory }
    };
    Listener { session, window: claude_window(), here: here.map(listened), wakes }
}

/// Redacts the texts of records.
pub(super) fn redactor(config: &Config) -> Redactor {
    if config.policy.redact { Redactor::of(std::env::vars_os()) } else { Redactor::default() }
}
