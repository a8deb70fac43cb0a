//! The frozen settings: read once before the agent starts, and written as the configuration of each shadow repository.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{
    filters::{FilterJudge, wrapped},
    git::{Git, GitCommand},
    git_error::GitError,
};
use crate::task::{FrozenSetting, FrozenSettings, GitPath, ObjectFormat, Place};

/// The settings that affect the content of files, and none that names a program. Everything else is left out: an
/// alias, a pager, an external diff, a remote, and settings that later versions of git may add.
const KEYS: [&str; 31] = [
    "core.attributesfile",
    "core.autocrlf",
    "core.bigfilethreshold",
    "core.checkroundtripencoding",
    "core.checkstat",
    "core.compression",
    "core.eol",
    "core.excludesfile",
    "core.filemode",
    "core.ignorecase",
    "core.loosecompression",
    "core.precomposeunicode",
    "core.preloadindex",
    "core.protecthfs",
    "core.protectntfs",
    "core.sharedrepository",
    "core.sparsecheckout",
    "core.sparsecheckoutcone",
    "core.symlinks",
    "core.trustctime",
    "diff.algorithm",
    "diff.renamelimit",
    "diff.renames",
    "index.sparse",
    "index.threads",
    "lfs.storage",
    "merge.conflictstyle",
    "merge.directoryrenames",
    "merge.renamelimit",
    "merge.renames",
    "sparse.expectfilesoutsideofpatterns",
];

/// The settings of a filter.
const FILTER_KEYS: [&[u8]; 4] = [b"clean", b"smudge", b"process", b"required"];

/// The settings that are in effect at a place now. Must be called before an agent starts.
pub fn read_settings(git: &Git, place: &Place) -> Result<FrozenSettings, GitError> {
    let answer = list(git).git_dir(&place.git_dir).work_tree(&place.top).run()?;
    Ok(parse(&answer, &FilterJudge::of(git, place)))
}

/// All settings that are in effect in a directory, for [`parse`]. The directory's place need not be known.
pub(super) fn list_in(git: &Git, directory: &Path) -> Result<Vec<u8>, GitError> {
    list(git).directory(directory).run()
}

fn list(git: &Git) -> GitCommand {
    git.command(["config", "--list", "--show-scope", "--show-origin", "-z"])
}

/// Reduces a list of settings to those that are frozen.
pub(super) fn parse(answer: &[u8], judge: &FilterJudge) -> FrozenSettings {
    let mut settings = FrozenSettings::default();
    let mut parts = answer.split(|byte| *byte == 0);
    while let (Some(scope), Some(origin), Some(entry)) = (parts.next(), parts.next(), parts.next()) {
        // Our own settings have the scope `command`.
        if scope == b"command" {
            continue;
        }
        let (key, value) = match entry.iter().position(|byte| *byte == b'\n') {
            Some(newline) => (&entry[..newline], &entry[newline + 1..]),
            // A key without a value means true.
            None => (entry, &b"true"[..]),
        };
        if let Some((filter, name)) = filter_key(key) {
            let is_command = name != b"required";
            let is_local = judge.is_local(scope, origin);
            if is_command && !judge.is_usable(value, is_local) && !settings.unusable_filters.contains(&filter) {
                settings.unusable_filters.push(filter);
            }
        } else if !KEYS.iter().any(|known| known.as_bytes() == key) {
            continue;
        }
        settings.values.push(FrozenSetting { key: GitPath::from_bytes(key), value: GitPath::from_bytes(value) });
    }
    let unusable = settings.unusable_filters.clone();
    settings
        .values
        .retain(|setting| filter_key(setting.key.as_bytes()).is_none_or(|(filter, _)| !unusable.contains(&filter)));
    settings
}

/// The name of the filter and of its setting in a key such as `filter.lfs.clean`.
pub(super) fn filter_key(key: &[u8]) -> Option<(GitPath, &[u8])> {
    let rest = key.strip_prefix(b"filter.")?;
    let dot = rest.iter().rposition(|byte| *byte == b'.')?;
    let name = &rest[dot + 1..];
    FILTER_KEYS.contains(&name).then(|| (GitPath::from_bytes(&rest[..dot]), name))
}

/// The last value of a key.
pub(super) fn value<'a>(settings: &'a FrozenSettings, key: &str) -> Option<&'a [u8]> {
    let mut values = settings.values.iter().rev().filter(|setting| setting.key.as_bytes() == key.as_bytes());
    values.next().map(|setting| setting.value.as_bytes())
}

/// The file that a setting names, or git's default for it: `name` in the directory `git` of the user's configuration.
/// `None` if there is none.
pub(super) fn user_file(git: &Git, settings: &FrozenSettings, key: &str, name: &str, top: &Path) -> Option<PathBuf> {
    let home = git.variable("HOME").map(Path::new);
    let Some(value) = value(settings, key) else {
        let directory = git.variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| Some(home?.join(".config")))?;
        return Some(directory.join("git").join(name));
    };
    let path = Path::new(OsStr::from_bytes(value));
    match path.strip_prefix("~") {
        Ok(below) => Some(home?.join(below)),
        Err(_) if value.is_empty() => None,
        Err(_) => Some(top.join(path)),
    }
}

/// The text of a shadow repository's configuration. `files` replace the values of their keys.
pub(super) fn config_text(settings: &FrozenSettings, place: &Place, files: &[(&str, &Path)]) -> Vec<u8> {
    let mut text = match place.object_format {
        ObjectFormat::Sha1 => b"[core]\n\trepositoryformatversion = 0\n".to_vec(),
        ObjectFormat::Sha256 => {
            b"[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n".to_vec()
        }
    };
    let is_replaced = |key: &GitPath| files.iter().any(|(file, _)| file.as_bytes() == key.as_bytes());
    for FrozenSetting { key, value } in settings.values.iter().filter(|setting| !is_replaced(&setting.key)) {
        let is_storage = key.as_bytes() == b"lfs.storage";
        let storage = place.common_dir.join(value.as_path());
        let is_command = filter_key(key.as_bytes()).is_some_and(|(_, name)| name != b"required");
        let value = match (is_storage, is_command) {
            (true, _) => storage.as_os_str().as_bytes().to_vec(),
            (false, true) => wrapped(value.as_bytes()),
            (false, false) => value.as_bytes().to_vec(),
        };
        append(&mut text, key.as_bytes(), &value);
    }
    if value(settings, "lfs.storage").is_none() {
        append(&mut text, b"lfs.storage", place.common_dir.join("lfs").as_os_str().as_bytes());
    }
    // Files that are not in the local store are not downloaded.
    append(&mut text, b"lfs.url", b"https://offline.invalid");
    append(&mut text, b"lfs.skipdownloaderrors", b"true");
    for (key, file) in files {
        append(&mut text, key.as_bytes(), file.as_os_str().as_bytes());
    }
    text
}

/// Appends one setting. Leaves out a key that cannot be written, because its section contains a newline.
fn append(text: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let (Some(first), Some(last)) =
        (key.iter().position(|byte| *byte == b'.'), key.iter().rposition(|byte| *byte == b'.'))
    else {
        return;
    };
    if key.contains(&b'\n') {
        return;
    }
    text.push(b'[');
    text.extend(&key[..first]);
    if first < last {
        text.extend(b" \"");
        for byte in &key[first + 1..last] {
            if matches!(byte, b'"' | b'\\') {
                text.push(b'\\');
            }
            text.push(*byte);
        }
        text.push(b'"');
    }
    text.extend(b"]\n\t");
    text.extend(&key[last + 1..]);
    text.extend(b" = \"");
    for byte in value {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            b'\n' => text.extend(b"\\n"),
            b'\t' => text.extend(b"\\t"),
            _ => text.push(*byte),
        }
    }
    text.extend(b"\"\n");
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
