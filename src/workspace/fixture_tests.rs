//! A real repository for tests, with a task that worked in it.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use chrono::DateTime;

use super::{
    git::Git,
    operation::{OperationRequest, Operator},
    operation_error::OperationError,
    place::find_place,
    refs::{ref_name, update_ref},
    settings::read_settings,
    shadow::{Base, Shadow},
    snapshot::Snapshot,
};
use crate::{
    process::Deadline,
    store::{Upkeep, Workspaces},
    task::{
        FrozenSetting, FrozenSettings, GitPath, ObjectId, OperationKind, OperationResult, Place, TaskId, TaskWorkspace,
        WORKSPACE_FORMAT, Worktree,
    },
};

/// The size limit of untracked files in these tests, in bytes.
pub(super) const MAX_FILE: u64 = 100_000;

/// A repository, and a data directory next to it. Removed when it is dropped.
pub(super) struct Project {
    _guard: Option<tempfile::TempDir>,
    root: PathBuf,
    pub(super) top: PathBuf,
    pub(super) files: Workspaces,
    pub(super) git: Git,
    pub(super) place: Place,
    pub(super) settings: FrozenSettings,
}

/// A file of a work tree: its permissions and content, or the target of a link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entry {
    File(u32, Vec<u8>),
    Link(PathBuf),
    Other,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(mode, content) => write!(f, "{mode:o} {:?}", String::from_utf8_lossy(content)),
            Self::Link(target) => write!(f, "-> {}", target.display()),
            Self::Other => f.write_str("other"),
        }
    }
}

/// All files below a directory, by path, without `.git`.
pub(super) type Files = BTreeMap<PathBuf, Entry>;

pub(super) fn path(text: &str) -> GitPath {
    GitPath::from_bytes(text)
}

pub(super) fn paths(texts: &[&str]) -> Vec<GitPath> {
    texts.iter().map(|text| path(text)).collect()
}

/// Writes a file, and creates its directory.
pub(super) fn write(top: &Path, path: impl AsRef<OsStr>, content: impl AsRef<[u8]>) {
    let path = top.join(Path::new(path.as_ref()));
    fs::create_dir_all(path.parent().expect("it is below the top")).expect("it is writable");
    fs::write(path, content).expect("it is writable");
}

/// All files below `top`.
pub(super) fn files_in(top: &Path) -> Files {
    fn add(top: &Path, dir: &Path, files: &mut Files) {
        for entry in fs::read_dir(dir).expect("it is readable").flatten() {
            let path = entry.path();
            if entry.file_name() == OsStr::new(".git") {
                continue;
            }
            let metadata = entry.metadata().expect("it is there");
            let found = if metadata.is_dir() {
                add(top, &path, files);
                continue;
            } else if metadata.is_symlink() {
                Entry::Link(fs::read_link(&path).expect("it is a link"))
            } else if metadata.is_file() {
                Entry::File(metadata.permissions().mode() & 0o777, fs::read(&path).expect("it is readable"))
            } else {
                Entry::Other
            };
            files.insert(path.strip_prefix(top).expect("it is below the top").to_owned(), found);
        }
    }
    let mut files = Files::new();
    add(top, top, &mut files);
    files
}

impl Project {
    /// A repository without commits.
    pub(super) fn empty() -> Self {
        Self::made_by(|root| {
            fs::create_dir(root.join("project")).expect("it is writable");
            run_git(&root.join("project"), &["init", "-q", "-b", "main"]);
        })
    }

    /// A project in a new directory, in which `make` makes the work tree `project`.
    pub(super) fn made_by(make: impl FnOnce(&Path)) -> Self {
        let guard = tempfile::tempdir().expect("a temporary directory can be created");
        let root = guard.path().canonicalize().expect("it exists");
        make(&root);
        Self { _guard: Some(guard), ..Self::open(&root) }
    }

    /// The project in an existing directory, which is kept.
    pub(super) fn open(root: &Path) -> Self {
        let (top, data) = (root.join("project"), root.join("data"));
        let upkeep = Upkeep::open(&data, &data.join("logs")).expect("it is writable");
        let git = Git::find(&top, Deadline::after(Duration::from_secs(300))).expect("git is installed");
        let place = find_place(&git, &top).expect("it is a repository");
        let settings = read_settings(&git, &place).expect("they are readable");
        Self { _guard: None, root: root.to_owned(), files: Workspaces::of(&upkeep), top, git, place, settings }
    }

    /// A repository with a commit that has these files.
    pub(super) fn with(files: &[(&str, &str)]) -> Self {
        let project = Self::empty();
        for (path, content) in files {
            project.write(path, content);
        }
        project.commit_all();
        project
    }

    /// The directory that contains the project's.
    pub(super) fn outside(&self) -> &Path {
        &self.root
    }

    /// Lets git pass the content of the files `*.f` through this shell script when it writes them. `$1` is the path.
    pub(super) fn add_filter(&mut self, script: &str) {
        let path = self.root.join("filter.sh");
        fs::write(&path, script).expect("it is writable");
        self.write(".gitattributes", "*.f filter=x\n");
        let smudge = format!("sh {} %f", path.display());
        let values = [("clean", "cat"), ("smudge", &smudge), ("required", "true")];
        for (key, value) in values {
            self.git(&["config", &format!("filter.x.{key}"), value]);
        }
        self.commit_all();
        // As if the user's own configuration had it: a filter in the repository's configuration is not run.
        self.settings = FrozenSettings { unusable_filters: vec![], ..self.settings.clone() };
        self.settings.values.extend(values.map(|(key, value)| FrozenSetting {
            key: GitPath::from_bytes(format!("filter.x.{key}")),
            value: GitPath::from_bytes(value),
        }));
    }

    /// Runs git as the user would, and returns its output.
    pub(super) fn git(&self, args: &[&str]) -> String {
        run_git(&self.top, args)
    }

    pub(super) fn commit_all(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "base"]);
    }

    pub(super) fn write(&self, path: impl AsRef<OsStr>, content: impl AsRef<[u8]>) {
        write(&self.top, path, content);
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.top.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The files of the work tree.
    pub(super) fn files_now(&self) -> Files {
        files_in(&self.top)
    }

    /// Everything of the user's that no operation may change: the index, HEAD, refs, stash and configuration.
    pub(super) fn private(&self) -> BTreeMap<String, Vec<u8>> {
        let mut private = BTreeMap::new();
        for name in ["index", "HEAD", "config", "info/exclude", "ORIG_HEAD", "MERGE_HEAD", "logs/HEAD"] {
            for dir in [&self.place.git_dir, &self.place.common_dir] {
                private.insert(dir.join(name).display().to_string(), fs::read(dir.join(name)).unwrap_or_default());
            }
        }
        let refs = self.git(&["for-each-ref", "--format=%(refname) %(objectname)"]);
        let others: Vec<_> = refs.lines().filter(|line| !line.starts_with("refs/codex-connector/")).collect();
        private.insert("refs".to_owned(), others.join("\n").into_bytes());
        private.insert("stash".to_owned(), self.git(&["stash", "list"]).into_bytes());
        private
    }

    /// A shadow repository in a new directory.
    pub(super) fn shadow(&self, place: &Place, base: Option<Base>) -> Shadow {
        let dir = self.root.join(format!("shadow-{}", TaskId::random()));
        fs::create_dir(&dir).expect("it is writable");
        Shadow::create(&self.git, place, &self.settings, base, MAX_FILE, &dir).expect("it can be created")
    }

    /// Takes a snapshot and publishes it.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut shadow = self.shadow(&self.place, None);
        let snapshot = shadow.snapshot("test", None).expect("it can be taken");
        shadow.publish().expect("it can be published");
        snapshot
    }

    /// A task in the user's work tree, in which `agent` changed the files, and whose events name these.
    pub(super) fn task(&self, named: &[&str], agent: impl FnOnce(&Path)) -> TaskId {
        let mut shadow = self.shadow(&self.place, None);
        let before = shadow.snapshot("before", None).expect("it can be taken");
        agent(&self.top);
        let parents = [before.commit.clone()];
        let after = shadow.snapshot("after", Some(&parents)).expect("it can be taken");
        shadow.publish().expect("it can be published");
        self.keep(before, Some(after.commit), paths(named), None)
    }

    /// A task in its own worktree, in which `agent` changed the files.
    pub(super) fn worktree_task(&self, agent: impl FnOnce(&Path)) -> TaskId {
        let before = self.snapshot();
        let path = self.outside().join(format!("tree-{}", TaskId::random()));
        self.git(&["worktree", "add", "-q", "--detach", path.to_str().expect("it is UTF-8"), before.commit.as_str()]);
        let place = find_place(&self.git, &path).expect("it is a worktree");
        let mut shadow = self.shadow(&place, None);
        agent(&path);
        let parents = [before.commit.clone()];
        let after = shadow.snapshot("after", Some(&parents)).expect("it can be taken");
        shadow.publish().expect("it can be published");
        let worktree = Worktree {
            path,
            git_dir: place.git_dir,
            is_removed: false,
            is_continued: false,
            may_be_in_use: false,
            examined: None,
            staged: None,
            copied: Vec::new(),
            copied_content: Vec::new(),
        };
        self.keep(before, Some(after.commit), Vec::new(), Some(worktree))
    }

    fn keep(
        &self,
        before: Snapshot,
        after: Option<ObjectId>,
        named: Vec<GitPath>,
        worktree: Option<Worktree>,
    ) -> TaskId {
        let task = TaskId::random();
        for (name, commit) in [("before", Some(&before.commit)), ("after", after.as_ref())] {
            let Some(commit) = commit else { continue };
            update_ref(&self.git, &self.place, &ref_name(&task, name), commit).expect("it can be written");
        }
        let workspace = TaskWorkspace {
            format: WORKSPACE_FORMAT,
            task: task.clone(),
            place: self.place.clone(),
            worktree,
            continues: None,
            settings: self.settings.clone(),
            before: before.commit,
            omitted: before.omitted,
            after,
            named,
            modes: vec![],
            operations: Vec::new(),
        };
        self.files.write(&workspace).expect("it is writable");
        task
    }

    pub(super) fn workspace(&self, task: &TaskId) -> TaskWorkspace {
        self.files.read(task).expect("it is readable").expect("it exists")
    }

    pub(super) fn operate(&self, request: &OperationRequest) -> Result<OperationResult, OperationError> {
        Operator { git: &self.git, files: &self.files, max_file: MAX_FILE }.operate(request)
    }

    /// Carries out an operation on everything that is named.
    pub(super) fn run(&self, kind: OperationKind, task: &TaskId) -> Result<OperationResult, OperationError> {
        self.operate(&request(kind, task))
    }
}

/// A request for all named files.
pub(super) fn request(kind: OperationKind, task: &TaskId) -> OperationRequest {
    OperationRequest {
        task: task.clone(),
        kind,
        paths: Vec::new(),
        all: false,
        is_check: false,
        branch: None,
        now: DateTime::UNIX_EPOCH,
    }
}

/// Runs real git without this machine's settings.
pub(super) fn run_git(dir: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.args(args).current_dir(dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    git.env("HOME", dir).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), "user").env(format!("GIT_{role}_EMAIL"), "user@example.org");
    }
    let done = git.output().expect("git is installed");
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
}

/// A name that is not UTF-8.
pub(super) fn odd_name() -> &'static OsStr {
    OsStr::from_bytes(b"-caf\xe9 \"q\"\n.txt")
}
