//! Actions: the verbs of the command line, carried out by the broker. Their results and refusals have the same texts.

use std::path::PathBuf;

use super::{dialog::ActionRequest, state::News};
use crate::{
    broker::{ApplyRequest, Broker, Cancelled, Refusal, UndoRequest},
    present::terminal::{
        self, Line, Screen, Symbols,
        top::{self, TopAction},
    },
    store::{Listener, ReportedBy},
    task::{OperationKind, OperationResult, TaskId, TaskSummary},
};

/// Everything that actions need.
#[derive(Debug, Clone)]
pub(super) struct Actions {
    pub(super) broker: Broker,
    pub(super) symbols: Symbols,
    /// The top of the current work tree.
    pub(super) work_tree: Option<PathBuf>,
    /// To whom the end of a cancelled task is reported.
    pub(super) asker: Listener,
}

impl Actions {
    /// Finds out what an action would do.
    pub(super) async fn check(self, request: ActionRequest) -> News {
        let found = match request.action {
            // Nothing has to be found out.
            TopAction::Cancel => Ok(Vec::new()),
            TopAction::Operate(kind) => {
                let result = self.operate(kind, &request.id, true).await;
                result.map(|result| self.rows(&request.id, &result)).map_err(|refusal| self.problem(&refusal))
            }
        };
        News::Checked { request, found }
    }

    /// Does it.
    pub(super) async fn act(self, request: ActionRequest) -> News {
        let done = match request.action {
            TopAction::Cancel => self.cancel(&request.id).await,
            TopAction::Operate(kind) => {
                self.operate(kind, &request.id, false).await.map(|result| self.rows(&request.id, &result))
            }
        };
        let lines = done.unwrap_or_else(|refusal| self.problem(&refusal));
        News::Done { request, lines }
    }

    async fn operate(&self, kind: OperationKind, id: &TaskId, check: bool) -> Result<OperationResult, Refusal> {
        match kind {
            OperationKind::Undo => self.broker.undo(id, UndoRequest { check, ..UndoRequest::default() }).await,
            OperationKind::Redo => self.broker.redo(id, check).await,
            OperationKind::Apply => self.broker.apply(id, ApplyRequest { check, ..ApplyRequest::default() }).await,
        }
    }

    async fn cancel(&self, id: &TaskId) -> Result<Vec<Line>, Refusal> {
        let (task, had_ended) = match self.broker.cancel(id).await? {
            Cancelled::Ended(record) => (TaskSummary::ended(*record), false),
            Cancelled::HadEnded(record) => (TaskSummary::ended(*record), true),
            Cancelled::Stopping => (self.broker.summary(id).await?, false),
        };
        self.broker.answered(&self.asker, &task.record, ReportedBy::Cancel).await;
        Ok(top::text_rows(&terminal::cancel_line(&task, had_ended, self.screen())))
    }

    fn rows(&self, id: &TaskId, result: &OperationResult) -> Vec<Line> {
        let is_current = self.work_tree.as_ref() == Some(&result.top);
        let notes = terminal::operation_notes(result, is_current);
        let notes = notes.iter().flat_map(|note| top::text_rows(note));
        notes.chain(top::text_rows(&terminal::operation(id, result, self.screen()))).collect()
    }

    fn problem(&self, refusal: &Refusal) -> Vec<Line> {
        top::text_rows(&refusal.explain_for_terminal().redacted(self.broker.redactor()).plain())
    }

    /// A terminal that is so wide that nothing is cut. The dialog breaks long lines.
    fn screen(&self) -> Screen {
        Screen { width: Some(usize::MAX), has_color: false, symbols: self.symbols }
    }
}
