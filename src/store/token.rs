//! `http-token`: the bearer token for HTTP clients.

use std::{
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use uuid::Uuid;

use super::{
    atomic,
    error::{StoreError, if_exists},
    files,
    layout::Layout,
    upkeep::Upkeep,
};

/// Upper bound on the file's length, in bytes.
const MAX_TOKEN_BYTES: u64 = 4_096;

const REMEDY: &str = "remove it, and a new one will be created";

/// How long to wait for another server that is creating the token.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Minimum length of a token, in bytes. A shorter one could be guessed.
const MIN_TOKEN_BYTES: usize = 16;

/// The file with the token.
#[derive(Debug)]
pub struct HttpToken {
    layout: Arc<Layout>,
}

impl HttpToken {
    /// The token of this data directory.
    pub fn of(upkeep: &Upkeep) -> Self {
        Self { layout: Arc::clone(upkeep.layout()) }
    }

    /// The path of the token file.
    pub fn path(&self) -> PathBuf {
        self.layout.http_token()
    }

    /// Returns the token. Creates it if it does not exist, readable only by its owner.
    ///
    /// Servers that start at the same time agree on one token. An empty file counts as missing, because earlier
    /// versions left one behind if they were killed at the wrong moment. Fails if the file cannot be read or created,
    /// if other users can read it, or if it does not contain one word of 16 to 4,096 characters.
    pub fn read_or_make(&self) -> Result<String, StoreError> {
        let path = self.layout.http_token();
        if is_empty(&path) {
            // Only one process at a time, or one could remove the token that another has just created.
            let lock = self.layout.index_lock();
            let busy = || StoreError::at("lock", &lock)(ErrorKind::TimedOut.into());
            let _held = files::lock(&lock, LOCK_TIMEOUT)?.ok_or_else(busy)?;
            if is_empty(&path) {
                if_exists(files::remove(&path)).map_err(StoreError::at("remove", &path))?;
            }
        }
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let content = match atomic::make(&path, format!("{token}\n").as_bytes()) {
            Ok(()) => return Ok(token),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => read(&path),
            Err(error) => return Err(StoreError::at("create", path)(error)),
        };
        content.map_err(StoreError::at("use", path))
    }
}

/// Whether our file exists but is empty.
fn is_empty(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|file| file.is_file() && file.len() == 0 && file.uid() == rustix::process::geteuid().as_raw())
}

fn read(path: &Path) -> io::Result<String> {
    let no = |why: &str| Err(io::Error::new(ErrorKind::InvalidData, why.to_owned()));
    // Opened only once: the file could be replaced between the checks and the read.
    let open = files::open(path)?;
    let file = open.metadata()?;
    if file.uid() != rustix::process::geteuid().as_raw() || file.mode() & 0o077 != 0 {
        return no(&format!("other users can read it; {REMEDY}"));
    }
    let content = match files::read_all(open, MAX_TOKEN_BYTES) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => return no(&format!("{error}: {REMEDY}")),
        read => read?,
    };
    let content = String::from_utf8_lossy(&content).trim().to_owned();
    let is_word = content.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_word || content.len() < MIN_TOKEN_BYTES {
        return no(&format!("it must contain one word of 16 to 4,096 characters; {REMEDY}"));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::HttpToken;
    use crate::store::tests::upkeep;

    fn token() -> (tempfile::TempDir, HttpToken) {
        let (dir, upkeep) = upkeep();
        (dir, HttpToken::of(&upkeep))
    }

    #[test]
    fn a_token_is_created_once_and_readable_only_by_its_owner() {
        let (_dir, file) = token();
        let token = file.read_or_make().expect("it can be created");
        assert_eq!((token.len(), file.read_or_make().expect("it exists")), (64, token));
        let mode = fs::metadata(file.path()).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn servers_that_start_at_the_same_time_share_a_token() {
        let (_dir, file) = token();
        let together = std::sync::Barrier::new(4);
        let make = || {
            together.wait();
            file.read_or_make().expect("it can be created")
        };
        for _ in 0..100 {
            // Left behind by a server of an earlier version that was stopped at the wrong moment.
            fs::write(file.path(), "").expect("it is writable");
            let tokens: Vec<_> = std::thread::scope(|scope| {
                let makers: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
                makers.into_iter().map(|maker| maker.join().expect("it does not panic")).collect()
            });
            assert!(tokens.iter().all(|token| token.len() == 64 && *token == tokens[0]), "{tokens:?}");
            fs::remove_file(file.path()).expect("we own it");
        }
        assert_eq!(fs::read_dir(&file.layout.data).expect("it exists").flatten().filter(is_temporary).count(), 0);
    }

    #[test]
    fn an_empty_file_stays_while_another_server_holds_the_lock() {
        let (_dir, file) = token();
        fs::write(file.path(), "").expect("it is writable");
        let _held = super::files::lock(&file.layout.index_lock(), super::LOCK_TIMEOUT).expect("it can be locked");
        let refusal = file.read_or_make().expect_err("the other server may be making one").to_string();
        assert!(refusal.contains("timed out"), "{refusal}");
        assert_eq!(fs::read(file.path()).expect("it exists"), b"");
    }

    fn is_temporary(file: &fs::DirEntry) -> bool {
        file.file_name().to_string_lossy().starts_with('.')
    }

    #[test]
    fn an_invalid_token_is_refused() {
        let (_dir, file) = token();
        let path = file.path();
        for (content, mode) in [("a-word-of-twenty-char", 0o644), ("short", 0o600), ("two words of it all", 0o600)] {
            fs::write(&path, content).expect("it is writable");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("we own it");
            let refusal = file.read_or_make().expect_err(content).to_string();
            assert!(refusal.contains("remove it"), "{refusal}");
        }
        fs::File::create(&path).and_then(|file| file.set_len(1 << 42)).expect("it is writable");
        let refusal = file.read_or_make().expect_err("it is too large").to_string();
        assert!(refusal.contains("remove it"), "{refusal}");
        fs::remove_file(&path).expect("we own it");
        let elsewhere = file.layout.data.join("elsewhere");
        fs::write(&elsewhere, "a-word-of-twenty-char").expect("it is writable");
        symlink(&elsewhere, &path).expect("it is writable");
        file.read_or_make().expect_err("a link is not followed");
    }
}
