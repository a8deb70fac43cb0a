//! The files and directories that are ignored at the time of a snapshot.
//!
//! If an agent removes the rule that ignores a file, the file would seem to be new in the next snapshot, and an undo would
//! delete it. A rule can be in a `.gitignore` that git itself ignores, as in a directory whose `.gitignore` is `*`. Then no
//! snapshot contains the rule, so the ignored paths are remembered instead.

use std::collections::BTreeSet;

use super::{git::GitCommand, git_error::GitError};

/// Paths that git ignores, relative to the top. A directory ends with `/` and includes everything in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ignored(BTreeSet<Vec<u8>>);

impl Ignored {
    /// Lists the ignored paths of the work tree. `ls_files` is git's command of that name, without arguments. Does not
    /// enter ignored directories.
    pub(super) fn list(ls_files: GitCommand) -> Result<Self, GitError> {
        let command = ls_files.args(["-z", "--others", "--ignored", "--exclude-standard", "--directory"]);
        Ok(Self::parse(&command.run()?))
    }

    fn parse(output: &[u8]) -> Self {
        let listed: BTreeSet<Vec<u8>> =
            output.split(|byte| *byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect();
        // git also lists a directory that only contains ignored files, and then these files. New files in such a directory
        // are not ignored. In the order of a set, a directory is followed by what it contains.
        let next = listed.iter().skip(1).map(Some).chain([None]);
        let is_entered = |path: &[u8], next: Option<&Vec<u8>>| {
            path.ends_with(b"/") && next.is_some_and(|next| next.starts_with(path))
        };
        let ignored = listed.iter().zip(next).filter(|(path, next)| !is_entered(path, *next));
        Self(ignored.map(|(path, _)| path.clone()).collect())
    }

    /// The ignored file with this path, or the ignored directory that contains it, without a slash at the end.
    pub(super) fn find<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let directory = slashes.map(|(at, _)| &path[..=at]).find(|directory| self.0.contains(*directory));
        let directory = directory.map(|directory| &directory[..directory.len() - 1]);
        directory.or_else(|| self.0.contains(path).then_some(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_only_contains_ignored_files_is_not_ignored_itself() {
        let ignored = Ignored::parse(b"build/\0logs/\0logs/deep/\0logs/deep/x.log\0y.log\0");
        assert_eq!(ignored.find(b"build/x/y"), Some(&b"build"[..]));
        assert_eq!(ignored.find(b"build/"), Some(&b"build"[..]));
        assert_eq!(ignored.find(b"logs/deep/x.log"), Some(&b"logs/deep/x.log"[..]));
        assert_eq!(ignored.find(b"y.log"), Some(&b"y.log"[..]));
        for path in [&b"logs/new"[..], b"logs/deep/new", b"builder", b"build", b"x/y.log"] {
            assert_eq!(ignored.find(path), None);
        }
    }
}
