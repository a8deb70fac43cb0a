//! Turns a path as written by a caller into an absolute path.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode;

use super::DirectoryProblem;

/// The absolute path that `given` means. Accepts an absolute path, a path below the home directory (`~/…`), and a
/// `file:` URL, as written by editors.
///
/// Fails with [`DirectoryProblem`] for anything else. Does not access the file system.
pub fn absolute(given: &Path, home: Option<&OsStr>) -> Result<PathBuf, DirectoryProblem> {
    let bytes = given.as_os_str().as_bytes();
    if given.is_absolute() {
        return Ok(given.to_owned());
    }
    if is_windows(bytes) {
        return Err(DirectoryProblem::Windows);
    }
    if let Ok(below) = given.strip_prefix("~") {
        let home = home.map(Path::new).filter(|home| home.is_absolute()).ok_or(DirectoryProblem::Home)?;
        return Ok(home.join(below));
    }
    if bytes.starts_with(b"~") {
        return Err(DirectoryProblem::OtherHome);
    }
    if bytes.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"file:")) {
        return from_file_url(&bytes[5..]);
    }
    Err(DirectoryProblem::Relative)
}

/// `C:\…`, `C:/…`, `C:`, or `\\server\share`.
fn is_windows(bytes: &[u8]) -> bool {
    let has_drive = match bytes {
        [drive, b':'] | [drive, b':', b'\\' | b'/', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    };
    has_drive || bytes.starts_with(b"\\\\")
}

/// The path in a `file:` URL (RFC 8089). `rest` is the URL without its scheme.
fn from_file_url(rest: &[u8]) -> Result<PathBuf, DirectoryProblem> {
    let path = match rest.strip_prefix(b"//") {
        Some(after) => {
            let slash = after.iter().position(|byte| *byte == b'/').ok_or(DirectoryProblem::Url)?;
            let (host, path) = after.split_at(slash);
            if !host.is_empty() && !host.eq_ignore_ascii_case(b"localhost") {
                return Err(DirectoryProblem::Url);
            }
            path
        }
        None => rest,
    };
    let path = percent_decoded(path).ok_or(DirectoryProblem::Url)?;
    if path.first() != Some(&b'/') || path.contains(&0) {
        return Err(DirectoryProblem::Url);
    }
    if is_windows(&path[1..]) {
        return Err(DirectoryProblem::Windows);
    }
    Ok(PathBuf::from(OsString::from_vec(path)))
}

/// Decodes escapes such as `%20`. Returns `None` if a `%` is not followed by two hexadecimal digits, which the crate
/// would leave unchanged.
fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let is_escape = |after: &[u8]| after.get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let are_escapes = text.split(|byte| *byte == b'%').skip(1).all(is_escape);
    are_escapes.then(|| percent_decode(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(given: &str) -> Result<PathBuf, DirectoryProblem> {
        absolute(Path::new(given), Some(OsStr::new("/home/me")))
    }

    #[test]
    fn paths_are_accepted_in_the_forms_that_editors_and_people_use() {
        for (given, path) in [
            ("/srv/project", "/srv/project"),
            ("/srv/~/file:", "/srv/~/file:"),
            ("~", "/home/me"),
            ("~/", "/home/me"),
            ("~/my project", "/home/me/my project"),
            ("file:///srv/my%20project", "/srv/my project"),
            ("file:///srv/100%25", "/srv/100%"),
            ("file:///srv/%C3%A9t%c3%a9", "/srv/été"),
            ("FILE://LocalHost/srv", "/srv"),
            ("file:/srv/a", "/srv/a"),
        ] {
            assert_eq!(meant(given), Ok(PathBuf::from(path)), "{given}");
        }
    }

    #[test]
    fn other_paths_are_refused_with_a_specific_reason() {
        for (given, problem) in [
            ("", DirectoryProblem::Relative),
            ("project", DirectoryProblem::Relative),
            ("./~/project", DirectoryProblem::Relative),
            ("~root/project", DirectoryProblem::OtherHome),
            (r"C:\Users\me\project", DirectoryProblem::Windows),
            ("d:/project", DirectoryProblem::Windows),
            (r"\\wsl$\Ubuntu\home", DirectoryProblem::Windows),
            ("file:///C:/Users/me", DirectoryProblem::Windows),
            ("file:///c%3A/Users/me", DirectoryProblem::Windows),
            ("file://server/share", DirectoryProblem::Url),
            ("file://", DirectoryProblem::Url),
            ("file:project", DirectoryProblem::Url),
            ("file:///srv/%zz", DirectoryProblem::Url),
            ("file:///srv/%4", DirectoryProblem::Url),
            ("file:///srv/%00", DirectoryProblem::Url),
            ("https://example.org/", DirectoryProblem::Relative),
        ] {
            assert_eq!(meant(given), Err(problem), "{given}");
        }
        for home in [None, Some(""), Some("relative")] {
            assert_eq!(absolute(Path::new("~/a"), home.map(OsStr::new)), Err(DirectoryProblem::Home), "{home:?}");
        }
    }
}
