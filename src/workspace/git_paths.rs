//! Paths as git prints and reads them.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

/// A path that git printed with `-z`.
pub(super) fn as_path(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

/// Paths as git reads them with `-z`.
pub(super) fn nul_separated<'a>(paths: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut text = Vec::new();
    for path in paths {
        text.extend(path);
        text.push(0);
    }
    text
}
