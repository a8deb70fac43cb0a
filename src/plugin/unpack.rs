//! Writes the plugin into the data directory. A reader sees a complete directory of one version, never a part of one.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{
    files::{FILES, NAME, PluginProgram, VERSION, marketplace, rendered},
    problem::PluginProblem,
    tree::FileTree,
};

/// Name of the lock file.
const LOCK: &str = ".lock";

/// How long to wait for another process that changes the directory, which takes a few milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait between two attempts to get the lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(10);

/// The directory with the manifest of the marketplace, and, in a plugin, with that of the plugin.
const MANIFESTS: &str = ".claude-plugin";

/// Prefix of directories that are not complete yet, or no longer used.
const TEMPORARY_PREFIX: &str = ".new-";

/// The directories of the unpacked plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The plugin of this version.
    pub plugin: PathBuf,
    /// The marketplace that contains it.
    pub marketplace: PathBuf,
}

impl Unpacked {
    /// The directories in a data directory, whether they exist or not.
    pub fn in_data_dir(data_dir: &Path) -> Self {
        let marketplace = data_dir.join("plugin");
        Self { plugin: marketplace.join(VERSION), marketplace }
    }
}

/// Unpacks the plugin into an existing data directory, unless it is there already.
///
/// A directory of this version with other content is replaced in one step. Other versions are removed, except the one
/// that was current before. Files that this program has not created are kept, and links are not followed.
pub fn unpack(data_dir: &Path, program: &PluginProgram) -> Result<Unpacked, PluginProblem> {
    let files = rendered(program)?;
    let unpacked = Unpacked::in_data_dir(data_dir);
    let at = PluginProblem::at(&unpacked.marketplace);
    check_is_ours(&unpacked)?;
    fs::create_dir_all(&unpacked.marketplace).map_err(&at)?;
    let _lock = lock(&unpacked.marketplace)?;
    let previous = current_version(&unpacked.marketplace);
    if FileTree::read(&unpacked.plugin).ok().as_ref() != Some(&files) {
        install(&files, &unpacked).map_err(&at)?;
    }
    write_marketplace(&unpacked.marketplace).map_err(&at)?;
    let is_kept = |name: &str| name == VERSION || Some(name) == previous.as_deref();
    remove_entries(&unpacked.marketplace, is_kept).map_err(&at)?;
    Ok(unpacked)
}

/// Whether [`unpack`] would be refused, because something in the data directory is not ours.
pub fn check_destination(data_dir: &Path) -> Result<(), PluginProblem> {
    check_is_ours(&Unpacked::in_data_dir(data_dir))
}

/// Whether [`unpack`] would change nothing.
pub fn is_unpacked(data_dir: &Path, program: &PluginProgram) -> bool {
    let unpacked = Unpacked::in_data_dir(data_dir);
    let is_current = current_version(&unpacked.marketplace).as_deref() == Some(VERSION);
    is_current && rendered(program).is_ok_and(|files| FileTree::read(&unpacked.plugin).is_ok_and(|now| now == files))
}

/// Removes everything that [`unpack`] created. Succeeds if nothing is there. Other files are kept.
pub fn remove(data_dir: &Path) -> Result<(), PluginProblem> {
    let directory = Unpacked::in_data_dir(data_dir).marketplace;
    if !is_directory(&directory) {
        return Ok(());
    }
    let _lock = lock(&directory)?;
    remove_all(&directory).map_err(PluginProblem::at(&directory))
}

fn remove_all(directory: &Path) -> io::Result<()> {
    remove_entries(directory, |_| false)?;
    let manifests = directory.join(MANIFESTS);
    if is_directory(&manifests) {
        remove_entry(&manifests.join("marketplace.json"))?;
        remove_if_empty(&manifests)?;
    }
    remove_entry(&directory.join(LOCK))?;
    remove_if_empty(directory)
}

fn remove_if_empty(directory: &Path) -> io::Result<()> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed,
    }
}

/// Whether the path is a directory, and not a link to one.
fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// Fails if a directory that [`unpack`] writes to leads elsewhere, or if it would replace files that are not ours.
fn check_is_ours(unpacked: &Unpacked) -> Result<(), PluginProblem> {
    let directories = [unpacked.marketplace.clone(), unpacked.marketplace.join(MANIFESTS)];
    let wrong = directories.into_iter().find(|path| path.symlink_metadata().is_ok() && !is_directory(path));
    // A link in place of the plugin is replaced; its target is kept.
    let plugin = &unpacked.plugin;
    let is_replaceable = plugin.is_symlink() || plugin.symlink_metadata().is_err() || contains_plugin(plugin);
    match wrong.or_else(|| (!is_replaceable).then(|| plugin.clone())) {
        Some(path) => Err(PluginProblem::NotOurs { path }),
        None => Ok(()),
    }
}

/// Whether a directory contains our plugin, of any version, or nothing.
fn contains_plugin(directory: &Path) -> bool {
    if !is_directory(directory) {
        return false;
    }
    let manifest = fs::read(directory.join(MANIFESTS).join("plugin.json")).ok();
    let manifest = manifest.and_then(|content| serde_json::from_slice::<serde_json::Value>(&content).ok());
    manifest.is_some_and(|manifest| manifest["name"] == NAME) || is_empty(directory)
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}

/// Whether a name is a version such as `2.1.0-dev`.
fn is_version(name: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = name.split_once(['-', '+']).map_or(name, |(numbers, _)| numbers);
    numbers.split('.').count() == 3 && numbers.split('.').all(is_number)
}

/// Whether a directory was left behind by a process that was interrupted while it wrote or replaced the plugin.
fn is_interrupted(directory: &Path) -> bool {
    let is_written = |path: &PathBuf| FILES.iter().any(|(file, _)| Path::new(file) == path);
    contains_plugin(directory)
        || contains_plugin(&directory.join("old"))
        || FileTree::read(directory).is_ok_and(|files| files.0.keys().all(is_written))
}

fn lock(directory: &Path) -> Result<File, PluginProblem> {
    let at = PluginProblem::at(directory);
    let file = File::options().create(true).truncate(false).write(true).open(directory.join(LOCK)).map_err(&at)?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_INTERVAL),
            Err(TryLockError::WouldBlock) => {
                return Err(PluginProblem::Locked { path: directory.to_owned(), waited: LOCK_TIMEOUT });
            }
            Err(TryLockError::Error(error)) => return Err(at(error)),
        }
    }
}

/// Writes the files next to their destination, and then exchanges them with the previous ones.
fn install(files: &FileTree, unpacked: &Unpacked) -> io::Result<()> {
    let new = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(&unpacked.marketplace)?;
    files.write(new.path())?;
    if unpacked.plugin.symlink_metadata().is_err() {
        return fs::rename(new.keep(), &unpacked.plugin);
    }
    match renameat_with(CWD, new.path(), CWD, &unpacked.plugin, RenameFlags::EXCHANGE) {
        Ok(()) => {}
        // Some file systems cannot exchange two names. For a moment, the directory then does not exist.
        Err(_) => {
            let old = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(&unpacked.marketplace)?;
            fs::rename(&unpacked.plugin, old.path().join("old"))?;
            fs::rename(new.path(), &unpacked.plugin)?;
        }
    }
    // The temporary name now belongs to the old directory, or to nothing.
    remove_entry(&new.keep())
}

fn write_marketplace(directory: &Path) -> io::Result<()> {
    let (manifests, content) = (directory.join(MANIFESTS), marketplace());
    let file = manifests.join("marketplace.json");
    if fs::read(&file).is_ok_and(|now| now == content.as_bytes()) {
        return Ok(());
    }
    fs::create_dir_all(&manifests)?;
    let mut new = tempfile::NamedTempFile::new_in(&manifests)?;
    new.write_all(content.as_bytes())?;
    new.as_file().sync_data()?;
    new.persist(file).map(|_| ()).map_err(|failed| failed.error)
}

/// The version that the marketplace names.
fn current_version(directory: &Path) -> Option<String> {
    let content = fs::read(directory.join(".claude-plugin/marketplace.json")).ok()?;
    let marketplace: serde_json::Value = serde_json::from_slice(&content).ok()?;
    let source = marketplace["plugins"][0]["source"].as_str()?;
    source.strip_prefix("./").map(str::to_owned)
}

/// Removes all versions that are not kept, and what an interrupted process left behind. Other entries are kept.
fn remove_entries(directory: &Path, is_kept: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_ours = (is_version(&name) && contains_plugin(&entry.path()))
            || (name.starts_with(TEMPORARY_PREFIX) && is_interrupted(&entry.path()));
        if is_ours && !is_kept(&name) {
            remove_entry(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file, a link or a directory; succeeds if it does not exist.
fn remove_entry(path: &Path) -> io::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
