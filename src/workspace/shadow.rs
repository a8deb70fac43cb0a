//! A shadow repository.
//!
//! ```text
//! SHADOW/HEAD  config        ours; the configuration consists of the frozen settings
//! SHADOW/index sharedindex.* copies of the user's, with their times, so that unchanged files are not read again
//! SHADOW/info/*              copies of exclude, attributes and sparse-checkout
//! SHADOW/objects             new objects; `info/alternates` names the user's
//! SHADOW/empty               the directory in which filters run
//! ```

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    copying::{copy_index, copy_small},
    filters::FILTER_DIRECTORY,
    git::{Git, GitCommand},
    git_error::GitError,
    ignored_before::Ignored,
    permissions::NarrowModes,
    publishing::publish,
    settings::{config_text, user_file},
};
use crate::{
    process::Deadline,
    task::{FrozenSettings, ObjectId, Omission, OmissionReason, Place, TaskId},
};

/// The snapshot that a later one is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Its commit.
    pub commit: ObjectId,
    /// Existing files that it does not contain.
    pub omitted: Vec<Omission>,
}

/// A shadow repository: a git directory of our own for the user's work tree.
#[derive(Debug)]
pub struct Shadow {
    git: Git,
    place: Place,
    settings: FrozenSettings,
    dir: PathBuf,
    pub(super) max_file: u64,
    /// The content of files that were copied into the worktree. No snapshot contains a new file with it.
    pub(super) copied_content: Vec<ObjectId>,
    /// The state left by earlier snapshots. Empty before the first one.
    pub(super) earlier: Earlier,
}

/// Facts that a snapshot needs about the ones before it.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// Whether there is one.
    pub(super) exists: bool,
    /// The commit and the tree of the last one that this shadow took.
    pub(super) last: Option<(ObjectId, ObjectId)>,
    /// The paths that it does not contain although they existed.
    pub(super) omitted: HashMap<Vec<u8>, OmissionReason>,
    /// Whether it contains no untracked files, because there were too many.
    pub(super) is_tracked_only: bool,
    /// The paths in it that the user does not track.
    pub(super) untracked: HashSet<Vec<u8>>,
    /// The files and directories that were ignored at the first snapshot of those that are compared.
    pub(super) ignored: Ignored,
    /// Whether the sparse checkout leaves out files.
    pub(super) is_sparse: bool,
    /// The permissions narrower than git's at that snapshot.
    pub(super) modes: NarrowModes,
}

impl Earlier {
    /// Whether the next snapshot is the first of those that are compared.
    pub(super) fn needs_ignored(&self) -> bool {
        !self.exists
    }

    /// Remembers what a snapshot omitted.
    pub(super) fn add_omitted(&mut self, omitted: &[Omission]) {
        self.exists = true;
        for omission in omitted {
            self.is_tracked_only |= matches!(omission.reason, OmissionReason::TooMany { .. });
            self.omitted.insert(omission.path.as_bytes().to_vec(), omission.reason);
        }
    }

    /// Why an earlier snapshot did not contain this path, if it existed then.
    pub(super) fn omission_of(&self, path: &[u8]) -> Option<OmissionReason> {
        let is_directory =
            |reason: &&OmissionReason| matches!(reason, OmissionReason::NestedRepository | OmissionReason::WasIgnored);
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut parents = slashes.map(|(at, _)| &path[..at]);
        let inside = || parents.find_map(|parent| self.omitted.get(parent).filter(is_directory));
        self.omitted.get(path).or_else(inside).copied()
    }
}

impl Shadow {
    /// Makes a shadow repository in `dir`, an empty directory that only this user can read. The caller removes it.
    ///
    /// With a `base`, the next snapshot covers all files of that snapshot, even if they are ignored now, and none
    /// that it omits. `max_file` is the size limit of an untracked file, in bytes.
    pub fn create(
        git: &Git,
        place: &Place,
        settings: &FrozenSettings,
        base: Option<Base>,
        max_file: u64,
        dir: &Path,
    ) -> Result<Self, ShadowError> {
        let shadow = Self {
            git: git.clone(),
            place: place.clone(),
            settings: settings.clone(),
            dir: dir.to_owned(),
            max_file,
            copied_content: Vec::new(),
            earlier: Earlier::default(),
        };
        shadow.write_files()?;
        let has_index = copy_index(&place.git_dir, dir).unwrap_or(false);
        match base {
            Some(base) => {
                if !has_index || shadow.command(["read-tree", "--reset", base.commit.as_str()]).run().is_err() {
                    shadow.read_tree(&base.commit)?;
                }
                let mut shadow = shadow;
                shadow.earlier.add_omitted(&base.omitted);
                Ok(shadow)
            }
            None => {
                if !has_index {
                    shadow.reset_index()?;
                }
                Ok(shadow)
            }
        }
    }

    fn write_files(&self) -> Result<(), ShadowError> {
        let failed = |source| ShadowError::File { action: "write the shadow repository", source };
        for directory in ["objects/info", "objects/pack", "refs", "info", "empty"] {
            fs::create_dir_all(self.dir.join(directory)).map_err(failed)?;
        }
        let write = |name: &str, text: &[u8]| fs::write(self.dir.join(name), text).map_err(failed);
        write("HEAD", b"ref: refs/heads/none\n")?;
        let alternates = alternates_line(&self.place.common_dir.join("objects"));
        write("objects/info/alternates", &alternates)?;
        let (git_dir, common_dir) = (&self.place.git_dir, &self.place.common_dir);
        for (from, name) in [
            (common_dir, "info/exclude"),
            (common_dir, "info/attributes"),
            (git_dir, "info/sparse-checkout"),
            (common_dir, "shallow"),
        ] {
            copy_small(&from.join(name), &self.dir.join(name)).map_err(failed)?;
        }
        // git-crypt has its keys there.
        let keys = common_dir.join("git-crypt");
        if keys.is_dir() {
            std::os::unix::fs::symlink(keys, self.dir.join("git-crypt")).map_err(failed)?;
        }
        let (excludes, attributes) = (self.dir.join("info/user-excludes"), self.dir.join("info/user-attributes"));
        for (key, name, copy) in
            [("core.excludesfile", "ignore", &excludes), ("core.attributesfile", "attributes", &attributes)]
        {
            if let Some(file) = user_file(&self.git, &self.settings, key, name, &self.place.top) {
                copy_small(&file, copy).map_err(failed)?;
            }
        }
        let files = [("core.excludesfile", excludes.as_path()), ("core.attributesfile", attributes.as_path())];
        write("config", &config_text(&self.settings, &self.place, &files))
    }

    /// A command in the shadow repository, on the user's work tree, with the shadow's index and the frozen settings.
    pub fn command<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> GitCommand {
        let command = self.git.command(args).git_dir(&self.dir).work_tree(&self.place.top).index(&self.index());
        command.without_user_settings().env(FILTER_DIRECTORY, self.dir.join("empty"))
    }

    /// The same without a work tree, for commands on objects only.
    pub fn object_command<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> GitCommand {
        self.git.command(args).git_dir(&self.dir).directory(&self.dir).without_user_settings()
    }

    /// The directory of the shadow repository. Temporary files may be made in it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The shadow's index. After a snapshot, it has exactly the content of that snapshot.
    pub fn index(&self) -> PathBuf {
        self.dir.join("index")
    }

    /// The place that it belongs to.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The git that it uses.
    pub fn git(&self) -> &Git {
        &self.git
    }

    /// The frozen settings.
    pub fn settings(&self) -> &FrozenSettings {
        &self.settings
    }

    /// Gives all further commands a new deadline.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.git = self.git.with_deadline(deadline);
    }

    /// Puts this marker on the processes of all further commands, by which they can be found.
    pub(super) fn set_marker(&mut self, marker: &TaskId) {
        self.git = self.git.for_task(marker);
    }

    /// Moves all new objects into the user's repository. Nothing there is overwritten.
    pub fn publish(&self) -> Result<(), ShadowError> {
        let to = self.place.common_dir.join("objects");
        let failed = |source| ShadowError::File { action: "store the snapshot in the repository", source };
        publish(&self.dir.join("objects"), &to).map_err(failed)
    }

    /// Replaces the index by the user's HEAD, or by an empty one if there is no commit yet.
    pub(super) fn reset_index(&self) -> Result<(), GitError> {
        match super::place::head(&self.git, &self.place)?.commit {
            Some(commit) => self.read_tree(&commit),
            None => self.command(["read-tree", "--empty"]).run().map(drop),
        }
    }

    /// Replaces the index by a tree, without information on the files of the work tree.
    fn read_tree(&self, tree: &ObjectId) -> Result<(), GitError> {
        // An existing index is unusable here.
        let _ = fs::remove_file(self.index());
        self.command(["read-tree", tree.as_str()]).run().map(drop)
    }
}

/// The line for a directory in `objects/info/alternates`. Quoted like a C string if necessary.
fn alternates_line(objects: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let path = objects.as_os_str().as_bytes();
    let mut line = Vec::new();
    if path.iter().any(|byte| *byte == b'\n' || *byte == b'"') {
        line.push(b'"');
        for byte in path {
            match byte {
                b'"' | b'\\' => line.extend([b'\\', *byte]),
                b'\n' => line.extend(b"\\n"),
                _ => line.push(*byte),
            }
        }
        line.push(b'"');
    } else {
        line.extend(path);
    }
    line.push(b'\n');
    line
}

/// A shadow repository could not be made or published.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// A file of the shadow or of the user's repository could not be read or written.
    #[error("cannot {action}: {source}")]
    File {
        /// The step that failed.
        action: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}
