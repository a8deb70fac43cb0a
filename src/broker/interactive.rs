//! The command with which a person continues a session in the agent's own terminal interface.

use super::Broker;
use crate::{task::TaskRecord, visible::shell_line};

impl Broker {
    /// A shell command that opens the task's session; `None` if the agent has no such command or no session. It begins
    /// with `cd` if the task's working directory is not the current one.
    pub fn interactive_command(&self, record: &TaskRecord) -> Option<String> {
        let backend = self.backends.get(record.progress.backend.as_ref()?)?;
        let arguments = backend.interactive_args(record.progress.session_id.as_ref()?.raw())?;
        let command = shell_line(std::iter::once(backend.program()).chain(arguments.iter().map(String::as_str)));
        let directory = &record.progress.working_directory;
        let is_here = std::env::current_dir().is_ok_and(|here| here == *directory);
        if is_here || !directory.is_absolute() {
            return Some(command);
        }
        Some(format!("cd {} && {command}", shell_line([&*directory.to_string_lossy()])))
    }
}
