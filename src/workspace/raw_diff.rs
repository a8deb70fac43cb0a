//! The difference between two trees: one entry for each path, without renames.

use std::collections::BTreeMap;

use super::{git_error::GitError, shadow::Shadow};
use crate::task::{GitPath, ObjectId};

/// The entry of a tree at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) mode: Mode,
    pub(super) object: ObjectId,
}

/// The kind of an entry in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    File,
    Executable,
    Link,
    /// A submodule, or a repository inside the repository.
    Repository,
}

impl Mode {
    /// The mode with this octal number. `None` for the number of a missing entry, or an unknown one.
    pub(super) fn parse(digits: &[u8]) -> Option<Self> {
        match digits {
            b"100644" | b"100664" => Some(Self::File),
            b"100755" => Some(Self::Executable),
            b"120000" => Some(Self::Link),
            b"160000" => Some(Self::Repository),
            _ => None,
        }
    }

    /// Its octal number.
    pub(super) fn digits(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Link => "120000",
            Self::Repository => "160000",
        }
    }

    /// Whether it is a regular file.
    pub(super) fn is_file(self) -> bool {
        matches!(self, Self::File | Self::Executable)
    }
}

/// How a path differs between two trees. At least one side is present, and the sides are not equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) old: Option<Content>,
    pub(super) new: Option<Content>,
}

/// The differences between two trees or commits, by path.
pub(super) fn differences(
    shadow: &Shadow,
    old: &ObjectId,
    new: &ObjectId,
) -> Result<BTreeMap<GitPath, Difference>, GitError> {
    let command = shadow.object_command(["diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index"]);
    let output = command.args([old.as_str(), new.as_str()]).run()?;
    parse(&output).ok_or(GitError::Unexpected { command: "diff-tree".into() })
}

fn parse(output: &[u8]) -> Option<BTreeMap<GitPath, Difference>> {
    let mut fields = fields(output);
    let mut found = BTreeMap::new();
    while let Some(header) = fields.next() {
        let header = Header::parse(header)?;
        let path = GitPath::from_bytes(fields.next()?);
        found.insert(path, Difference { old: header.old, new: header.new });
    }
    Some(found)
}

/// Splits the output of a command with `-z`.
pub(super) fn fields(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    output.split_inclusive(|byte| *byte == 0).map(|field| field.strip_suffix(&[0]).unwrap_or(field))
}

/// The part of a raw entry before its paths, such as `:100644 100755 b5cb… b5cb… M`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) old: Option<Content>,
    pub(super) new: Option<Content>,
    /// The letter of the change, such as `b'R'` for a rename.
    pub(super) status: u8,
}

impl Header {
    pub(super) fn parse(header: &[u8]) -> Option<Self> {
        let words: Vec<_> = header.strip_prefix(b":")?.split(|byte| *byte == b' ').collect();
        let [old_mode, new_mode, old_object, new_object, status] = words[..] else { return None };
        let content = |mode: &[u8], object: &[u8]| {
            let object = str::from_utf8(object).ok()?.parse().ok()?;
            Some(Mode::parse(mode).map(|mode| Content { mode, object }))
        };
        Some(Self {
            old: content(old_mode, old_object)?,
            new: content(new_mode, new_object)?,
            status: *status.first()?,
        })
    }
}
