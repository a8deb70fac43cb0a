//! Opening and creating files below a directory without following any symbolic link.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path},
};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, mkdirat, open, openat, statat, unlinkat},
    io::Errno,
};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory, opened once. Paths below it are resolved from there.
#[derive(Debug)]
pub(super) struct Below(OwnedFd);

impl Below {
    /// Opens the directory at this absolute path.
    pub(super) fn open(top: &Path) -> io::Result<Self> {
        Ok(Self(open(top, DIRECTORY, Mode::empty())?))
    }

    /// Opens a regular file for reading. Fails if a part of the path is a symbolic link, and with
    /// [`io::ErrorKind::InvalidInput`] if it is not a regular file or `path` is not a plain relative path.
    pub(super) fn file(&self, path: &Path) -> io::Result<File> {
        let (parent, name) = self.parent(path, Missing::Fail)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(parent.as_fd(), name, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    /// Creates a file and the directories above it. Fails with [`io::ErrorKind::AlreadyExists`] if it exists.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        let (parent, name) = self.parent(path, Missing::Create)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(parent.as_fd(), name, flags, Mode::from_raw_mode(0o600))?.into())
    }

    /// Replaces an existing file by a copy of `from`.
    pub(super) fn replace(&self, path: &Path, from: &File) -> io::Result<()> {
        let (parent, name) = self.parent(path, Missing::Fail)?;
        unlinkat(parent.as_fd(), name, AtFlags::empty())?;
        copy(from, &self.create(path)?)
    }

    /// Removes a file or link.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path, Missing::Fail)?;
        Ok(unlinkat(parent.as_fd(), name, AtFlags::empty())?)
    }

    /// Creates a symbolic link and the directories above it. Fails with [`io::ErrorKind::AlreadyExists`] if it exists.
    pub(super) fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path, Missing::Create)?;
        Ok(rustix::fs::symlinkat(target, parent.as_fd(), name)?)
    }

    /// The directory of `path`, and its name in there.
    fn parent<'a>(&self, path: &'a Path, missing: Missing) -> io::Result<(OwnedFd, &'a Path)> {
        let name = path.file_name().filter(|_| is_plain(path)).ok_or(io::ErrorKind::InvalidInput)?;
        let mut dir = openat(self.0.as_fd(), ".", DIRECTORY, Mode::empty())?;
        for part in path.parent().into_iter().flat_map(Path::components) {
            if missing == Missing::Create {
                match mkdirat(dir.as_fd(), part.as_os_str(), Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            dir = openat(dir.as_fd(), part.as_os_str(), DIRECTORY, Mode::empty())?;
        }
        Ok((dir, Path::new(name)))
    }
}

/// Whether a path is relative and has no parts such as `..`.
pub(super) fn is_plain(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// The treatment of a missing directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Create,
    Fail,
}

/// Copies a file's content, mode and modification time. Shares the blocks if the file system can.
pub(super) fn copy(from: &File, to: &File) -> io::Result<()> {
    let found = from.metadata()?;
    if !shares_blocks(from, to) {
        io::copy(&mut &*from, &mut &*to)?;
    }
    to.set_permissions(found.permissions())?;
    to.set_modified(found.modified()?)
}

#[cfg(target_os = "linux")]
fn shares_blocks(from: &File, to: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn shares_blocks(_from: &File, _to: &File) -> bool {
    false
}

/// Removes a directory with everything in it, even if directories below it are not writable. Symbolic links are not
/// followed. Succeeds if it does not exist.
pub(super) fn remove_all(dir: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(CWD, dir)?;
            std::fs::remove_dir_all(dir)
        }
        removed => removed,
    }
}

/// Gives the owner every right in a directory and in those below it.
fn make_writable(parent: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    allow_all(parent, name)?;
    let dir = openat(parent, name, DIRECTORY, Mode::empty())?;
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        let name = Path::new(OsStr::from_bytes(entry.file_name().to_bytes()));
        let is_dir = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory);
        if is_dir && name != Path::new(".") && name != Path::new("..") {
            make_writable(dir.as_fd(), name)?;
        }
    }
    Ok(())
}

/// Gives the owner every right in one directory.
#[cfg(target_os = "linux")]
fn allow_all(parent: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    use std::{
        fs::Permissions,
        os::{fd::AsRawFd, unix::fs::PermissionsExt},
    };

    // Linux before 6.6 cannot change a mode by path without following symbolic links.
    let path_only = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = openat(parent, name, path_only, Mode::empty())?;
    std::fs::set_permissions(format!("/proc/self/fd/{}", found.as_raw_fd()), Permissions::from_mode(0o700))
}

// Untested: nobody has run this on macOS.
#[cfg(not(target_os = "linux"))]
fn allow_all(parent: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    Ok(rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        io::Read,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    #[test]
    fn a_symbolic_link_is_followed_neither_for_reading_nor_for_writing() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let (top, outside) = (dir.path().join("top"), dir.path().join("outside"));
        fs::create_dir_all(top.join("a")).and_then(|()| fs::create_dir(&outside)).expect("it is writable");
        fs::write(outside.join("secret"), "secret").and_then(|()| fs::write(top.join("a/f"), "f")).expect("writable");
        symlink(&outside, top.join("out")).expect("it is writable");
        symlink(outside.join("secret"), top.join("link")).expect("it is writable");
        let below = Below::open(&top).expect("it exists");
        let mut read = String::new();
        below.file(Path::new("a/f")).and_then(|mut file| file.read_to_string(&mut read)).expect("it is readable");
        assert_eq!(read, "f");
        for path in ["out/secret", "link", "a/../link", "/etc/passwd", "a", "", ".."] {
            assert!(below.file(Path::new(path)).is_err(), "{path}");
        }
        for path in ["out/new", "link", "a/f", "../new"] {
            assert!(below.create(Path::new(path)).is_err(), "{path}");
        }
        below.create(Path::new("x/y/z")).expect("it is new");
        assert!(top.join("x/y/z").is_file() && !outside.join("new").exists());
    }

    #[test]
    fn a_copy_keeps_content_mode_and_time() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, "content")
            .and_then(|()| fs::set_permissions(&from, Permissions::from_mode(0o750)))
            .expect("it is writable");
        let open = |path: &Path| File::open(path).expect("it exists");
        open(&from).set_modified(std::time::SystemTime::UNIX_EPOCH).expect("we own it");
        copy(&open(&from), &File::create(&to).expect("it is writable")).expect("it is writable");
        let found = open(&to).metadata().expect("it exists");
        assert_eq!(fs::read_to_string(&to).expect("it exists"), "content");
        assert_eq!(found.permissions().mode() & 0o777, 0o750);
        assert_eq!(found.modified().expect("it has a time"), std::time::SystemTime::UNIX_EPOCH);
    }

    #[test]
    fn read_only_directories_are_removed_and_links_are_not_followed() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
        fs::create_dir_all(tree.join("cache/module")).and_then(|()| fs::create_dir(&outside)).expect("it is writable");
        fs::write(tree.join("cache/module/file"), "x")
            .and_then(|()| fs::write(outside.join("kept"), "x"))
            .expect("it is writable");
        symlink(&outside, tree.join("cache/link")).expect("it is writable");
        for path in ["cache/module", "cache"] {
            fs::set_permissions(tree.join(path), Permissions::from_mode(0o555)).expect("we own it");
        }
        make_writable(CWD, &tree).expect("we own it");
        assert_eq!(fs::metadata(tree.join("cache/module")).expect("it exists").permissions().mode() & 0o777, 0o700);
        remove_all(&tree).expect("we own it");
        assert!(!tree.exists() && outside.join("kept").exists());
        remove_all(&tree).expect("it is gone already");
    }
}
