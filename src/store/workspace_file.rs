//! Reading the workspace file of a task, and setting a damaged one aside.

use std::path::PathBuf;

use super::{
    aside::set_aside,
    error::StoreError,
    layout::Layout,
    notices::{Damage, Notices},
    records,
};
use crate::task::{TaskId, TaskWorkspace, WORKSPACE_FORMAT};

/// The workspace of a task; reports damage.
pub(super) fn read(layout: &Layout, notices: &Notices, id: &TaskId) -> Result<Option<TaskWorkspace>, StoreError> {
    let Some(content) = records::read_raw(&layout.workspace(id))? else { return Ok(None) };
    let workspace = parse(id, &content);
    if workspace.is_none() {
        notices.report(Damage::Workspace(id.clone()));
    }
    Ok(workspace)
}

/// Parses the workspace of this task. Returns `None` if it is damaged, another task's, or from a later version.
fn parse(id: &TaskId, content: &[u8]) -> Option<TaskWorkspace> {
    let is_known = |workspace: &TaskWorkspace| workspace.task == *id && workspace.format <= WORKSPACE_FORMAT;
    serde_json::from_slice(content).ok().filter(is_known)
}

/// Sets a damaged workspace file aside, unless it was replaced meanwhile or is from a later version. Returns its new
/// path.
pub(super) fn set_damaged_aside(layout: &Layout, id: &TaskId) -> Result<Option<PathBuf>, StoreError> {
    let path = layout.workspace(id);
    let Some(content) = records::read_raw(&path)? else { return Ok(None) };
    if parse(id, &content).is_some() || is_from_later_version(&content) {
        return Ok(None);
    }
    set_aside(&path).map(Some)
}

fn is_from_later_version(content: &[u8]) -> bool {
    let format = serde_json::from_slice::<serde_json::Value>(content).ok().and_then(|value| value["format"].as_u64());
    format.is_some_and(|format| format > u64::from(WORKSPACE_FORMAT))
}
