//! The setting `tasks.on_server_exit`.

use serde::Deserialize;

use crate::task::{OnServerExit, SubmittedBy};

/// The effect on running tasks when the server that submitted them exits. Resolved for each task when it is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerExitRule {
    /// Tasks with a handle continue, because clients tell their users so. Other tasks are interrupted.
    Auto,
    /// All tasks are interrupted.
    Interrupt,
    /// All tasks continue.
    Continue,
}

impl ServerExitRule {
    /// The effect on a task that was submitted in this way. A detached task always continues, because the process that
    /// submits it exits at once.
    pub fn resolve(self, by: Option<SubmittedBy>) -> OnServerExit {
        match (self, by) {
            (_, Some(SubmittedBy::Detached))
            | (Self::Auto, Some(SubmittedBy::Handle))
            | (Self::Continue, Some(_) | None) => OnServerExit::Continue,
            (Self::Auto, Some(SubmittedBy::Call | SubmittedBy::Async | SubmittedBy::Terminal) | None)
            | (Self::Interrupt, Some(_) | None) => OnServerExit::Interrupt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_only_tasks_with_a_handle_and_detached_tasks_continue() {
        let continues = |rule: ServerExitRule| {
            let all = [
                Some(SubmittedBy::Call),
                Some(SubmittedBy::Async),
                Some(SubmittedBy::Handle),
                Some(SubmittedBy::Terminal),
                Some(SubmittedBy::Detached),
                None,
            ];
            all.map(|by| rule.resolve(by) == OnServerExit::Continue)
        };
        assert_eq!(continues(ServerExitRule::Auto), [false, false, true, false, true, false]);
        assert_eq!(continues(ServerExitRule::Interrupt), [false, false, false, false, true, false]);
        assert_eq!(continues(ServerExitRule::Continue), [true; 6]);
    }
}
