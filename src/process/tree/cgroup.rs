//! A cgroup for each task: the kernel's own list of everything an agent started.
//!
//! Where this process may make groups below its own (cgroup v2, found through `mountinfo`, wherever it is mounted), an
//! agent is put into one, and its descendants stay in it however fast they fork and even if they lose their parents, their
//! session and their environment. A process leaves it only by moving itself, or having a service manager move it, into
//! another cgroup, which takes the same permission that we need to make one. Where there is no cgroup, the tree is found by
//! its parents and by its marker.
//!
//! Moving a process into a group makes the kernel wait for all processors, for about 10 ms (seen on Linux 6.18), and so it
//! is done beside the agent's first steps. What it starts meanwhile is moved too.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::{FsWord, Mode, OFlags, fstatfs, open};

use crate::task::TaskId;

/// The type of the cgroup v2 file system (`linux/magic.h`).
const CGROUP2_SUPER_MAGIC: FsWord = 0x6367_7270;

/// How the name of a task's group begins; its id follows.
const CGROUP_PREFIX: &str = "codex-connector-";

/// An empty group this old belongs to nobody.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// How often it is looked whether an agent forked while it was being moved.
const MAX_ROUNDS: usize = 64;

/// The group of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    dir: PathBuf,
}

impl Cgroup {
    /// Makes a group for a task; `None` where that is not possible.
    pub fn make(id: &TaskId) -> Option<Self> {
        let dir = own_cgroup()?.join(format!("{CGROUP_PREFIX}{id}"));
        fs::create_dir(&dir).inspect_err(|error| tracing::debug!(%error, "no cgroup")).ok()?;
        Some(Self { dir })
    }

    /// The group that was made for this task earlier, perhaps by another process. `None`: it no longer exists, or `dir` is
    /// something else.
    ///
    /// `dir` comes from a file that others may be able to change, and everything in the group is killed. So it has to be
    /// the real path of a cgroup with the task's own name, next to or below this process's group.
    pub fn of(id: &TaskId, dir: PathBuf) -> Option<Self> {
        let is_its_own = dir.file_name().is_some_and(|name| name.to_str() == Some(&format!("{CGROUP_PREFIX}{id}")));
        let is_real = dir.canonicalize().is_ok_and(|real| real == dir);
        (is_its_own && is_real && is_cgroup(&dir) && is_near(&dir, &own_cgroup()?)).then_some(Self { dir })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Moves `process` in, and with `scan` everything that it started meanwhile.
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

    /// Moves one process in, if it is still there.
    pub(super) fn add_process(&self, process: u32) -> bool {
        self.move_in(process).is_ok()
    }

    fn move_in(&self, pid: u32) -> io::Result<()> {
        fs::write(self.dir.join("cgroup.procs"), pid.to_string())
    }

    /// The pids in it and in the groups below it.
    pub(super) fn members(&self) -> Vec<u32> {
        let mut members = Vec::new();
        for dir in self.with_subgroups() {
            let listed = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            members.extend(listed.lines().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        members
    }

    /// Whether nothing alive is in it. What cannot be read is gone.
    pub(super) fn is_empty(&self) -> bool {
        let events = fs::read_to_string(self.dir.join("cgroup.events")).unwrap_or_default();
        !events.lines().any(|line| line == "populated 1")
    }

    /// Kills everything in it, in one step that nothing can fork away from (Linux 5.14; before that, nothing happens).
    pub(super) fn kill(&self) {
        if !self.is_empty()
            && let Err(error) = fs::write(self.dir.join("cgroup.kill"), "1")
        {
            tracing::warn!(%error, group = %self.dir.display(), "a cgroup cannot be killed");
        }
    }

    /// Removes it, once it is empty. One that is not stays.
    pub fn remove(&self) {
        let deadline = Instant::now() + Duration::from_millis(200);
        // A group is busy for a moment after its last process has ended.
        while self.dir.exists() && Instant::now() < deadline {
            for dir in self.with_subgroups().into_iter().rev() {
                let _ = fs::remove_dir(dir);
            }
            if self.dir.exists() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// This group, then those below it, each after its parent. An agent may make groups of its own.
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

/// Where the groups of tasks can be made: this process's own group, if it may make others in it.
pub fn parent_cgroup() -> Option<PathBuf> {
    let own = own_cgroup()?;
    let trial = own.join(format!("{CGROUP_PREFIX}check-{}", std::process::id()));
    fs::create_dir(&trial).ok()?;
    let can_kill = trial.join("cgroup.kill").exists();
    let _ = fs::remove_dir(&trial);
    can_kill.then_some(own)
}

/// Removes groups of tasks that are empty and old: what was left running on purpose has ended since.
pub(super) fn sweep() {
    let Some(own) = own_cgroup() else { return };
    for entry in fs::read_dir(own).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix(CGROUP_PREFIX)).and_then(|id| TaskId::parse(id).ok());
        let made = entry.metadata().and_then(|meta| meta.modified()).ok();
        let is_old = made.and_then(|made| made.elapsed().ok()).is_some_and(|age| age > STALE_AFTER);
        if id.is_some() && is_old {
            // Fails while anything is in it.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Whether a directory, not a link to one, is a group of cgroup v2.
fn is_cgroup(dir: &Path) -> bool {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = open(dir, flags, Mode::empty());
    opened.and_then(fstatfs).is_ok_and(|system| system.f_type == CGROUP2_SUPER_MAGIC)
}

/// Whether `dir` is below the parent of the group `own`, or below `own` itself where that is the top of what is mounted.
fn is_near(dir: &Path, own: &Path) -> bool {
    let top = own.parent().filter(|parent| is_cgroup(parent)).unwrap_or(own);
    dir != top && dir.starts_with(top)
}

/// The directory of this process's group in the unified hierarchy.
fn own_cgroup() -> Option<PathBuf> {
    let (mountinfo, groups) =
        (fs::read_to_string("/proc/self/mountinfo").ok()?, fs::read_to_string("/proc/self/cgroup").ok()?);
    locate(&mountinfo, &groups)
}

/// What `/proc/self/mountinfo` and `/proc/self/cgroup` say about where the group is.
fn locate(mountinfo: &str, groups: &str) -> Option<PathBuf> {
    let group = Path::new(groups.lines().find_map(|line| line.strip_prefix("0::"))?);
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (unescaped(mount.next()?), unescaped(mount.next()?));
        // In a container the mount may begin below the root of the hierarchy, and show only a part of it.
        let inside = group.strip_prefix(&root).ok()?;
        kind.starts_with("cgroup2 ")
            .then(|| if inside.as_os_str().is_empty() { point.clone() } else { point.join(inside) })
    })
}

/// A path in `mountinfo`, where blanks and the like are written as `\040`.
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
        let find = |mounts, groups| locate(mounts, groups);
        assert_eq!(find(UNIFIED, "0::/user.slice/a.scope\n"), Some("/sys/fs/cgroup/user.slice/a.scope".into()));
        let hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      41 31 0:38 / /mnt/all\\040groups rw - cgroup2 none rw\n";
        assert_eq!(find(hybrid, "1:cpu:/\n0::/\n"), Some("/mnt/all groups".into()));
        let container = "41 31 0:38 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(find(container, "0::/docker/1/app\n"), Some("/sys/fs/cgroup/app".into()));
        assert_eq!(find(container, "0::/elsewhere\n"), None);
        assert_eq!(find("23 1 0:5 / /proc rw - proc proc rw\n", "0::/\n"), None);
        assert_eq!(find(UNIFIED, "1:cpu:/\n"), None);
    }

    #[test]
    fn a_similar_directory_is_not_mistaken_for_a_tasks_cgroup() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let id = TaskId::random();
        let plain = dir.path().join(format!("{CGROUP_PREFIX}{id}"));
        fs::create_dir(&plain).and_then(|()| fs::write(plain.join("cgroup.procs"), "")).expect("it is writable");
        assert_eq!(Cgroup::of(&id, plain), None, "a directory that is not a cgroup");
        assert_eq!(Cgroup::of(&id, "/".into()), None);
        // The rest needs real groups, which not every machine lets us make.
        let other = TaskId::random();
        let (Some(group), Some(others)) = (Cgroup::make(&id), Cgroup::make(&other)) else { return };
        let links = tempfile::tempdir().expect("a temporary directory can be made");
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
