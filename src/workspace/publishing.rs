//! Moves objects from a shadow repository into the user's repository.
//!
//! An agent may be running. It could replace a directory by a symbolic link to make us write elsewhere, so each
//! directory is opened once, without following one, and its objects are added to what was opened.

use std::{
    ffi::OsStr,
    fs::{self, DirEntry, File},
    io::{self, ErrorKind},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, fchmod, linkat, mkdirat, open, openat, unlinkat},
    io::Errno,
};

use crate::task::TaskId;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Adds all objects in `from` to the object directory `to`, by hard links or copies. Objects that are already there are
/// left alone. Packs come before their index, which makes git use them, and after both the loose objects.
///
/// Fails if `to`, or a directory in it, is a symbolic link.
pub(super) fn publish(from: &Path, to: &Path) -> io::Result<()> {
    let to = open(to, DIRECTORY, Mode::empty())?;
    let mut directories = entries(from)?;
    directories.retain(|entry| is_fan_out(&entry.file_name()) || entry.file_name() == "pack");
    directories.sort_by_key(|entry| (entry.file_name() != "pack", entry.file_name()));
    for directory in directories {
        let mut objects = entries(&directory.path())?;
        if objects.is_empty() {
            continue;
        }
        let target = open_or_create(to.as_fd(), &directory.file_name())?;
        objects.sort_by_key(|object| object.path().extension() == Some(OsStr::new("idx")));
        for object in objects.iter().filter(|object| !is_temporary(&object.file_name())) {
            add(&object.path(), target.as_fd(), &object.file_name())?;
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> io::Result<Vec<DirEntry>> {
    fs::read_dir(directory)?.collect()
}

/// The name of a directory of loose objects: the first two digits of their names.
fn is_fan_out(name: &OsStr) -> bool {
    name.len() == 2 && name.as_encoded_bytes().iter().all(u8::is_ascii_hexdigit)
}

fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"tmp_")
}

fn open_or_create(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => Ok(openat(parent, name, DIRECTORY, Mode::empty())?),
        Err(error) => Err(error.into()),
    }
}

/// Adds one file to a directory.
fn add(from: &Path, directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match linkat(CWD, from, directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::EXIST) => return Ok(()),
        // Another file system, one without links, or too many links.
        Err(_) => {}
    }
    // git removes leftovers with this name.
    let temporary = format!("tmp_obj_{}", TaskId::random());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut copy = File::from(openat(directory, temporary.as_str(), flags, Mode::from_raw_mode(0o600))?);
    let added = fill(from, &mut copy).and_then(|()| {
        match linkat(directory, temporary.as_str(), directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            // A file system without links.
            Err(_) => rename(directory, &temporary, name),
        }
    });
    match unlinkat(directory, temporary.as_str(), AtFlags::empty()) {
        Err(error) if error.kind() != ErrorKind::NotFound => added.and(Err(error.into())),
        _ => added,
    }
}

fn fill(from: &Path, copy: &mut File) -> io::Result<()> {
    let mut original = File::open(from)?;
    io::copy(&mut original, copy)?;
    fchmod(&*copy, Mode::from_raw_mode(std::os::unix::fs::PermissionsExt::mode(&original.metadata()?.permissions())))
        .map_err(io::Error::from)
}

/// Renames a file in a directory. An existing one has the same content, because objects are named by it.
fn rename(directory: BorrowedFd<'_>, from: &str, to: &OsStr) -> io::Result<()> {
    Ok(rustix::fs::renameat(directory, from, directory, to)?)
}
