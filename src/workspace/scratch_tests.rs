//! Real repositories for tests.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{Base, Git, Head, Shadow, Snapshot, find_place, head, read_settings};
use crate::{
    process::Deadline,
    task::{ObjectId, Place},
};

/// The size limit of untracked files in tests, in bytes.
pub(super) const MAX_FILE: u64 = 1000;

/// A directory with a home directory `home`, a directory `shadows`, and the repository `repo`, which has one commit with
/// the files `a.txt`, `dir/b.txt` and `.gitignore`. Removed on drop.
pub(super) struct Scratch {
    _dir: tempfile::TempDir,
    pub(super) root: PathBuf,
    /// The top of the work tree.
    pub(super) top: PathBuf,
}

impl Scratch {
    pub(super) fn new() -> Self {
        let scratch = Self::unborn(&[]);
        scratch.write("a.txt", "one\ntwo\nthree\n");
        scratch.write("dir/b.txt", "b\n");
        scratch.write(".gitignore", "*.log\n/build/\n");
        scratch.git(&["add", "-A"]);
        scratch.git(&["commit", "-q", "-m", "first"]);
        scratch
    }

    /// The same without a commit and without files. `options` are those of `git init`.
    pub(super) fn unborn(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let root = dir.path().canonicalize().expect("it exists");
        let top = root.join("repo");
        for directory in ["home", "shadows", "repo"] {
            fs::create_dir(root.join(directory)).expect("it is writable");
        }
        let scratch = Self { _dir: dir, root, top };
        scratch.git(&[&["init", "-q", "-b", "main"], options].concat());
        scratch
    }

    /// The environment of the user.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let identity = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
        let identity = identity.map(|name| (name.into(), "user@example.org".into()));
        let others = [("PATH".into(), path), ("HOME".into(), self.root.join("home").into())];
        let system = ("GIT_CONFIG_NOSYSTEM".into(), "1".into());
        identity.into_iter().chain(others).chain([system]).collect()
    }

    /// Runs git as the user in the work tree, and returns its answer. Panics if it fails.
    pub(super) fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.top, args)
    }

    pub(super) fn git_in(&self, directory: &Path, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(args).current_dir(directory).env_clear().envs(self.environment());
        let done = git.output().expect("git is installed");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
    }

    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.top.join(path);
        fs::create_dir_all(path.parent().expect("it is in the work tree")).expect("it is writable");
        fs::write(path, content).expect("it is writable");
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.top.join(path)).expect("it exists");
    }

    /// Writes a shell script outside the work tree that creates the file `ran` in the root, and returns its path.
    pub(super) fn trap(&self) -> String {
        let script = self.root.join("trap");
        let text = format!("#!/bin/sh\ntouch '{}'\ncat\n", self.root.join("ran").display());
        fs::write(&script, text).expect("it is writable");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("the test owns it");
        script.display().to_string()
    }

    /// Whether the trap ran.
    pub(super) fn has_run(&self) -> bool {
        self.root.join("ran").exists()
    }

    pub(super) fn tool(&self) -> Git {
        let deadline = Deadline::after(Duration::from_secs(60));
        Git::find_with(self.environment(), &self.top, deadline).expect("git is installed")
    }

    pub(super) fn place(&self) -> Place {
        find_place(&self.tool(), &self.top).expect("it is a repository")
    }

    pub(super) fn head(&self) -> Head {
        head(&self.tool(), &self.place()).expect("it is a repository")
    }

    /// A new shadow repository.
    pub(super) fn shadow(&self) -> Shadow {
        self.shadow_at(&self.place(), None)
    }

    pub(super) fn shadow_at(&self, place: &Place, base: Option<Base>) -> Shadow {
        let settings = read_settings(&self.tool(), place).expect("git lists its settings");
        Shadow::create(&self.tool(), place, &settings, base, MAX_FILE, &self.shadow_dir()).expect("it can be made")
    }

    /// A new directory for a shadow repository.
    pub(super) fn shadow_dir(&self) -> PathBuf {
        let shadows = self.root.join("shadows");
        tempfile::tempdir_in(shadows).expect("it is writable").keep()
    }

    /// All files of the git directory except objects and our own refs, with their content.
    pub(super) fn git_files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.top.join(".git")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).expect("it is readable").flatten() {
                let path = entry.path();
                let is_ours = path.ends_with("refs/codex-connector") || path.ends_with(".git/objects");
                if path.is_dir() && !is_ours {
                    directories.push(path);
                } else if path.is_file() {
                    let content = fs::read(&path).expect("it is readable");
                    files.insert(path, content);
                }
            }
        }
        files
    }
}

/// The files of a snapshot with their content. A symbolic link has its target as the content.
pub(super) fn files_of(shadow: &Shadow, snapshot: &Snapshot) -> BTreeMap<String, String> {
    let listing = shadow.object_command(["ls-tree", "-r", "-z", snapshot.tree.as_str()]).run().expect("it is a tree");
    let listing = String::from_utf8_lossy(&listing).into_owned();
    let entries = listing.split('\0').filter_map(|entry| entry.split_once('\t'));
    let content = |entry: &str| {
        let words: Vec<&str> = entry.split(' ').collect();
        match words[1] {
            "blob" => {
                let content = shadow.object_command(["cat-file", "blob", words[2]]).run().expect("it is a blob");
                String::from_utf8_lossy(&content).into_owned()
            }
            other => other.to_owned(),
        }
    };
    entries.map(|(entry, path)| (path.to_owned(), content(entry))).collect()
}

/// The paths that a snapshot omits.
pub(super) fn omitted(snapshot: &Snapshot) -> Vec<String> {
    snapshot.omitted.iter().map(|omission| omission.path.to_untrusted().raw().to_owned()).collect()
}

/// The first snapshot of a shadow.
pub(super) fn before(shadow: &mut Shadow) -> Snapshot {
    shadow.snapshot("before", None).expect("a snapshot can be taken")
}

/// A later snapshot of a shadow.
pub(super) fn after(shadow: &mut Shadow, before: &ObjectId) -> Snapshot {
    shadow.snapshot("after", Some(std::slice::from_ref(before))).expect("a snapshot can be taken")
}
