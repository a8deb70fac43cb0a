//! Splits a patch into files and lines.

use std::collections::HashMap;

use crate::{present::text::path_line, task::ChangedPath, visible::fully_visible};

/// The beginning of the part of each file.
const FILE_HEADER: &str = "diff --git ";

/// The part of a patch that concerns one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FilePatch<'a> {
    /// The file, if the part is recognized.
    pub(super) file: Option<&'a ChangedPath>,
    /// The path for people.
    pub(super) name: String,
    /// The lines to show.
    pub(super) lines: Vec<&'a str>,
    /// The number of further lines.
    pub(super) more: usize,
}

/// The kind of a line of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    /// A line before the first hunk.
    Head,
    /// The beginning of a hunk.
    Hunk,
    /// An added line.
    Added,
    /// A removed line.
    Removed,
    /// An unchanged line.
    Context,
}

/// The parts of a patch by file, with at most `max_lines` lines together. Parts without any line are not returned.
pub(super) fn split<'a>(patch: &'a str, files: &'a [ChangedPath], max_lines: usize) -> Vec<FilePatch<'a>> {
    let by_header: HashMap<String, &ChangedPath> = files.iter().map(|file| (header(file), file)).collect();
    let mut parts: Vec<FilePatch<'a>> = Vec::new();
    let mut left = max_lines;
    for text in patch.split_terminator('\n') {
        // The lines of a hunk begin with another character.
        if text.starts_with(FILE_HEADER) {
            if left == 0 {
                break;
            }
            let file = by_header.get(text).copied();
            let name = file
                .map_or_else(|| fully_visible(&text[FILE_HEADER.len()..]).into_owned(), |file| path_line(&file.path));
            parts.push(FilePatch { file, name, lines: vec![], more: 0 });
        }
        let Some(part) = parts.last_mut() else { continue };
        match left.checked_sub(1) {
            Some(less) => {
                left = less;
                part.lines.push(text);
            }
            None => part.more += 1,
        }
    }
    parts
}

/// The lines of a part, each with its kind and with invisible characters as escapes.
pub(super) fn lines<'a>(part: &'a FilePatch<'_>) -> impl Iterator<Item = (LineKind, std::borrow::Cow<'a, str>)> {
    let mut in_head = true;
    part.lines.iter().map(move |text| {
        in_head = text.starts_with(FILE_HEADER) || (in_head && !text.starts_with("@@ "));
        let kind = match text.as_bytes().first() {
            Some(_) | None if in_head => LineKind::Head,
            Some(b'@') => LineKind::Hunk,
            Some(b'+') => LineKind::Added,
            Some(b'-') => LineKind::Removed,
            Some(_) | None => LineKind::Context,
        };
        (kind, fully_visible(text))
    })
}

/// How git begins the part of a file whose paths need no quotes.
fn header(file: &ChangedPath) -> String {
    let text = |path: &crate::task::GitPath| path.to_untrusted().into_raw();
    let new = text(&file.path);
    let old = file.old_path.as_ref().map_or_else(|| new.clone(), text);
    format!("{FILE_HEADER}a/{old} b/{new}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{ChangeKind, GitPath};

    fn file(path: &str, old: Option<&str>) -> ChangedPath {
        ChangedPath {
            path: GitPath::from_bytes(path),
            old_path: old.map(GitPath::from_bytes),
            kind: ChangeKind::Modified,
            added: Some(1),
            removed: Some(1),
            is_named: true,
        }
    }

    const PATCH: &str = "diff --git a/one b/one\nindex 1..2\n--- a/one\n+++ b/one\n@@ -1 +1 @@\n-diff --git a/x b/x\n+new\n\
                         diff --git a/old b/two\nrename from old\nrename to two\ndiff --git \"a/\\t\" \"b/\\t\"\n@@ -1 +1 @@\n+x\n";

    #[test]
    fn a_patch_is_split_at_the_headers_of_its_files_only() {
        let files = [file("one", None), file("two", Some("old")), file("\t", None)];
        let parts = split(PATCH, &files, 100);
        let seen: Vec<_> =
            parts.iter().map(|part| (part.name.as_str(), part.file.is_some(), part.lines.len())).collect();
        assert_eq!(seen, [("one", true, 7), ("two", true, 3), ("\"a/\\t\" \"b/\\t\"", false, 3)]);
        let kinds: Vec<_> = lines(&parts[0]).map(|(kind, _)| kind).collect();
        let head = [LineKind::Head; 4];
        assert_eq!(kinds, [&head[..], &[LineKind::Hunk, LineKind::Removed, LineKind::Added]].concat());
    }

    #[test]
    fn lines_beyond_the_limit_are_counted_and_later_files_are_left_out() {
        let parts = split(PATCH, &[], 5);
        assert_eq!(parts.len(), 1);
        assert_eq!((parts[0].lines.len(), parts[0].more), (5, 2));
    }
}
