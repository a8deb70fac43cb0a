//! Which files of a repository a request is about.

use std::path::{Component, Path, PathBuf};

use crate::task::{ChangedPath, GitPath, TaskId};

use super::NotOperable;

/// Files and directories as the caller names them. None means everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathSelection {
    /// The paths.
    pub paths: Vec<PathBuf>,
    /// The directory at which relative paths begin; `None` for the top of the work tree. Ignored if it is outside the
    /// repository.
    pub base: Option<PathBuf>,
}

/// The same, relative to the top of the work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selectors(Vec<Selector>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Selector {
    given: PathBuf,
    /// Empty for everything.
    path: GitPath,
}

impl PathSelection {
    /// These paths, relative to the top of the work tree unless they are absolute.
    pub fn of(paths: Vec<PathBuf>) -> Self {
        Self { paths, base: None }
    }

    /// The paths relative to the top of the work tree, which is one of `tops`: that of the user, and that of the task's
    /// own worktree. Fails with [`NotOperable::OutsideRepository`].
    pub(super) fn selectors(&self, id: &TaskId, tops: &[&Path]) -> Result<Selectors, NotOperable> {
        let below_top = |path: &Path| tops.iter().find_map(|top| path.strip_prefix(top).ok().map(Path::to_owned));
        let base = self.base.as_deref().and_then(below_top).unwrap_or_default();
        let selector = |given: &PathBuf| {
            let path = match given.is_absolute() {
                true => plain(given).and_then(|path| below_top(&path).or_else(|| below_top(&real(&path)?))),
                false => plain(&base.join(given)),
            };
            let outside = || NotOperable::OutsideRepository {
                id: id.clone(),
                path: given.clone(),
                top: tops.first().map(|top| top.to_path_buf()).unwrap_or_default(),
            };
            Ok(Selector { given: given.clone(), path: path.ok_or_else(outside)?.into() })
        };
        self.paths.iter().map(selector).collect::<Result<_, _>>().map(Selectors)
    }
}

impl Selectors {
    /// Whether everything is selected: nothing is named, or the top of the work tree is.
    pub(super) fn is_everything(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(|selector| selector.path.as_bytes().is_empty())
    }

    /// Whether nothing is named.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths of files and directories for git.
    pub(super) fn paths(&self) -> Vec<GitPath> {
        self.0.iter().map(|selector| selector.path.clone()).collect()
    }

    /// Whether one of the paths of this file is selected.
    pub(super) fn has(&self, file: &ChangedPath) -> bool {
        self.is_everything() || self.0.iter().any(|selector| selector.has(file))
    }

    /// Fails with [`NotOperable::UnchangedPath`] if a selected path has no changed file.
    pub(super) fn check_all_changed(&self, id: &TaskId, files: &[ChangedPath]) -> Result<(), NotOperable> {
        match self.0.iter().find(|selector| !files.iter().any(|file| selector.has(file))) {
            Some(selector) => Err(NotOperable::UnchangedPath { id: id.clone(), path: selector.given.clone() }),
            None => Ok(()),
        }
    }
}

impl Selector {
    fn has(&self, file: &ChangedPath) -> bool {
        let selects = |path: &GitPath| {
            let rest = path.as_bytes().strip_prefix(self.path.as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || self.path.as_bytes().is_empty() || rest.starts_with(b"/"))
        };
        selects(&file.path) || file.old_path.as_ref().is_some_and(selects)
    }
}

/// The path without `.` and `..`; `None` if it leads above its beginning.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !plain.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) | Component::Normal(_) => plain.push(component),
        }
    }
    Some(plain)
}

/// The path with a real directory. The file itself may not exist any more, or be a symbolic link.
fn real(path: &Path) -> Option<PathBuf> {
    Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::ChangeKind;

    fn file(path: &str, old: Option<&str>) -> ChangedPath {
        ChangedPath {
            path: GitPath::from_bytes(path),
            old_path: old.map(GitPath::from_bytes),
            kind: ChangeKind::Modified,
            added: None,
            removed: None,
            is_named: true,
        }
    }

    fn selected(paths: &[&str], base: Option<&str>) -> Result<Selectors, NotOperable> {
        let selection =
            PathSelection { paths: paths.iter().map(PathBuf::from).collect(), base: base.map(PathBuf::from) };
        let id = TaskId::parse("1a2b3c4d").expect("a valid task ID");
        selection.selectors(&id, &[Path::new("/repo"), Path::new("/trees/x/repo")])
    }

    #[test]
    fn paths_are_relative_to_the_base_or_absolute_in_one_of_the_work_trees() {
        for (path, base, expected) in [
            ("src/a", None, "src/a"),
            ("./a", Some("/repo/src"), "src/a"),
            ("../b", Some("/repo/src"), "b"),
            ("a", Some("/elsewhere"), "a"),
            ("/repo/src/a", Some("/elsewhere"), "src/a"),
            ("/trees/x/repo/src/../a", None, "a"),
            (".", Some("/trees/x/repo"), ""),
            ("/repo", None, ""),
        ] {
            let selectors = selected(&[path], base).expect(path);
            assert_eq!(selectors.paths(), [GitPath::from_bytes(expected)], "{path}");
        }
        for (path, base) in
            [("../a", None), ("../../a", Some("/repo/src")), ("/etc/passwd", None), ("/repository/a", None)]
        {
            assert!(matches!(selected(&[path], base), Err(NotOperable::OutsideRepository { .. })), "{path}");
        }
    }

    #[test]
    fn a_selected_directory_has_all_files_below_it() {
        let selectors = selected(&["src"], None).expect("valid paths");
        assert!(selectors.has(&file("src/a", None)) && selectors.has(&file("src", None)));
        assert!(selectors.has(&file("b", Some("src/b"))), "it was renamed from there");
        assert!(!selectors.has(&file("src2/a", None)) && !selectors.has(&file("lib/src", None)));
        assert!(selected(&["."], None).expect("valid paths").has(&file("any", None)));
        let id = TaskId::parse("1a2b3c4d").expect("a valid task ID");
        let unchanged =
            selected(&["src", "lib"], None).expect("valid paths").check_all_changed(&id, &[file("src/a", None)]);
        assert!(matches!(unchanged, Err(NotOperable::UnchangedPath { path, .. }) if path == Path::new("lib")));
    }
}
