//! Moves objects from a shadow repository into the user's repository.

use std::{
    ffi::OsStr,
    fs::{self, DirEntry},
    io::{self, ErrorKind},
    path::Path,
};

/// Adds all objects in `from` to the object directory `to`, by hard links or copies. Objects that are already there are
/// left alone. Packs come before their index, which makes git use them, and after both the loose objects.
///
/// Fails if `to`, or a directory in it, is a symbolic link: an agent could have put it there to make us write elsewhere.
pub(super) fn publish(from: &Path, to: &Path) -> io::Result<()> {
    check_directory(to)?;
    let mut directories = entries(from)?;
    directories.retain(|entry| is_fan_out(&entry.file_name()) || entry.file_name() == "pack");
    directories.sort_by_key(|entry| (entry.file_name() != "pack", entry.file_name()));
    for directory in directories {
        let mut objects = entries(&directory.path())?;
        if objects.is_empty() {
            continue;
        }
        let target = to.join(directory.file_name());
        match fs::create_dir(&target) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made?,
        }
        check_directory(&target)?;
        objects.sort_by_key(|object| object.path().extension() == Some(OsStr::new("idx")));
        for object in objects.iter().filter(|object| !is_temporary(&object.file_name())) {
            add(&object.path(), &target.join(object.file_name()))?;
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

fn check_directory(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() {
        return Ok(());
    }
    Err(io::Error::new(ErrorKind::NotADirectory, "a directory of the object store is a symbolic link or a file"))
}

/// Adds one file.
fn add(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        // Another file system, one without links, or too many links.
        Err(_) => {}
    }
    let parent = to.parent().unwrap_or(Path::new("/"));
    // git removes leftovers with this name.
    let mut copy = tempfile::Builder::new().prefix("tmp_obj_").tempfile_in(parent)?;
    let mut original = fs::File::open(from)?;
    io::copy(&mut original, &mut copy)?;
    copy.as_file().set_permissions(original.metadata()?.permissions())?;
    match copy.persist_noclobber(to) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}
