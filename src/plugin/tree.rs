//! A directory of small files in memory, to compare it with one on disk and to write it there.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Upper bound on a file's length, in bytes. A longer one is not ours.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Files by their path inside the directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FileTree(pub(super) BTreeMap<PathBuf, PluginFile>);

/// One file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PluginFile {
    pub(super) content: Vec<u8>,
    pub(super) is_executable: bool,
}

impl FileTree {
    /// Reads a directory. Fails if it contains anything that [`write`](Self::write) never creates, such as a symbolic
    /// link.
    pub(super) fn read(directory: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        if !directory.symlink_metadata()?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        tree.add(directory, Path::new(""))?;
        Ok(tree)
    }

    fn add(&mut self, root: &Path, inside: &Path) -> io::Result<()> {
        for entry in fs::read_dir(root.join(inside))? {
            let entry = entry?;
            let (kind, path) = (entry.file_type()?, inside.join(entry.file_name()));
            if kind.is_dir() {
                self.add(root, &path)?;
                continue;
            }
            let metadata = entry.metadata()?;
            if !kind.is_file() || metadata.len() > MAX_FILE_BYTES {
                return Err(ErrorKind::InvalidData.into());
            }
            let is_executable = metadata.permissions().mode() & 0o100 != 0;
            self.0.insert(path, PluginFile { content: fs::read(entry.path())?, is_executable });
        }
        Ok(())
    }

    /// Writes all files into an existing, empty directory, so that they survive a power cut. Only the owner can read
    /// them.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        for (path, file) in &self.0 {
            let path = directory.join(path);
            fs::create_dir_all(path.parent().unwrap_or(directory))?;
            let mode = if file.is_executable { 0o700 } else { 0o600 };
            let mut written = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
            written.write_all(&file.content)?;
            written.sync_data()?;
        }
        Ok(())
    }
}
