//! Short names for paths.

use std::{os::unix::ffi::OsStrExt, path::Path};

/// A name for a file or directory that stands for `path`: 16 hexadecimal digits, the same in every version of this
/// program. Two paths can have the same name, so whatever is stored under it must also contain the path.
pub fn path_key(path: &Path) -> String {
    // FNV-1a, because the hash functions of the standard library may change.
    let hash = path
        .as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_path_never_changes() {
        assert_eq!(path_key(Path::new("")), "cbf29ce484222325");
        assert_eq!(path_key(Path::new("/home/user/project")), "f8a71a04e8340307");
    }
}
