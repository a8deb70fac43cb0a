//! Moving damaged files out of the way.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use chrono::Utc;

use super::{StoreError, fault, layout::stamp};

/// Renames an unreadable file, and returns its new path. Damaged files are never deleted.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let part = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, extension) = (part(path.file_stem()), part(path.extension()));
    // Files that are set aside within the same millisecond need different names.
    let more = std::iter::successors(Some(String::new()), |more| Some(format!("{more}+")));
    let now = stamp(Utc::now());
    let mut names = more.map(|more| path.with_file_name(format!("{stem}-damaged-{now}{more}.{extension}")));
    let aside = names.find(|aside| aside.symlink_metadata().is_err()).expect("the sequence of names is infinite");
    fault::point("set aside").and_then(|()| fs::rename(path, &aside)).map_err(StoreError::at("set aside", path))?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_set_aside_at_the_same_time_are_all_kept() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let path = dir.path().join("record.json");
        for content in 0..50 {
            fs::write(&path, [content]).expect("the directory is writable");
            set_aside(&path).expect("the directory is writable");
        }
        assert_eq!(fs::read_dir(dir.path()).expect("it exists").count(), 50);
    }
}
