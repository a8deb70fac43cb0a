//! Leaves out files that existed before the task but were ignored then.
//!
//! If a task changes a `.gitignore`, files that it did not create are no longer ignored. They would seem to be new, and
//! an undo would delete them. So if a `.gitignore` was changed, untracked files are also checked against the rules of
//! the snapshot before.

use std::{fs, io};

use super::{
    candidates::Candidates,
    git_paths::nul_separated,
    shadow::{Shadow, ShadowError},
};
use crate::task::OmissionReason;

const NAME: &[u8] = b".gitignore";

/// Omits the untracked candidates that the rules in the shadow's index ignore. The index must be that of the snapshot
/// before.
pub(super) fn omit_formerly_ignored(shadow: &Shadow, candidates: &mut Candidates) -> Result<(), ShadowError> {
    let is_rule = |path: &&Vec<u8>| path.rsplit(|byte| *byte == b'/').next() == Some(NAME);
    let are_changed = candidates.changed.iter().chain(&candidates.removed).any(|path| is_rule(&path));
    if !shadow.earlier.exists || candidates.untracked.is_empty() || !are_changed {
        return Ok(());
    }
    let rules = shadow.dir().join("rules");
    let failed = |source| ShadowError::File { action: "write the shadow repository", source };
    match fs::remove_dir_all(&rules) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed.map_err(failed)?,
    }
    fs::create_dir(&rules).map_err(failed)?;
    let list = shadow.command(["ls-files", "-z", "--", ":(glob)**/.gitignore"]).env("GIT_LITERAL_PATHSPECS", "0");
    let files = list.run()?;
    let mut prefix = std::ffi::OsString::from("--prefix=");
    prefix.push(&rules);
    prefix.push("/");
    shadow.command(["checkout-index", "-f", "-z", "--stdin"]).arg(prefix).stdin(files).run()?;
    let question = shadow.command(["check-ignore", "--no-index", "-z", "--stdin"]).work_tree(&rules);
    let question = question.env("GIT_LITERAL_PATHSPECS", "0").stdin(nul_separated(&candidates.untracked));
    // Code 1 means that none is ignored.
    let answer = question.output()?;
    let answer = if answer.code == 1 { Vec::new() } else { answer.success("check-ignore")? };
    for path in answer.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        candidates.omit(path, OmissionReason::WasIgnored);
    }
    Ok(())
}
