//! Prints the results of `undo`, `redo` and `apply`.

use super::{
    context::refused,
    exit::Exit,
    output::{error_text, print_styled, print_text},
};
use crate::{
    broker::{Broker, Refusal},
    directory::is_repository,
    present::{
        json_output::Output,
        terminal::{self, Screen},
    },
    task::{OperationKind, OperationResult, TaskId},
};

/// Prints what an operation did.
pub(super) fn print_result(id: &TaskId, result: &OperationResult, screen: Screen, as_json: bool) -> Exit {
    print_notes(result);
    match as_json {
        true => print_text(&Output::operation(id, result).pretty()),
        false => print_styled(&terminal::operation(id, result, screen)),
    }
}

/// Prints notes about an operation, such as the work tree that it changes, if that is not the current one.
pub(super) fn print_notes(result: &OperationResult) {
    let current = std::env::current_dir().unwrap_or_default();
    let current = current.ancestors().find(|level| is_repository(level));
    let is_current = current.is_some_and(|top| top.canonicalize().is_ok_and(|top| top == result.top));
    terminal::operation_notes(result, is_current).iter().for_each(|note| error_text(note));
}

/// Prints why an operation was refused, as JSON too if there are conflicts or interrupted operations that were completed
/// first, and returns the exit code.
pub(super) fn report(broker: &Broker, id: &TaskId, kind: OperationKind, refusal: &Refusal, as_json: bool) -> Exit {
    let (conflicts, recovered) = (refusal.conflicts(), refusal.recovered());
    if as_json && !(conflicts.is_empty() && recovered.is_empty()) {
        print_text(&Output::refused_operation(id, kind, conflicts, recovered).pretty());
    }
    refused(broker, refusal)
}
