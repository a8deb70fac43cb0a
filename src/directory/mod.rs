//! A task's working directory: from the path in a call to an open descriptor.
//!
//! A path is only a name. Anyone who can write to a directory above can make it lead to another directory at any
//! moment, so the directory that is checked by name and the directory that is later used by name may differ. Therefore
//! it is opened once:
//!
//! ```text
//! the caller's text ──absolute──▶ path ──open──▶ descriptor ──▶ real path ──▶ ceiling, git ──▶ recorded, reported
//!                                                    └─────────────────────────────────────▶ the agent starts in it
//! ```
//!
//! All checks use the *real path*, which the kernel reports for the descriptor, and the agent inherits the descriptor
//! as its current directory. The server does this at submit, and the supervisor does it again before it starts the
//! agent, because they are different processes. If a directory is renamed while an agent works in it, it stays the
//! agent's directory, unless `ceiling.roots` is set; see `supervisor::directory_watch`.
//!
//! All functions here may block as long as a dead mount does, so call them on [`crate::blocking`] threads.

mod git;
mod input;
mod opening;
mod problem;
#[cfg(target_os = "linux")]
mod rename_watch;
mod route;

use std::{
    fmt, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rustix::{
    fs::{AtFlags, Mode, fstat, open, statat},
    io::Errno,
    process::fchdir,
};

use self::opening::OPEN_FLAGS;
#[cfg(target_os = "linux")]
pub use self::rename_watch::RenameWatch;
pub use self::{
    git::{check_repository, is_repository, repository_of},
    input::absolute,
    problem::DirectoryProblem,
    route::Route,
};

/// An open directory. It stays the same even if its path leads elsewhere by now.
pub struct Directory {
    descriptor: OwnedFd,
    real_path: PathBuf,
}

/// Guards the process's current directory, which all threads share.
static CURRENT: Mutex<()> = Mutex::new(());

impl Directory {
    /// Opens the directory that `path` leads to now.
    ///
    /// Fails with [`DirectoryProblem`] if it does not exist, or if this user may not enter it.
    pub fn open(path: &Path) -> Result<Self, DirectoryProblem> {
        let descriptor = open(path, OPEN_FLAGS, Mode::empty()).map_err(problem)?;
        // Looking up `.` requires permission to enter the directory.
        statat(&descriptor, ".", AtFlags::empty()).map_err(problem)?;
        let real_path = real_path(&descriptor, path).map_err(problem)?;
        if !real_path.is_absolute() || (fstat(&descriptor).map_err(problem)?.st_nlink == 0 && !real_path.exists()) {
            return Err(DirectoryProblem::NotFound);
        }
        Ok(Self { descriptor, real_path })
    }

    /// The path that the kernel reported when the directory was opened: absolute and without symbolic links.
    pub fn real_path(&self) -> &Path {
        &self.real_path
    }

    /// Whether `path` leads to this directory now.
    pub fn is_at(&self, path: &Path) -> bool {
        let (Ok(ours), Ok(theirs)) = (fstat(&self.descriptor), rustix::fs::stat(path)) else { return false };
        (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)
    }

    /// Its current path. `None` if it was removed or the operating system does not report the path.
    pub fn current_path(&self) -> Option<PathBuf> {
        let is_removed = fstat(&self.descriptor).is_ok_and(|facts| facts.st_nlink == 0);
        real_path(&self.descriptor, &self.real_path).ok().filter(|_| !is_removed)
    }

    /// Starts watching for renames of this directory and of those above it.
    ///
    /// Fails if the user has too many watches already.
    #[cfg(target_os = "linux")]
    pub fn watch_renames(&self) -> io::Result<RenameWatch> {
        Ok(RenameWatch::of(&self.descriptor)?)
    }

    /// Runs `work` with this directory as the process's current directory. Processes that `work` starts inherit it.
    ///
    /// All threads share the current directory. Nothing else in a supervisor depends on it, because every other path is
    /// absolute.
    pub fn with_current_dir<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        let _alone = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        let before = open(".", OPEN_FLAGS, Mode::empty())?;
        fchdir(&self.descriptor)?;
        let result = work();
        fchdir(&before)?;
        Ok(result)
    }
}

#[cfg(target_os = "linux")]
fn real_path(descriptor: &OwnedFd, _: &Path) -> rustix::io::Result<PathBuf> {
    use std::os::{fd::AsRawFd, unix::ffi::OsStringExt};
    let link = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    let path = rustix::fs::readlink(link, Vec::new())?;
    Ok(PathBuf::from(std::ffi::OsString::from_vec(path.into_bytes())))
}

#[cfg(target_vendor = "apple")]
fn real_path(descriptor: &OwnedFd, _: &Path) -> rustix::io::Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let path = rustix::fs::getpath(descriptor)?;
    Ok(PathBuf::from(std::ffi::OsString::from_vec(path.into_bytes())))
}

/// On other systems, the path is resolved again, and must lead to the same directory.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn real_path(descriptor: &OwnedFd, path: &Path) -> rustix::io::Result<PathBuf> {
    let real = path.canonicalize().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let (ours, theirs) = (fstat(descriptor)?, rustix::fs::stat(&real)?);
    if (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino) { Ok(real) } else { Err(Errno::NOENT) }
}

fn problem(errno: Errno) -> DirectoryProblem {
    match errno {
        Errno::NOENT => DirectoryProblem::NotFound,
        Errno::NOTDIR => DirectoryProblem::NotADirectory,
        other => DirectoryProblem::NotOpened(other),
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Directory").field(&self.real_path).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let real = dir.path().canonicalize().expect("it exists");
        (dir, real)
    }

    #[test]
    fn a_directory_is_identified_by_its_real_path() {
        let (_dir, real) = scratch();
        fs::create_dir_all(real.join("a/b")).expect("it is writable");
        symlink(real.join("a"), real.join("link")).expect("it is writable");
        for words in ["a/b", "link/b", "a/../a/b/", "./link/./b"] {
            let opened = Directory::open(&real.join(words)).expect("it exists");
            assert_eq!(opened.real_path(), real.join("a/b"), "{words}");
        }
    }

    #[test]
    fn an_open_directory_stays_the_same_when_its_path_is_replaced() {
        let (_dir, real) = scratch();
        for name in ["one", "two"] {
            fs::create_dir(real.join(name)).expect("it is writable");
        }
        let opened = Directory::open(&real.join("one")).expect("it exists");
        assert!(opened.is_at(&real.join("one")));
        fs::rename(real.join("one"), real.join("moved")).expect("the test owns it");
        symlink(real.join("two"), real.join("one")).expect("it is writable");
        assert!(!opened.is_at(&real.join("one")) && opened.is_at(&real.join("moved")));
        let inside = opened
            .with_current_dir(|| std::env::current_dir().expect("it has a path"))
            .expect("this user may enter it");
        assert_eq!(inside, real.join("moved"));
    }

    #[test]
    fn each_problem_has_its_own_message() {
        let (_dir, real) = scratch();
        fs::write(real.join("file"), "").expect("it is writable");
        let refused = |name: &str| Directory::open(&real.join(name)).expect_err("it cannot be opened");
        assert_eq!(refused("missing"), DirectoryProblem::NotFound);
        assert_eq!(refused("file"), DirectoryProblem::NotADirectory);
        assert_eq!(refused("file/below"), DirectoryProblem::NotADirectory);
        symlink("loop", real.join("loop")).expect("it is writable");
        assert!(matches!(refused("loop"), DirectoryProblem::NotOpened(_)));
    }

    #[test]
    fn a_removed_directory_is_reported_as_missing() {
        let (_dir, real) = scratch();
        fs::create_dir(real.join("gone")).expect("it is writable");
        let opened = Directory::open(&real.join("gone")).expect("it exists");
        fs::remove_dir(real.join("gone")).expect("it is empty");
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd;
            let by_descriptor = format!("/proc/self/fd/{}", opened.descriptor.as_raw_fd());
            let found = Directory::open(Path::new(&by_descriptor)).map(|found| found.real_path);
            assert_eq!(found, Err(DirectoryProblem::NotFound));
        }
        assert!(!opened.is_at(&real.join("gone")));
        assert_eq!(opened.current_path(), None, "the kernel would say `gone (deleted)`");
    }
}
