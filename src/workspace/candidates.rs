//! Finds out which files a snapshot has to read.
//!
//! Tracked files come from `git diff-files`, which compares only times and sizes, and untracked ones from `git ls-files`.
//! Neither enters a nested repository or a submodule. (`git add` and `git status` would run `git status` in a submodule,
//! with the submodule's configuration.)

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    thread,
};

use super::{
    git_error::GitError,
    git_paths::as_path,
    guards::{MAX_TRACKED_BYTES, is_secret, is_too_much, unfit},
    hidden::{Revealed, reveal_hidden},
    ignored_before::Ignored,
    permissions::{NarrowModes, narrow_mode},
    shadow::Shadow,
};
use crate::task::{GitPath, Omission, OmissionReason};

/// The mode of a submodule in git's output.
const SUBMODULE: &[u8] = b"160000";

/// The changes to make in the index, and the files that are left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    /// Files whose content is to be taken.
    pub(super) changed: BTreeSet<Vec<u8>>,
    /// The files among them that are not in the index.
    pub(super) untracked: BTreeSet<Vec<u8>>,
    /// Paths to be removed from the index.
    pub(super) removed: BTreeSet<Vec<u8>>,
    /// Paths with a merge conflict in the index. If their content cannot be taken, they are removed.
    pub(super) unmerged: BTreeSet<Vec<u8>>,
    /// Files that are left out.
    pub(super) omitted: BTreeMap<Vec<u8>, OmissionReason>,
    /// Whether the sparse checkout leaves out files.
    pub(super) is_sparse: bool,
    /// Permissions of files that are narrower than git's. Known only for the first of the snapshots that are compared.
    pub(super) modes: NarrowModes,
    /// Files and directories that are ignored now. Listed only for the first of the snapshots that are compared.
    pub(super) ignored: Option<Ignored>,
}

impl Candidates {
    /// The omissions for a record.
    pub(super) fn omissions(&self) -> Vec<Omission> {
        let omission = |(path, reason): (&Vec<u8>, &OmissionReason)| Omission {
            path: GitPath::from_bytes(path.clone()),
            reason: *reason,
        };
        self.omitted.iter().map(omission).collect()
    }

    /// Leaves out a path. If it is tracked, the index keeps its content.
    pub(super) fn omit(&mut self, path: &[u8], reason: OmissionReason) {
        self.changed.remove(path);
        self.untracked.remove(path);
        if self.unmerged.contains(path) {
            self.removed.insert(path.to_owned());
        }
        self.omitted.insert(path.to_owned(), reason);
    }
}

/// Lists the candidates for a shadow's next snapshot.
pub(super) fn candidates(shadow: &Shadow) -> Result<Candidates, GitError> {
    let tracked = shadow.command(["diff-files", "--raw", "-z", "--ignore-submodules=all"]);
    let untracked = shadow.command(["ls-files", "-z", "--others", "--exclude-standard"]);
    let (tracked, untracked, ignored) = thread::scope(|scope| {
        let tracked = scope.spawn(|| {
            let (changed, revealed) = thread::scope(|scope| {
                let changed = scope.spawn(|| tracked.clone().run());
                let can_be_hidden = shadow.earlier.last.is_none() || shadow.earlier.is_sparse;
                let revealed = if can_be_hidden { reveal_hidden(shadow)? } else { Revealed::default() };
                let changed = (!revealed.is_changed).then(|| changed.join()).and_then(Result::ok);
                Ok::<_, GitError>((changed.transpose()?, revealed))
            })?;
            Ok::<_, GitError>((changed.map_or_else(|| tracked.clone().run(), Ok)?, revealed))
        });
        let ignored = scope
            .spawn(|| shadow.earlier.needs_ignored().then(|| Ignored::list(shadow.command(["ls-files"]))).transpose());
        let untracked = untracked.run();
        let unexpected = |command: &str| GitError::Unexpected { command: command.into() };
        let tracked = tracked.join().unwrap_or_else(|_| Err(unexpected("diff-files")));
        (tracked, untracked, ignored.join().unwrap_or_else(|_| Err(unexpected("ls-files"))))
    });
    let (tracked, Revealed { is_sparse, modes, .. }) = tracked?;
    let mut candidates = Candidates { ignored: ignored?, is_sparse, modes, ..Candidates::default() };
    add_tracked(shadow, &tracked, &mut candidates)?;
    add_untracked(shadow, &untracked?, &mut candidates);
    add_submodules(shadow, &mut candidates)?;
    Ok(candidates)
}

/// Adds the files that differ from the index, from the output of `git diff-files --raw -z`.
fn add_tracked(shadow: &Shadow, output: &[u8], candidates: &mut Candidates) -> Result<(), GitError> {
    let mut parts = output.split(|byte| *byte == 0);
    while let (Some(head), Some(path)) = (parts.next(), parts.next()) {
        // `:100644 100755 <object> <object> M`
        let words: Vec<&[u8]> = head.split(|byte| *byte == b' ').collect();
        let [old_mode, new_mode, _, _, status] = words[..] else {
            return Err(GitError::Unexpected { command: "diff-files".into() });
        };
        if old_mode.strip_prefix(b":") == Some(SUBMODULE) {
            continue;
        }
        if status == b"U" {
            candidates.unmerged.insert(path.to_owned());
        }
        let is_missing = status == b"D";
        let full = shadow.place().top.join(as_path(path));
        let is_ours = shadow.earlier.untracked.contains(path);
        let limit = if is_ours { shadow.max_file } else { MAX_TRACKED_BYTES };
        match fs::symlink_metadata(&full) {
            _ if is_missing => drop(candidates.removed.insert(path.to_owned())),
            Ok(file) if file.is_dir() => {
                candidates.removed.insert(path.to_owned());
                if new_mode == SUBMODULE {
                    candidates.omitted.insert(path.to_owned(), OmissionReason::NestedRepository);
                }
            }
            Ok(file) => match unfit(&full, &file, limit) {
                Some(reason) => candidates.omit(path, reason),
                None => drop(candidates.changed.insert(path.to_owned())),
            },
            Err(error) if is_gone(error.kind()) => drop(candidates.removed.insert(path.to_owned())),
            Err(_) => candidates.omit(path, OmissionReason::Unreadable),
        }
    }
    Ok(())
}

/// Adds untracked files, from the output of `git ls-files --others -z`.
fn add_untracked(shadow: &Shadow, output: &[u8], candidates: &mut Candidates) {
    let (mut files, mut bytes) = (0, 0);
    let mut found = BTreeSet::new();
    for path in output.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        if let Some(ignored) = shadow.earlier.ignored.find(path) {
            candidates.omitted.insert(ignored.to_owned(), OmissionReason::WasIgnored);
            continue;
        }
        if let Some(repository) = path.strip_suffix(b"/") {
            candidates.omitted.insert(repository.to_owned(), OmissionReason::NestedRepository);
            continue;
        }
        let full = shadow.place().top.join(as_path(path));
        let file = match fs::symlink_metadata(&full) {
            Ok(file) => file,
            Err(error) if is_gone(error.kind()) => continue,
            Err(_) => {
                candidates.omitted.insert(path.to_owned(), OmissionReason::Unreadable);
                continue;
            }
        };
        let earlier = shadow.earlier.omission_of(path);
        let secret = is_secret(path).then_some(OmissionReason::Secret);
        let reason = secret.or_else(|| unfit(&full, &file, shadow.max_file)).or(earlier);
        if let Some(reason) = reason {
            candidates.omitted.insert(path.to_owned(), reason);
            continue;
        }
        if let Some(mode) = narrow_mode(&file).filter(|_| !shadow.earlier.exists) {
            candidates.modes.insert(path.to_owned(), mode);
        }
        files += 1;
        bytes += file.len();
        found.insert(path.to_owned());
    }
    if is_too_much(files, bytes) || shadow.earlier.is_tracked_only && files > 0 {
        candidates.omitted.insert(b".".to_vec(), OmissionReason::TooMany { files, bytes });
    } else {
        candidates.changed.extend(found.iter().cloned());
        candidates.untracked = found;
    }
}

/// Lists the submodules that contain files: what happens in them is not covered.
fn add_submodules(shadow: &Shadow, candidates: &mut Candidates) -> Result<(), GitError> {
    // Without this file there are normally none, and listing all files of a large repository takes time.
    if !shadow.place().top.join(".gitmodules").symlink_metadata().is_ok_and(|file| file.is_file()) {
        return Ok(());
    }
    let listing = shadow.command(["ls-files", "-z", "--stage"]).run()?;
    for entry in listing.split(|byte| *byte == 0).filter(|entry| entry.starts_with(SUBMODULE)) {
        let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else { continue };
        let path = &entry[tab + 1..];
        let directory = shadow.place().top.join(as_path(path));
        if fs::read_dir(directory).is_ok_and(|mut files| files.next().is_some()) {
            candidates.omitted.insert(path.to_owned(), OmissionReason::NestedRepository);
        }
    }
    Ok(())
}

fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}
