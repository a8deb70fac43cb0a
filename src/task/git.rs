//! Names of things in a git repository.

use std::{
    ffi::OsStr,
    fmt,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    str::FromStr,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use thiserror::Error;

use super::Untrusted;

/// The name of an object: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ObjectId(String);

/// A text that is not the name of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not the name of a git object: expected 40 or 64 hexadecimal digits in lower case")]
pub struct InvalidObjectId;

impl ObjectId {
    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 7 digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl FromStr for ObjectId {
    type Err = InvalidObjectId;

    fn from_str(text: &str) -> Result<Self, InvalidObjectId> {
        let is_valid =
            matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidObjectId) }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A path in a repository, relative to the top of the work tree. It may contain any bytes except NUL, and consists of
/// untrusted text.
///
/// In JSON, it is a string if it is UTF-8, and otherwise `{"base64": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitPath(Vec<u8>);

impl GitPath {
    /// The path with these bytes, as git prints them with `-z`.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same path as a relative path of the file system.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Its text for `present`, with invalid UTF-8 replaced.
    pub fn to_untrusted(&self) -> Untrusted {
        String::from_utf8_lossy(&self.0).into_owned().into()
    }
}

impl From<&Path> for GitPath {
    fn from(path: &Path) -> Self {
        Self(path.as_os_str().as_bytes().to_owned())
    }
}

impl From<PathBuf> for GitPath {
    fn from(path: PathBuf) -> Self {
        path.as_path().into()
    }
}

/// The form in JSON of a path that is not UTF-8.
#[derive(Serialize, Deserialize)]
struct EncodedPath {
    base64: String,
}

impl Serialize for GitPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => EncodedPath { base64: BASE64_STANDARD.encode(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for GitPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PathVisitor)
    }
}

/// Reads both forms.
struct PathVisitor;

impl<'de> Visitor<'de> for PathVisitor {
    type Value = GitPath;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(r#"a path, or {"base64": "..."}"#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<GitPath, E> {
        Ok(GitPath::from_bytes(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<GitPath, A::Error> {
        let EncodedPath { base64 } = EncodedPath::deserialize(MapAccessDeserializer::new(map))?;
        BASE64_STANDARD.decode(base64).map(GitPath).map_err(Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_id_is_hexadecimal_and_of_a_known_length() {
        for valid in ["a".repeat(40), "0".repeat(64)] {
            assert_eq!(valid.parse::<ObjectId>().map(|id| id.to_string()), Ok(valid));
        }
        for invalid in ["".to_owned(), "a".repeat(39), "A".repeat(40), "g".repeat(40), "--output=".to_owned()] {
            assert_eq!(invalid.parse::<ObjectId>(), Err(InvalidObjectId), "{invalid}");
        }
    }

    #[test]
    fn a_path_is_a_string_in_json_or_base64_if_it_is_not_utf_8() {
        for (path, json) in [
            (&b"a/b"[..], r#""a/b""#),
            (b"caf\xc3\xa9\n\"", "\"caf\u{e9}\\n\\\"\""),
            (b"\xff\xfe", r#"{"base64":"//4="}"#),
            (b"-x", r#""-x""#),
        ] {
            let path = GitPath::from_bytes(path);
            assert_eq!(serde_json::to_string(&path).expect("it is a string or an object"), json);
            assert_eq!(serde_json::from_str::<GitPath>(json).expect("it was written by us"), path, "{json}");
        }
        for invalid in ["1", "null", "{}", r#"{"base64": "?"}"#, r#"["a"]"#] {
            assert!(serde_json::from_str::<GitPath>(invalid).is_err(), "{invalid}");
        }
    }
}
