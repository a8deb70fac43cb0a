//! Opening files of the data directory safely.
//!
//! Planting a name in one of our directories gains an attacker nothing: symbolic links are not followed, opening a pipe
//! or a device does not block, and files that we create are private (0600, directories 0700) regardless of the umask.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, ErrorKind, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::OFlags;

use super::{StoreError, aside::set_aside, fault, if_exists, lock_file::LockFile};

/// Flags of every open: fail if the last part of the path is a symbolic link, and do not block on a pipe.
fn open_flags() -> i32 {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    i32::try_from(flags.bits()).expect("open flags fit into 32 bits")
}

/// Opens a file for reading. Fails with [`ErrorKind::InvalidData`] if it is not a regular file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    require_regular(OpenOptions::new().read(true).custom_flags(open_flags()).open(path)?)
}

/// Size limit of small files, such as those in a run directory, in bytes.
pub(super) const MAX_SMALL_FILE_BYTES: u64 = 1 << 20;

/// Size limit of records and of files with an entry for each task, in bytes.
pub(super) const MAX_LARGE_FILE_BYTES: u64 = 256 << 20;

/// Reads a whole file. If it has more than `limit` bytes, fails with [`ErrorKind::FileTooLarge`] before reading any of
/// it.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_all(open(path)?, limit)
}

/// Like [`read`], for an open file.
pub(super) fn read_all(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let too_large = || Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {}", size(limit))));
    let length = file.metadata()?.len();
    if length > limit {
        return too_large();
    }
    // One more byte, so that the end of the file is found without more memory.
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    file.take(limit + 1).read_to_end(&mut content)?;
    // The file may have grown after the check.
    if content.len() as u64 > limit { too_large() } else { Ok(content) }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..MAX_SMALL_FILE_BYTES => format!("{} KiB", bytes >> 10),
        MAX_SMALL_FILE_BYTES.. => format!("{} MiB", bytes >> 20),
    }
}

/// Opens a file for reading and writing. Creates it if it does not exist, and keeps existing content.
pub(super) fn read_and_write(path: &Path) -> io::Result<File> {
    open_private(path, OpenOptions::new().create(true).truncate(false).read(true).write(true))
}

/// Opens a file for appending, and creates it if it does not exist.
pub(super) fn append(path: &Path) -> io::Result<File> {
    open_private(path, OpenOptions::new().create(true).append(true))
}

/// Opens a file for writing. Creates it if it does not exist, and keeps existing content.
pub(super) fn write(path: &Path) -> io::Result<File> {
    open_private(path, OpenOptions::new().create(true).truncate(false).write(true))
}

/// Like [`write`], for an empty file with a well-known name, such as a lock or a marker. Anything else found under that
/// name is set aside.
pub(super) fn mark(path: &Path) -> Result<File, StoreError> {
    let made = match write(path) {
        Err(error) if is_foreign(&error) => {
            set_aside(path)?;
            write(path)
        }
        made => made,
    };
    made.map_err(StoreError::at("open", path))
}

/// Removes a file that [`mark`] created.
pub(super) fn unmark(path: &Path) -> Result<(), StoreError> {
    match remove(path) {
        Err(error) if is_foreign(&error) => set_aside(path).map(drop),
        removed => removed.map_err(StoreError::at("remove", path)),
    }
}

/// Whether the path still leads to this file, and not to a new one with the same name.
pub(super) fn is_at(path: &Path, file: &File) -> bool {
    let (Ok(found), Ok(file)) = (fs::symlink_metadata(path), file.metadata()) else { return false };
    (found.dev(), found.ino()) == (file.dev(), file.ino())
}

/// Removes a file if it exists.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    fault::point("remove")?;
    if_exists(fs::remove_file(path)).map(drop)
}

/// Removes an empty directory if it exists.
pub(super) fn remove_dir(path: &Path) -> io::Result<()> {
    fault::point("rmdir")?;
    if_exists(fs::remove_dir(path)).map(drop)
}

/// Makes the names in `dir` durable. Some file systems cannot sync a directory; that is not an error.
pub(super) fn sync_names(dir: &Path) -> io::Result<()> {
    fault::point("sync names")?;
    match File::open(dir)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Locks a file, which is created like in [`mark`], until the returned value is dropped. Returns `None` if another
/// process still holds the lock after `max_wait`.
pub(super) fn lock(path: &Path, max_wait: Duration) -> Result<Option<LockFile>, StoreError> {
    let file = LockFile::from(mark(path)?);
    let deadline = Instant::now() + max_wait;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(StoreError::at("lock", path)(error)),
        }
    }
}

fn open_private(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    fault::point("open")?;
    let file = require_regular(how.mode(0o600).custom_flags(open_flags()).open(path)?)?;
    make_private(&file)?;
    Ok(file)
}

/// Sets the mode to 0600, regardless of the umask and of the previous mode.
pub(super) fn make_private(file: &File) -> io::Result<()> {
    if file.metadata()?.mode() & 0o777 == 0o600 {
        return Ok(());
    }
    fault::point("chmod")?;
    file.set_permissions(Permissions::from_mode(0o600))
}

fn require_regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(ErrorKind::InvalidData, "not a regular file"))
    }
}

/// Whether an error means that the path holds something that is not our file, that we may not read, or that is too
/// large. Such a thing is set aside. Other errors say nothing about the file itself.
pub(super) fn is_foreign(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::FileTooLarge)
        || matches!(
            errno,
            Some(Errno::ISDIR | Errno::LOOP | Errno::MLINK | Errno::ACCESS | Errno::NXIO | Errno::NOTDIR)
        )
}

/// Creates a directory and its parents, accessible only to the owner. An existing directory is not changed.
pub(super) fn make_private_dir(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(above) = dir.parent() {
        make_private_dir(above).map_err(|error| StoreError { path: dir.to_owned(), ..error })?;
    }
    match make_new_dir(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        made => made.map_err(StoreError::at("create", dir)),
    }
}

/// Creates a directory, accessible only to the owner. Fails if it exists.
pub(super) fn make_new_dir(dir: &Path) -> io::Result<()> {
    fault::point("mkdir")?;
    DirBuilder::new().mode(0o700).create(dir)?;
    if fs::metadata(dir)?.mode() & 0o777 == 0o700 {
        return Ok(());
    }
    fault::point("chmod")?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// Why the content of a directory cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UntrustedDirectory {
    /// Another user owns it.
    #[error("it belongs to user {owner}, and this is user {ourselves}")]
    OtherOwner {
        /// The owner's ID.
        owner: u32,
        /// The ID of the user who runs this program.
        ourselves: u32,
    },
    /// Everyone may write to it.
    #[error("everyone can write to it")]
    WritableByAll,
}

impl UntrustedDirectory {
    /// Finds this reason in an error of the store.
    pub fn of(error: &StoreError) -> Option<Self> {
        error.source.get_ref()?.downcast_ref().copied()
    }
}

/// Rejects a directory that another user owns or that everyone may write to, because its content cannot be trusted.
pub(super) fn check_owner(dir: &Path) -> Result<(), StoreError> {
    let refuse =
        |why: UntrustedDirectory| Err(StoreError::at("use", dir)(io::Error::new(ErrorKind::PermissionDenied, why)));
    let found = fs::metadata(dir).map_err(StoreError::at("inspect", dir))?;
    let ourselves = rustix::process::geteuid().as_raw();
    if found.uid() != ourselves {
        return refuse(UntrustedDirectory::OtherOwner { owner: found.uid(), ourselves });
    }
    if found.mode() & 0o002 != 0 {
        return refuse(UntrustedDirectory::WritableByAll);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn dir() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory can be created")
    }

    #[test]
    fn a_link_is_not_followed_and_a_pipe_is_not_waited_for() {
        let dir = dir();
        let (link, target, pipe) = (dir.path().join("link"), dir.path().join("target"), dir.path().join("pipe"));
        fs::write(&target, "precious").expect("it is writable");
        symlink(&target, &link).expect("it is writable");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .expect("it is writable");
        for path in [&link, &pipe, &dir.path().to_owned()] {
            assert!(open(path).is_err_and(|error| is_foreign(&error)), "{} was opened", path.display());
            assert!(append(path).is_err_and(|error| is_foreign(&error)), "{} was opened", path.display());
        }
        mark(&link).expect("the link is moved out of the way");
        assert_eq!(fs::read_to_string(&target).expect("it exists"), "precious");
    }

    #[test]
    fn a_file_larger_than_its_limit_is_not_read() {
        let dir = dir();
        let path = dir.path().join("file");
        fs::write(&path, vec![b'x'; 1 << 20]).expect("it is writable");
        assert_eq!(read(&path, MAX_SMALL_FILE_BYTES).expect("it is small enough").len(), 1 << 20);
        // A sparse file, much larger than the machine's memory.
        File::create(&path).and_then(|file| file.set_len(1 << 42)).expect("it is writable");
        for (limit, words) in [(4 << 10, "4 KiB"), (MAX_SMALL_FILE_BYTES, "1 MiB"), (MAX_LARGE_FILE_BYTES, "256 MiB")] {
            let error = read(&path, limit).expect_err("it is too large");
            assert!(is_foreign(&error) && error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn a_directory_that_everyone_may_write_to_is_refused() {
        let dir = dir();
        check_owner(dir.path()).expect("we own it");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).expect("we own it");
        let refusal = check_owner(dir.path()).expect_err("everyone can write to it");
        assert_eq!(UntrustedDirectory::of(&refusal), Some(UntrustedDirectory::WritableByAll), "{refusal}");
    }

    #[test]
    fn a_directory_of_another_user_is_refused() {
        let given_away = dir();
        // Only root can give files away; for everyone else, a directory of root serves as the example.
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            std::os::unix::fs::chown(given_away.path(), Some(12_345), None).expect("root may give files away");
        }
        let other = if is_root { given_away.path() } else { Path::new("/etc") };
        let refusal = check_owner(other).expect_err("another user owns it");
        let reason = UntrustedDirectory::of(&refusal);
        assert!(matches!(reason, Some(UntrustedDirectory::OtherOwner { .. })), "{refusal}");
        assert!(refusal.to_string().contains("it belongs to user"), "{refusal}");
    }
}
