//! Short names for repositories and work trees.

use std::{os::unix::ffi::OsStrExt, path::Path};

/// A short name for a repository, given its common directory, or for a work tree, given its top: 16 hexadecimal digits.
/// It is the same in every version of this program.
pub fn repository_key(common_dir: &Path) -> String {
    // FNV-1a with 64 bits. The hash function of the standard library may change.
    let hash =
        common_dir.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    format!("{hash:016x}")
}

/// Whether a name has the form of a [`repository_key`].
pub fn is_repository_key(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
