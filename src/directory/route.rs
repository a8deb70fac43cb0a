//! The steps that the kernel takes when it resolves a path.
//!
//! To resolve a path, the kernel looks up one name after another, and at a symbolic link it continues from the link's
//! target. Anyone who can change one of these steps decides where the path leads, even if its real path is elsewhere.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

/// Maximum number of symbolic links that Linux follows in one path. This also ends loops.
const MAX_LINKS: usize = 40;

/// The resolution of an absolute path, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The real path of every step: directories, symbolic links, and names that do not exist.
    steps: Vec<PathBuf>,
    end: PathBuf,
}

impl Route {
    /// Resolves `path` as far as it exists, and appends the remaining names. In a loop of links, the resolution ends at
    /// one of them.
    pub fn of(path: &Path) -> Self {
        let mut rest = names(path);
        let mut route = Self { steps: vec![], end: PathBuf::from("/") };
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                route.end.pop();
                continue;
            }
            let step = route.end.join(&name);
            route.steps.push(step.clone());
            match fs::read_link(&step) {
                Ok(target) if links < MAX_LINKS => {
                    links += 1;
                    if target.is_absolute() {
                        route.end = PathBuf::from("/");
                    }
                    let after = std::mem::replace(&mut rest, names(&target));
                    rest.extend(after);
                }
                // Either a loop or not a link.
                Ok(_) | Err(_) => route.end = step,
            }
        }
        route
    }

    /// The path without symbolic links.
    pub fn end(&self) -> &Path {
        &self.end
    }

    /// The last step that is `directory` or below it. `directory` is a real path.
    pub fn path_in(&self, directory: &Path) -> Option<&Path> {
        let mut steps = self.steps.iter().map(PathBuf::as_path).chain([self.end()]);
        steps.rfind(|step| step.starts_with(directory))
    }
}

/// The names in a path. Keeps `..`, because its meaning depends on the names before it.
fn names(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let real = dir.path().canonicalize().expect("it exists");
        for sub in ["a/b", "c"] {
            fs::create_dir_all(real.join(sub)).expect("it is writable");
        }
        (dir, real)
    }

    #[test]
    fn the_route_ends_where_the_kernel_ends() {
        let (_dir, real) = scratch();
        symlink(real.join("a"), real.join("absolute")).expect("it is writable");
        symlink("../a/b", real.join("c/relative")).expect("it is writable");
        symlink("c/relative", real.join("twice")).expect("it is writable");
        for path in ["a/b", "a/./b/", "absolute/b", "c/relative", "twice", "twice/..", "absolute/../c", "a/../../../.."]
        {
            let path = real.join(path);
            assert_eq!(Route::of(&path).end(), path.canonicalize().expect("it exists"), "{}", path.display());
        }
    }

    #[test]
    fn each_link_is_a_step_of_the_route() {
        let (_dir, real) = scratch();
        symlink("../a/b", real.join("c/relative")).expect("it is writable");
        symlink("c/relative", real.join("twice")).expect("it is writable");
        let route = Route::of(&real.join("twice"));
        for (directory, step) in [
            ("twice", Some("twice")),
            ("c", Some("c/relative")),
            ("a", Some("a/b")),
            ("a/b", Some("a/b")),
            ("elsewhere", None),
        ] {
            let step = step.map(|step| real.join(step));
            assert_eq!(route.path_in(&real.join(directory)), step.as_deref(), "{directory}");
        }
        let through = Route::of(&real.join("a/b/../../c"));
        assert_eq!(through.path_in(&real.join("a/b")), Some(&*real.join("a/b")), "a link could be put there");
    }

    #[test]
    fn a_dangling_path_is_resolved_as_far_as_possible() {
        let (_dir, real) = scratch();
        symlink("missing/x", real.join("dangling")).expect("it is writable");
        symlink("there", real.join("here")).expect("it is writable");
        symlink("here", real.join("there")).expect("it is writable");
        assert_eq!(Route::of(&real.join("dangling/y")).end(), real.join("missing/x/y"));
        let around = Route::of(&real.join("here/y"));
        for link in ["here", "there"] {
            assert!(around.path_in(&real.join(link)).is_some(), "{link}: {around:?}");
        }
    }
}
