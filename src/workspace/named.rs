//! The files that an agent's events name, as paths of the repository.

use std::{
    collections::BTreeSet,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use crate::task::{GitPath, Place};

/// The paths of files in the work tree, relative to its top, in order. `named` are paths as an agent writes them:
/// absolute, or relative to the working directory. Paths outside the work tree are left out.
///
/// Does not look at the file system: the agent may have changed what is there.
pub(super) fn named_paths(place: &Place, named: &BTreeSet<PathBuf>) -> Vec<GitPath> {
    let directory = place.top.join(&place.prefix);
    let inside = |path: &PathBuf| {
        let path = normalized(&directory.join(path))?;
        let relative = path.strip_prefix(&place.top).ok()?;
        (!relative.as_os_str().is_empty()).then(|| GitPath::from_bytes(relative.as_os_str().as_bytes()))
    };
    let paths: BTreeSet<GitPath> = named.iter().filter_map(inside).collect();
    paths.into_iter().collect()
}

/// The absolute path without `.` and `..`; `None` if it leads above the root.
fn normalized(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => normal.push(part),
        }
    }
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::ObjectFormat;

    #[test]
    fn names_are_relative_to_the_top_and_only_those_inside_count() {
        let place = Place {
            top: "/repo".into(),
            git_dir: "/repo/.git".into(),
            common_dir: "/repo/.git".into(),
            prefix: "sub".into(),
            object_format: ObjectFormat::Sha1,
        };
        for (named, expected) in [
            ("a.txt", Some("sub/a.txt")),
            ("./a.txt", Some("sub/a.txt")),
            ("../b", Some("b")),
            ("/repo/sub/../c/./d", Some("c/d")),
            ("/repo/-x", Some("-x")),
            ("/repository/a", None),
            ("../../etc/passwd", None),
            ("/repo/../repo2/x", None),
            ("/..", None),
            ("..", None),
            ("", Some("sub")),
        ] {
            let paths = named_paths(&place, &BTreeSet::from([named.into()]));
            assert_eq!(paths.first().map(GitPath::as_bytes), expected.map(str::as_bytes), "{named}");
        }
        let twice = BTreeSet::from(["a".into(), "/repo/sub/a".into()]);
        assert_eq!(named_paths(&place, &twice).len(), 1);
    }
}
