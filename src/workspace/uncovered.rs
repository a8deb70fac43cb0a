//! Files that no snapshot contains although the agent's events name them as changed. An undo cannot restore them.

use std::collections::BTreeSet;

use super::{
    git_error::GitError,
    git_paths::nul_separated,
    named::{NamedFiles, named_paths},
    shadow::Shadow,
};
use crate::task::{ChangedPath, GitPath, Omission, OmissionReason};

/// The working directory of git, at the beginning of a path.
const PREFIX: &[u8] = b"./";

/// Maximum number of files for which git is asked.
const MAX_ASKED: usize = 1_000;

/// The files among `named` that the last two snapshots of this shadow do not cover, in the order of their paths.
/// `changed` are those that differ between the snapshots.
pub(super) fn uncovered(
    shadow: &Shadow,
    named: &NamedFiles,
    changed: &[ChangedPath],
) -> Result<Vec<Omission>, GitError> {
    let covered: BTreeSet<&GitPath> = changed.iter().flat_map(ChangedPath::both_paths).collect();
    let (mut found, mut unclear) = (Vec::new(), Vec::new());
    for path in named_paths(shadow.place(), named).into_iter().filter(|path| !covered.contains(path)) {
        match shadow.earlier.omission_of(path.as_bytes()) {
            Some(reason) => found.push(Omission { path, reason }),
            None => unclear.push(path),
        }
    }
    unclear.truncate(MAX_ASKED);
    let ignored = ignored(shadow, &unclear)?;
    let is_ignored = |path: &GitPath| ignored.contains(path) || shadow.earlier.ignored.find(path.as_bytes()).is_some();
    let (ignored, unclear): (Vec<_>, Vec<_>) = unclear.into_iter().partition(is_ignored);
    found.extend(ignored.into_iter().map(|path| Omission { path, reason: OmissionReason::Ignored }));
    // No untracked file is covered.
    if let Some(reason @ OmissionReason::TooMany { .. }) = shadow.earlier.omitted.get(&b"."[..]) {
        let tracked = tracked(shadow, &unclear)?;
        let exists = |path: &GitPath| shadow.place().top.join(path.as_path()).symlink_metadata().is_ok();
        let untracked = unclear.into_iter().filter(|path| !tracked.contains(path) && exists(path));
        found.extend(untracked.map(|path| Omission { path, reason: *reason }));
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Those of these files that git ignores now.
fn ignored(shadow: &Shadow, paths: &[GitPath]) -> Result<BTreeSet<GitPath>, GitError> {
    if paths.is_empty() {
        return Ok(BTreeSet::new());
    }
    // The command refuses literal path specifications. With this prefix, no name is anything else.
    let names: Vec<Vec<u8>> = paths.iter().map(|path| [PREFIX, path.as_bytes()].concat()).collect();
    let command = shadow.command(["check-ignore", "-z", "--stdin"]).env("GIT_LITERAL_PATHSPECS", "0");
    let answer = command.stdin(nul_separated(&names)).output()?;
    // It fails if a path leads through a symbolic link. Its answers until then are right.
    let names = answer.stdout.split(|byte| *byte == 0).filter_map(|path| path.strip_prefix(PREFIX));
    Ok(names.map(GitPath::from_bytes).collect())
}

/// Those of these files that are in the snapshot.
fn tracked(shadow: &Shadow, paths: &[GitPath]) -> Result<BTreeSet<GitPath>, GitError> {
    if paths.is_empty() {
        return Ok(BTreeSet::new());
    }
    let listed = shadow.command(["ls-files", "-z", "--"]).args(paths.iter().map(|path| path.as_path()));
    let listed = listed.run()?;
    Ok(listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()).map(GitPath::from_bytes).collect())
}

#[cfg(test)]
mod tests {
    use connector_api::FileChangeKind;

    use super::*;
    use crate::workspace::scratch_tests::{MAX_FILE, Scratch, after, before};

    #[test]
    fn files_that_the_agent_names_and_no_snapshot_contains_are_found() {
        let scratch = Scratch::new();
        scratch.write(".gitignore", "*.log\n.env\n");
        scratch.write(".env", "SECRET=1\n");
        scratch.write("key.pem", "secret\n");
        scratch.write("nested/file", "nested\n");
        scratch.git_in(&scratch.top.join("nested"), &["init", "-q"]);
        let mut shadow = scratch.shadow();
        let first = before(&mut shadow);
        let paths = [".env", "key.pem", "nested/file", ":new.log", "large", "a.txt", "dir/b.txt"];
        for path in &paths[..6] {
            scratch.write(path, "changed\n");
        }
        scratch.write("large", vec![b'x'; MAX_FILE as usize + 1]);
        let second = after(&mut shadow, &first.commit);
        let changed =
            super::super::changed_paths(&shadow, &first.commit, &second.commit, None).expect("they are commits");
        let named: NamedFiles = paths.iter().map(|path| (path.into(), FileChangeKind::Updated)).collect();
        let found = uncovered(&shadow, &named, &changed).expect("git answers");
        let large = OmissionReason::TooLarge { bytes: MAX_FILE + 1 };
        let expected = [
            (".env", OmissionReason::Ignored),
            (":new.log", OmissionReason::Ignored),
            ("key.pem", OmissionReason::Secret),
            ("large", large),
            ("nested/file", OmissionReason::NestedRepository),
        ];
        let expected = expected.map(|(path, reason)| Omission { path: GitPath::from_bytes(path), reason });
        assert_eq!(found, expected, "`a.txt` is covered, and `dir/b.txt` is unchanged");
    }
}
