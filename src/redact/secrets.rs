//! Which variables are secret, and how their values may be written.
//!
//! Names are guessed at, in favour of secrecy: a word too much that is redacted is a nuisance, a key too much that is
//! written is a leak. Left alone is what plainly is none: the path of a file, a short or everyday word.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

/// The least bytes of a value that is looked for: shorter ones stand in many texts by chance.
const SHORTEST: usize = 8;

/// Words that make a name secret where they stand alone between separators.
const WORDS: [&str; 24] = [
    "KEY",
    "KEYS",
    "PASS",
    "AUTH",
    "AUTHORIZATION",
    "BEARER",
    "COOKIE",
    "COOKIES",
    "PRIVATE",
    "SIGNATURE",
    "DSN",
    "WEBHOOK",
    "WEBHOOKS",
    "JWT",
    "PAT",
    "PSK",
    "SAS",
    "OTP",
    "SSHPASS",
    "CREDS",
    "TOKENS",
    "SECRETS",
    "PASSWORDS",
    "CREDENTIALS",
];

/// Words that make a name secret also at the end of a longer one, as in `GITHUBTOKEN`.
const ENDINGS: [&str; 11] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "CREDENTIALS",
    "APIKEY",
    "ACCESSKEY",
    "SECRETKEY",
    "PRIVATEKEY",
];

/// Last words of names that tell where a secret is, and not what it is.
const PLACES: [&str; 13] =
    ["FILE", "FILES", "PATH", "PATHS", "SOCK", "SOCKET", "DIR", "DIRECTORY", "HOME", "URL", "URI", "ENDPOINT", "HOST"];

/// Values that are settings, whatever their variable is called.
const EVERYDAY: [&str; 14] = [
    "disabled",
    "enabled",
    "required",
    "optional",
    "undefined",
    "automatic",
    "anonymous",
    "localhost",
    "keychain",
    "keyring",
    "password",
    "development",
    "production",
    "unlimited",
];

/// Everything to look for that gives away this variable; nothing if it is not secret.
pub(super) fn needles(name: &OsStr, value: &OsStr) -> Vec<Vec<u8>> {
    let bytes = value.as_bytes().trim_ascii();
    let password = password_in(bytes);
    if bytes.len() < SHORTEST || !(is_secret(&name.to_string_lossy(), bytes) || password.is_some()) {
        return vec![];
    }
    let mut secrets = vec![bytes];
    secrets.extend(password);
    if bytes.contains(&b'\n') {
        // An agent prints a key line by line. Every key has the same frame.
        let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        secrets.extend(lines.filter(|line| !line.starts_with(b"-----")));
    }
    secrets.retain(|secret| secret.len() >= SHORTEST);
    secrets.into_iter().flat_map(forms).collect()
}

fn is_secret(name: &str, value: &[u8]) -> bool {
    let name = name.to_ascii_uppercase();
    let words: Vec<&str> =
        name.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let is_secret_word = |word: &&str| WORDS.contains(word) || ENDINGS.iter().any(|ending| word.ends_with(ending));
    // Not `PWD`, and not `OLDPWD`: those are directories.
    let has_password = words.len() > 1 && words.last() == Some(&"PWD");
    if !(words.iter().any(is_secret_word) || has_password) {
        return false;
    }
    let is_place = words.last().is_some_and(|last| PLACES.contains(last)) && !words.contains(&"WEBHOOK");
    let is_harmless = is_everyday(value) || is_file(value) || is_place && is_location(value);
    !is_harmless
}

/// Whether the value is a path or an address.
fn is_location(value: &[u8]) -> bool {
    let is_address = value.windows(3).any(|three| three == b"://");
    matches!(value.first(), Some(b'/' | b'~' | b'.')) || is_address || value.contains(&b'/') || value.contains(&b':')
}

/// Whether the value is a word that is no secret.
fn is_everyday(value: &[u8]) -> bool {
    EVERYDAY.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether the value names a file that is there.
fn is_file(value: &[u8]) -> bool {
    value.first() == Some(&b'/') && Path::new(OsStr::from_bytes(value)).exists()
}

/// The password in a URL such as `https://user:password@host`, if it is one.
fn password_in(value: &[u8]) -> Option<&[u8]> {
    let text = std::str::from_utf8(value).ok()?;
    let (_, after) = text.split_once("://")?;
    let authority = after.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    (!password.is_empty()).then_some(password.as_bytes())
}

/// A secret as it is, and as JSON and URLs write it.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec(), percent_encoded(secret)];
    if let Ok(text) = std::str::from_utf8(secret) {
        let json = serde_json::to_string(text).expect("a string can be written");
        let json = &json[1..json.len() - 1];
        forms.push(json.replace('/', "\\/").into_bytes());
        forms.push(ascii(json).into_bytes());
        forms.push(json.as_bytes().to_vec());
    }
    forms.sort();
    forms.dedup();
    forms
}

fn percent_encoded(secret: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(secret.len());
    for byte in secret {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(*byte),
            _ => encoded.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    encoded
}

/// JSON without any character beyond ASCII, as some programs write it.
fn ascii(json: &str) -> String {
    let mut units = [0; 2];
    json.chars()
        .map(|letter| match letter.is_ascii() {
            true => letter.to_string(),
            false => letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(name: &str, value: &str) -> Option<String> {
        let needles = needles(name.as_ref(), value.as_ref());
        needles.iter().any(|needle| needle == value.as_bytes()).then(|| value.to_owned())
    }

    #[test]
    fn names_that_speak_of_secrets_are_secret() {
        for name in [
            "OPENAI_API_KEY",
            "GITHUB_TOKEN",
            "githubtoken",
            "apiKey",
            "MY_SECRET",
            "PGPASSWORD",
            "DB_PASSWD",
            "MYSQL_PWD",
            "SSH_PASSPHRASE",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "X-AUTH",
            "HTTP_COOKIE",
            "SENTRY_DSN",
            "PRIVATE",
            "SLACK_WEBHOOK",
            "GOOGLE_CREDENTIALS",
            "CREDENTIAL",
            "STRIPE_SIGNATURE",
            "npm_config__authToken",
        ] {
            assert!(first(name, "hunter2-hunter2").is_some(), "{name}");
        }
        let hook = "https://hooks.example.com/services/T0/B0/x";
        assert!(
            first("SLACK_WEBHOOK_URL", hook).is_some() && first("DATABASE_URL", "postgres://u:hunter22@h/d").is_some()
        );
    }

    #[test]
    fn names_that_do_not_are_not_and_neither_are_places_and_everyday_words() {
        for (name, value) in [
            ("PATH", "/usr/bin:/bin"),
            ("PWD", "/home/me/project"),
            ("OLDPWD", "/home/me/project"),
            ("KEYBOARD", "de-latin1"),
            ("XAUTHORITY", "/no/such/file"),
            ("GIT_AUTHOR_NAME", "Somebody"),
            ("SSH_AUTH_SOCK", "/no/such/agent.1"),
            ("SSH_ASKPASS", "/no/such/askpass"),
            ("TOKENIZERS_PARALLELISM", "automatic1"),
            ("GOPRIVATE", "example.com/mine"),
            ("KEY_FILE", "/no/such/key.pem"),
            ("TOKEN_URL", "https://example.com/token"),
            ("AUTH_MODE", "disabled"),
            ("SIGNING_KEY", "/etc/passwd"),
            ("API_KEY", "short"),
            ("MONKEY", "hunter2-hunter2"),
            ("HTTP_PROXY", "http://proxy.example.com:3128"),
        ] {
            assert_eq!(needles(name.as_ref(), value.as_ref()), Vec::<Vec<u8>>::new(), "{name}");
        }
    }

    #[test]
    fn a_secret_is_looked_for_as_it_is_written_elsewhere() {
        let needles = needles("MY_TOKEN".as_ref(), "a\"b/ü+cdefg".as_ref());
        for form in
            ["a\"b/ü+cdefg", "a\\\"b/ü+cdefg", "a\\\"b\\/ü+cdefg", "a\\\"b/\\u00fc+cdefg", "a%22b%2F%C3%BC%2Bcdefg"]
        {
            assert!(needles.contains(&form.as_bytes().to_vec()), "{form}");
        }
    }

    #[test]
    fn a_key_of_several_lines_is_looked_for_line_by_line() {
        let key = "-----BEGIN KEY-----\nabcdefghijkl\nmnopqrstuvwx\nyz\n-----END KEY-----\n";
        let needles = needles("PRIVATE_KEY".as_ref(), key.as_ref());
        assert!(needles.contains(&b"abcdefghijkl".to_vec()) && needles.contains(&key.trim().as_bytes().to_vec()));
        assert!(!needles.contains(&b"-----BEGIN KEY-----".to_vec()) && !needles.contains(&b"yz".to_vec()));
    }
}
