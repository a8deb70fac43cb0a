//! The parameters of the optional tools that show, undo and apply a task's changes.

use std::path::PathBuf;

use super::{
    RawArguments,
    arguments::{Arguments, WholeNumber},
    four::task_id,
};
use crate::{
    present::{self, Refused},
    task::{Message, TaskId},
};

/// Maximum number of paths in one call.
const MAX_PATHS: usize = 100;

/// Maximum number of bytes of a patch in one answer. Escapes and the list of files make the answer longer.
const MAX_BYTES: u64 = 30_000;

/// Default number of bytes of a patch in one answer.
const DEFAULT_BYTES: u64 = 20_000;

/// `codex_diff`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DiffCall {
    pub(crate) id: TaskId,
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) range: PatchRange,
    pub(crate) remarks: Vec<Message>,
}

/// The part of the patch that a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatchRange {
    /// None of it.
    Nothing,
    /// At most `length` bytes from byte `offset`.
    From { offset: u64, length: u64 },
}

/// `codex_undo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UndoCall {
    pub(crate) id: TaskId,
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) all: bool,
    pub(crate) check: bool,
    pub(crate) redo: bool,
}

/// `codex_apply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApplyCall {
    pub(crate) id: TaskId,
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) check: bool,
    pub(crate) branch: Option<String>,
}

impl DiffCall {
    pub(crate) fn read(raw: RawArguments) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_diff", raw, &["taskId", "paths", "filesOnly", "offset", "length"])?;
        let id = task_id(&mut arguments)?;
        let paths = paths(&mut arguments)?;
        let offset = match arguments.whole_number("offset", 0)? {
            None => 0,
            Some(WholeNumber::Small(offset)) => offset,
            Some(WholeNumber::Huge(_)) => u64::MAX,
        };
        let mut remarks = vec![];
        let length = match arguments.whole_number("length", 1)? {
            None => DEFAULT_BYTES,
            Some(WholeNumber::Small(length)) if length <= MAX_BYTES => length,
            Some(WholeNumber::Small(_) | WholeNumber::Huge(_)) => {
                remarks.push(present::arguments::clamped_to("length", MAX_BYTES));
                MAX_BYTES
            }
        };
        let range = match arguments.flag("filesOnly")?.unwrap_or(false) {
            true => PatchRange::Nothing,
            // Every piece must hold at least one character, or the caller would never advance.
            false => PatchRange::From { offset, length: length.max(4) },
        };
        Ok(Self { id, paths, range, remarks })
    }
}

impl UndoCall {
    pub(crate) fn read(raw: RawArguments) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_undo", raw, &["taskId", "paths", "all", "check", "redo"])?;
        let call = Self {
            id: task_id(&mut arguments)?,
            paths: paths(&mut arguments)?,
            all: arguments.flag("all")?.unwrap_or(false),
            check: arguments.flag("check")?.unwrap_or(false),
            redo: arguments.flag("redo")?.unwrap_or(false),
        };
        // A redo covers what the undo covered.
        if call.redo && (call.all || !call.paths.is_empty()) {
            return Err(present::arguments::redo_takes_no_selection());
        }
        Ok(call)
    }
}

impl ApplyCall {
    pub(crate) fn read(raw: RawArguments) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_apply", raw, &["taskId", "paths", "check", "commit"])?;
        Ok(Self {
            id: task_id(&mut arguments)?,
            paths: paths(&mut arguments)?,
            check: arguments.flag("check")?.unwrap_or(false),
            branch: arguments.text("commit")?,
        })
    }
}

fn paths(arguments: &mut Arguments) -> Result<Vec<PathBuf>, Refused> {
    Ok(arguments.texts("paths", MAX_PATHS)?.into_iter().map(PathBuf::from).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(value: serde_json::Value) -> RawArguments {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn a_diff_without_a_range_reads_the_beginning_of_the_patch() {
        let call = DiffCall::read(raw(json!({"taskId": "1a2b3c4d", "paths": ["a", "b/c"]}))).expect("valid arguments");
        assert_eq!(call.range, PatchRange::From { offset: 0, length: 20_000 });
        assert_eq!(call.paths, [PathBuf::from("a"), PathBuf::from("b/c")]);
        let call = DiffCall::read(raw(json!({"taskId": "1a2b3c4d", "length": 1e9}))).expect("valid arguments");
        assert_eq!((call.range, call.remarks.len()), (PatchRange::From { offset: 0, length: 30_000 }, 1));
        let call = DiffCall::read(raw(json!({"taskId": "1a2b3c4d", "filesOnly": "true"}))).expect("valid arguments");
        assert_eq!(call.range, PatchRange::Nothing);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for arguments in [
            json!({"paths": ["a"]}),
            json!({"taskId": "1a2b3c4d", "paths": "a"}),
            json!({"taskId": "1a2b3c4d", "paths": [""]}),
            json!({"taskId": "1a2b3c4d", "paths": [1]}),
            json!({"taskId": "1a2b3c4d", "paths": vec!["a"; 101]}),
            json!({"taskId": "1a2b3c4d", "redo": true, "all": true}),
            json!({"taskId": "1a2b3c4d", "redo": true, "paths": ["a"]}),
        ] {
            assert!(UndoCall::read(raw(arguments.clone())).is_err(), "{arguments}");
        }
    }
}
