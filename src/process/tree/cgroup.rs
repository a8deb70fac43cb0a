//! A cgroup for each task: the kernel's own list of everything that an agent started.
//!
//! If this process may create cgroups below its own (cgroup v2, found through `mountinfo` at any mount point), each
//! agent is put into one. Its descendants stay in it, no matter how fast they fork, and even if they lose their
//! parents, their session and their environment. A process leaves only if it moves itself, or has a service manager
//! move it, to another cgroup. That requires the same permission that we need to create one. Without a cgroup, the tree
//! is found through parents and through the marker.
//!
//! When a process is moved into a cgroup, the kernel waits for all processors, for about 10 ms (observed on Linux
//! 6.18). So the agent is moved while it already runs, and so are the processes that it has started by then.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::{FsWord, Mode, OFlags, fstatfs, open};

use crate::task::TaskId;

/// The type of the cgroup v2 file system (`linux/magic.h`).
const CGROUP2_SUPER_MAGIC: FsWord = 0x6367_7270;

/// The name of a task's cgroup is this prefix and the task's ID.
const CGROUP_PREFIX: &str = "codex-connector-";

/// An empty cgroup of this age is no longer used.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// Maximum number of searches for processes that the agent forked while it was being moved.
const MAX_ROUNDS: usize = 64;

/// The cgroup of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    dir: PathBuf,
}

impl Cgroup {
    /// Creates a cgroup for a task. Returns `None` if that is not possible.
    pub fn make(id: &TaskId) -> Option<Self> {
        let dir = own_cgroup()?.join(format!("{CGROUP_PREFIX}{id}"));
        fs::create_dir(&dir).inspect_err(|error| tracing::debug!(%error, "no cgroup")).ok()?;
        Some(Self { dir })
    }

    /// The cgroup that was created for this task earlier, perhaps by another process. Returns `None` if it no longer
    /// exists or `dir` is not the task's cgroup.
    ///
    /// `dir` comes from a file that others may be able to change, and everything in the cgroup will be killed. So it
    /// must be the real path of a cgroup with the task's own name, next to or below this process's cgroup.
    pub fn of(id: &TaskId, dir: PathBuf) -> Option<Self> {
        let is_its_own = dir.file_name().is_some_and(|name| name.to_str() == Some(&format!("{CGROUP_PREFIX}{id}")));
        let is_real = dir.canonicalize().is_ok_and(|real| real == dir);
        (is_its_own && is_real && is_cgroup(&dir) && is_near(&dir, &own_cgroup()?)).then_some(Self { dir })
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Moves `process` into the cgroup, and then the processes that it has started meanwhile, which `scan` finds.
    pub(super) fn add_agent(&self, process: u32, scan: impl Fn() -> Vec<u32>) {
        let mut moved = vec![process];
        if let Err(error) = self.move_in(process) {
            tracing::debug!(%error, "the agent is not in a cgroup");
            return;
        }
        for _ in 0..MAX_ROUNDS {
            let inside = self.members();
            let outside: Vec<u32> =
                scan().into_iter().filter(|pid| !inside.contains(pid) && !moved.contains(pid)).collect();
            if outside.is_empty() {
                return;
            }
            for pid in outside {
                // It may have ended.
                let _ = self.move_in(pid);
                moved.push(pid);
            }
        }
    }

    /// Moves one process into the cgroup. Returns `false` if it has ended or cannot be moved.
    pub(super) fn add_process(&self, process: u32) -> bool {
        self.move_in(process).is_ok()
    }

    fn move_in(&self, pid: u32) -> io::Result<()> {
        fs::write(self.dir.join("cgroup.procs"), pid.to_string())
    }

    /// The PIDs in this cgroup and in those below it.
    pub(super) fn members(&self) -> Vec<u32> {
        let mut members = Vec::new();
        for dir in self.with_subgroups() {
            let listed = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            members.extend(listed.lines().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        members
    }

    /// Whether it contains no live process. A cgroup that cannot be read counts as removed.
    pub(super) fn is_empty(&self) -> bool {
        let events = fs::read_to_string(self.dir.join("cgroup.events")).unwrap_or_default();
        !events.lines().any(|line| line == "populated 1")
    }

    /// Kills everything in it in one atomic step, so that nothing can escape by forking. Requires Linux 5.14; on older
    /// kernels, does nothing.
    pub(super) fn kill(&self) {
        if !self.is_empty()
            && let Err(error) = fs::write(self.dir.join("cgroup.kill"), "1")
        {
            tracing::warn!(%error, group = %self.dir.display(), "cannot kill a cgroup");
        }
    }

    /// Removes the cgroup if it is empty.
    pub fn remove(&self) {
        let deadline = Instant::now() + Duration::from_millis(200);
        // A cgroup stays busy for a moment after its last process has ended.
        while self.dir.exists() && Instant::now() < deadline {
            for dir in self.with_subgroups().into_iter().rev() {
                let _ = fs::remove_dir(dir);
            }
            if self.dir.exists() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// This cgroup and those below it, each after its parent. An agent may create its own.
    fn with_subgroups(&self) -> Vec<PathBuf> {
        let mut found = vec![self.dir.clone()];
        let mut next = 0;
        while let Some(dir) = found.get(next).cloned() {
            let below = fs::read_dir(dir).into_iter().flatten().flatten();
            found.extend(below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()));
            next += 1;
        }
        found
    }
}

/// The cgroup in which cgroups of tasks can be created: this process's own, if it has the permission.
pub fn parent_cgroup() -> Option<PathBuf> {
    let own = own_cgroup()?;
    let trial = own.join(format!("{CGROUP_PREFIX}check-{}", std::process::id()));
    fs::create_dir(&trial).ok()?;
    let can_kill = trial.join("cgroup.kill").exists();
    let _ = fs::remove_dir(&trial);
    can_kill.then_some(own)
}

/// Removes old, empty cgroups of tasks. They remain if processes were left running on purpose and have ended since.
pub(super) fn sweep() {
    let Some(own) = own_cgroup() else { return };
    for entry in fs::read_dir(own).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix(CGROUP_PREFIX)).and_then(|id| TaskId::parse(id).ok());
        let made = entry.metadata().and_then(|meta| meta.modified()).ok();
        let is_old = made.and_then(|made| made.elapsed().ok()).is_some_and(|age| age > STALE_AFTER);
        if id.is_some() && is_old {
            // Fails if the cgroup is not empty.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Whether `dir` is a directory, not a symbolic link, in the cgroup v2 file system.
fn is_cgroup(dir: &Path) -> bool {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = open(dir, flags, Mode::empty());
    opened.and_then(fstatfs).is_ok_and(|system| system.f_type == CGROUP2_SUPER_MAGIC)
}

/// Whether `dir` is below the parent of the cgroup `own`, or below `own` itself if `own` is the top of the mount.
fn is_near(dir: &Path, own: &Path) -> bool {
    let top = own.parent().filter(|parent| is_cgroup(parent)).unwrap_or(own);
    dir != top && dir.starts_with(top)
}

/// The directory of this process's cgroup in the unified hierarchy.
fn own_cgroup() -> Option<PathBuf> {
    let (mountinfo, groups) =
        (fs::read_to_string("/proc/self/mountinfo").ok()?, fs::read_to_string("/proc/self/cgroup").ok()?);
    locate(&mountinfo, &groups)
}

/// Finds the cgroup's directory from the contents of `/proc/self/mountinfo` and `/proc/self/cgroup`.
fn locate(mountinfo: &str, groups: &str) -> Option<PathBuf> {
    let group = Path::new(groups.lines().find_map(|line| line.strip_prefix("0::"))?);
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (unescaped(mount.next()?), unescaped(mount.next()?));
        // In a container, the mount may show only a part of the hierarchy.
        let inside = group.strip_prefix(&root).ok()?;
        kind.starts_with("cgroup2 ")
            .then(|| if inside.as_os_str().is_empty() { point.clone() } else { point.join(inside) })
    })
}

/// Decodes a path in `mountinfo`, where spaces and some other characters are written as octal escapes such as `\040`.
fn unescaped(path: &str) -> PathBuf {
    let mut parts = path.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str = "23 1 0:5 / /proc rw shared:4 - proc proc rw\n\
                           41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn our_cgroup_is_found_at_any_mount_point() {
        assert_eq!(locate(UNIFIED, "0::/user.slice/a.scope\n"), Some("/sys/fs/cgroup/user.slice/a.scope".into()));
        let hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      41 31 0:38 / /mnt/all\\040groups rw - cgroup2 none rw\n";
        assert_eq!(locate(hybrid, "1:cpu:/\n0::/\n"), Some("/mnt/all groups".into()));
        let container = "41 31 0:38 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(locate(container, "0::/docker/1/app\n"), Some("/sys/fs/cgroup/app".into()));
        assert_eq!(locate(container, "0::/elsewhere\n"), None);
        assert_eq!(locate("23 1 0:5 / /proc rw - proc proc rw\n", "0::/\n"), None);
        assert_eq!(locate(UNIFIED, "1:cpu:/\n"), None);
    }

    #[test]
    fn a_similar_directory_is_not_mistaken_for_a_tasks_cgroup() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let id = TaskId::random();
        let plain = dir.path().join(format!("{CGROUP_PREFIX}{id}"));
        fs::create_dir(&plain).and_then(|()| fs::write(plain.join("cgroup.procs"), "")).expect("it is writable");
        assert_eq!(Cgroup::of(&id, plain), None, "a directory that is not a cgroup");
        assert_eq!(Cgroup::of(&id, "/".into()), None);
        // The rest needs real cgroups, which cannot be created on every machine.
        let other = TaskId::random();
        let (Some(group), Some(others)) = (Cgroup::make(&id), Cgroup::make(&other)) else { return };
        let links = tempfile::tempdir().expect("a temporary directory can be created");
        let link = links.path().join(format!("{CGROUP_PREFIX}{id}"));
        std::os::unix::fs::symlink(others.dir(), &link).expect("it is writable");
        let found = [
            Cgroup::of(&id, group.dir().to_owned()).is_some(),
            Cgroup::of(&id, others.dir().to_owned()).is_some(),
            Cgroup::of(&id, link).is_some(),
            Cgroup::of(&id, group.dir().join("../").join(format!("{CGROUP_PREFIX}{id}"))).is_some(),
        ];
        group.remove();
        let is_gone = Cgroup::of(&id, group.dir().to_owned()).is_none();
        others.remove();
        assert_eq!(found, [true, false, false, false]);
        assert!(is_gone);
    }

    #[test]
    fn only_sibling_and_child_cgroups_are_near() {
        // Without a cgroup file system at these paths, the top is the group itself.
        let own = Path::new("/no/such/mount/own");
        assert!(is_near(Path::new("/no/such/mount/own/x"), own));
        for far in ["/no/such/mount/own", "/no/such/mount/other", "/no/such/mount/own-2/x", "/"] {
            assert!(!is_near(Path::new(far), own), "{far}");
        }
    }
}
