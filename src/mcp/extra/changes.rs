//! The optional tools about a task's changes: diff, undo, apply.

use crate::{
    broker::{ApplyRequest, Broker, DiffContent, PathSelection, UndoRequest},
    mcp::answer::CallAnswer,
    present::{
        Refused,
        operations::{self, PatchPart},
    },
    request::{ApplyCall, DiffCall, PatchRange, RawArguments, UndoCall},
    store::ByteRange,
};

/// `codex_diff`: the changed files, and a part of the patch.
pub(super) async fn diff(broker: &Broker, raw: RawArguments) -> Result<CallAnswer, Refused> {
    let DiffCall { id, paths, range, remarks } = DiffCall::read(raw)?;
    let form = match range {
        PatchRange::Nothing => DiffContent::Files,
        PatchRange::From { .. } => DiffContent::ShownPatch,
    };
    let (diff, patch) = broker.diff(&id, PathSelection::of(paths), form).await?;
    let part = match (range, patch) {
        (PatchRange::From { offset, length }, Some(mut patch)) => {
            let chunk =
                patch.chunk(ByteRange { offset, length }).map_err(|problem| broker.patch_unreadable(&id, &problem))?;
            Some(PatchPart { text: chunk.text, offset, next: chunk.next, size: chunk.size })
        }
        (PatchRange::Nothing, _) | (PatchRange::From { .. }, None) => None,
    };
    Ok(CallAnswer::served(operations::diff(&diff, part.as_ref())).with_notices(remarks))
}

/// `codex_undo`: reverts what a task changed, or makes it again.
pub(super) async fn undo(broker: &Broker, raw: RawArguments) -> Result<CallAnswer, Refused> {
    let UndoCall { id, paths, all, check, redo } = UndoCall::read(raw)?;
    let result = match redo {
        true => broker.redo(&id, check).await?,
        false => broker.undo(&id, UndoRequest { paths: PathSelection::of(paths), all, check }).await?,
    };
    Ok(CallAnswer::served(operations::operation(&id, &result)))
}

/// `codex_apply`: writes the changes of a task's worktree to the user's files, or to a new branch.
pub(super) async fn apply(broker: &Broker, raw: RawArguments) -> Result<CallAnswer, Refused> {
    let ApplyCall { id, paths, check, branch } = ApplyCall::read(raw)?;
    let request = ApplyRequest { paths: PathSelection::of(paths), check, branch };
    let result = broker.apply(&id, request).await?;
    Ok(CallAnswer::served(operations::operation(&id, &result)))
}
