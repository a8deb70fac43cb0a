//! Leaves out files with a filter that must not run.

use super::{candidates::Candidates, git_error::GitError, git_paths::nul_separated, shadow::Shadow};
use crate::task::OmissionReason;

/// Omits the candidates whose attribute `filter` names an unusable one.
pub(super) fn omit_unusable_filters(shadow: &Shadow, candidates: &mut Candidates) -> Result<(), GitError> {
    let unusable = &shadow.settings().unusable_filters;
    if unusable.is_empty() || candidates.changed.is_empty() {
        return Ok(());
    }
    let question = shadow.command(["check-attr", "-z", "--stdin", "filter"]);
    let answer = question.stdin(nul_separated(&candidates.changed)).run()?;
    let mut parts = answer.split(|byte| *byte == 0);
    while let (Some(path), Some(_), Some(filter)) = (parts.next(), parts.next(), parts.next()) {
        if unusable.iter().any(|unusable| unusable.as_bytes() == filter) {
            candidates.omit(path, OmissionReason::Filter);
        }
    }
    Ok(())
}
