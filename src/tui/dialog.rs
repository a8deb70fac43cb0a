//! Text above the list and the task: the help, commands to copy, and actions that have to be confirmed.

use super::document::Document;
use crate::{
    present::terminal::{Line, top::TopAction},
    task::TaskId,
};

/// A dialog.
#[derive(Debug)]
pub(super) struct Dialog {
    pub(super) title: String,
    pub(super) kind: DialogKind,
    pub(super) document: Document,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DialogKind {
    /// Something to read.
    Text,
    /// An action on a task.
    Action { request: ActionRequest, phase: Phase },
}

/// An action on a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionRequest {
    pub(super) action: TopAction,
    pub(super) id: TaskId,
}

/// How far an action has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is being found out what it would do.
    Checking,
    /// It can be confirmed.
    Ready,
    /// It runs.
    Acting,
    /// It is over, or refused.
    Over,
}

impl Dialog {
    /// A text to read.
    pub(super) fn text(title: &str, lines: Vec<Line>) -> Self {
        Self { title: title.to_owned(), kind: DialogKind::Text, document: Document::new(lines) }
    }

    /// The action that the dialog is about.
    pub(super) fn action(&self) -> Option<(&ActionRequest, Phase)> {
        match &self.kind {
            DialogKind::Text => None,
            DialogKind::Action { request, phase } => Some((request, *phase)),
        }
    }

    /// Continues with an action: another phase, and what is to be said about it.
    pub(super) fn advance(&mut self, next: Phase, lines: Vec<Line>) {
        if let DialogKind::Action { phase, .. } = &mut self.kind {
            *phase = next;
            self.document = Document::new(lines);
        }
    }
}
