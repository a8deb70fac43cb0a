//! Determines which variables are secret.
//!
//! This is guessed from names, and errs on the side of secrecy: redacting a harmless word is a nuisance, but writing a
//! key is a leak. These values are not redacted:
//!
//! - values shorter than [`MIN_SECRET_BYTES`] bytes, settings such as `disabled`, and paths of existing files;
//! - values of variables whose name ends in `USER` or `DB`, such as `POSTGRES_USER`, because these are public;
//! - up to three lower-case words without digits, such as `postgres` or `not-needed`, **except** next to the name of
//!   their variable, as in `POSTGRES_PASSWORD=postgres`. Common words occur everywhere, and without them an answer
//!   would be wrong. Four words may be a passphrase, and more than fifteen letters are not a word;
//! - values without letters and digits, such as `--------`, and values of one repeated character, such as `00000000`,
//!   **except** next to the name of their variable. They occur in headings, tables and numbers.
//!
//! If a URL contains a password, both the URL and the password are redacted. If a value has several lines, both the
//! whole value and each line are redacted.

use std::{collections::BTreeSet, ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use super::forms::forms;

/// Minimum length of a redacted value, in bytes. Shorter ones occur in many texts by chance.
const MIN_SECRET_BYTES: usize = 8;

/// Last words of names whose values are public. If such a value also belongs to a secret variable, it is not redacted
/// either.
const PUBLIC_SUFFIXES: [&str; 7] = ["USER", "USERNAME", "LOGNAME", "PGUSER", "DB", "DATABASE", "PGDATABASE"];

/// Maximum length of a lower-case word, and maximum number of such words, in a value that is not secret by itself.
const MAX_WORD_BYTES: usize = 15;
const MAX_WORDS: usize = 3;

/// Separators between a variable's name and its value, in `env`, shell, YAML, JSON, and JSON inside JSON.
const NAME_SEPARATORS: [&str; 11] =
    ["=", "=\"", "='", "=\\\"", ": ", ": \"", ": '", "\":\"", "\": \"", "\\\":\\\"", "\\\": \\\""];

/// Words that make a name secret if they are complete words in it.
const SECRET_WORDS: [&str; 24] = [
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

/// Words that make a name secret even at the end of a longer word, as in `GITHUBTOKEN`.
const SECRET_SUFFIXES: [&str; 11] = [
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

/// Last words of names that describe where a secret is, rather than the secret.
const LOCATION_WORDS: [&str; 13] =
    ["FILE", "FILES", "PATH", "PATHS", "SOCK", "SOCKET", "DIR", "DIRECTORY", "HOME", "URL", "URI", "ENDPOINT", "HOST"];

/// Values that are settings, regardless of the variable's name.
const COMMON_VALUES: [&str; 14] = [
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

/// A value to redact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secret {
    variable: String,
    /// The value, or a part of it.
    pub(super) value: Vec<u8>,
    context: MatchContext,
}

/// Where a value is redacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MatchContext {
    Anywhere,
    /// Only next to the name of its variable.
    NextToName,
}

impl Secret {
    /// The texts to look for, each with its replacement.
    pub(super) fn needles(&self) -> Vec<(Vec<u8>, String)> {
        let Self { variable, value, context } = self;
        let replacement = format!("[redacted:{}]", shown(variable));
        match context {
            MatchContext::Anywhere => forms(value).into_iter().map(|form| (form, replacement.clone())).collect(),
            MatchContext::NextToName => NAME_SEPARATORS
                .into_iter()
                .map(|between| {
                    let before = format!("{variable}{between}");
                    ([before.as_bytes(), value].concat(), before + &replacement)
                })
                .collect(),
        }
    }
}

/// The secrets among `variables`.
pub(super) fn secrets(variables: &[(impl AsRef<OsStr>, impl AsRef<OsStr>)]) -> Vec<Secret> {
    let variables = variables.iter().map(|(name, value)| {
        let (name, value) = (name.as_ref().to_string_lossy(), value.as_ref().as_bytes().trim_ascii());
        (name, value)
    });
    let variables: Vec<_> = variables.filter(|(_, value)| value.len() >= MIN_SECRET_BYTES).collect();
    let public: BTreeSet<_> =
        variables.iter().filter(|(name, _)| is_public_name(name)).map(|(_, value)| *value).collect();
    let secrets = variables.iter().flat_map(|(name, value)| secrets_of(name, value));
    secrets.filter(|secret| !public.contains(&*secret.value)).collect()
}

/// All values that would reveal this variable; empty if it is not secret.
fn secrets_of(name: &str, value: &[u8]) -> Vec<Secret> {
    let password = password_in(value);
    if !(is_secret(name, value) || password.is_some()) {
        return vec![];
    }
    let secret = |value: &[u8], context| Secret { variable: name.to_owned(), value: value.to_vec(), context };
    if is_common(value) {
        return vec![secret(value, MatchContext::NextToName)];
    }
    let mut parts: Vec<_> = password.into_iter().collect();
    if value.contains(&b'\n') {
        // Agents may print a key line by line. The lines around it are the same for all keys.
        let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        parts.extend(lines.filter(|line| !line.starts_with(b"-----")));
    }
    parts.retain(|part| part.len() >= MIN_SECRET_BYTES && !is_common(part));
    [value].into_iter().chain(parts).map(|part| secret(part, MatchContext::Anywhere)).collect()
}

/// The words in the name of a variable.
fn words(name: &str) -> Vec<String> {
    let name = name.to_ascii_uppercase();
    name.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Whether the value of this variable is public.
fn is_public_name(name: &str) -> bool {
    words(name).last().is_some_and(|last| PUBLIC_SUFFIXES.contains(&last.as_str()))
}

/// Whether the value occurs in many texts that do not reveal it.
fn is_common(value: &[u8]) -> bool {
    let is_punctuation = value.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric());
    let is_repeated = value.windows(2).all(|two| two[0] == two[1]);
    is_punctuation || is_repeated || is_few_words(value)
}

/// Whether the value consists of a few lower-case words, which occur in many texts.
fn is_few_words(value: &[u8]) -> bool {
    let words = value.split(|byte| b"-_./: ".contains(byte)).filter(|word| !word.is_empty());
    let is_word = |word: &[u8]| word.len() <= MAX_WORD_BYTES && word.iter().all(u8::is_ascii_lowercase);
    words.clone().all(is_word) && (1..=MAX_WORDS).contains(&words.count())
}

fn is_secret(name: &str, value: &[u8]) -> bool {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_secret_word =
        |word: &&str| SECRET_WORDS.contains(word) || SECRET_SUFFIXES.iter().any(|suffix| word.ends_with(suffix));
    // `PWD` and `OLDPWD` are directories.
    let has_password = words.len() > 1 && words.last() == Some(&"PWD");
    if is_public_name(name) || !(words.iter().any(is_secret_word) || has_password) {
        return false;
    }
    let names_location = words.last().is_some_and(|last| LOCATION_WORDS.contains(last)) && !words.contains(&"WEBHOOK");
    let is_harmless = is_common_value(value) || is_file(value) || names_location && is_location(value);
    !is_harmless
}

/// Whether the value is a path or an address.
fn is_location(value: &[u8]) -> bool {
    let is_address = value.windows(3).any(|three| three == b"://");
    matches!(value.first(), Some(b'/' | b'~' | b'.')) || is_address || value.contains(&b'/') || value.contains(&b':')
}

/// Whether the value is a common setting.
fn is_common_value(value: &[u8]) -> bool {
    COMMON_VALUES.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether the value is the path of an existing file.
fn is_file(value: &[u8]) -> bool {
    value.first() == Some(&b'/') && Path::new(OsStr::from_bytes(value)).exists()
}

/// The password in a URL such as `https://user:password@host`, if it contains one.
fn password_in(value: &[u8]) -> Option<&[u8]> {
    let text = std::str::from_utf8(value).ok()?;
    let (_, after) = text.split_once("://")?;
    let authority = after.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    (!password.is_empty()).then_some(password.as_bytes())
}

/// Makes a variable's name safe to show, because it may contain any character.
fn shown(name: &str) -> String {
    name.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '?' })
        .take(80)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Vec<(String, MatchContext)> {
        let secrets = secrets(variables).into_iter();
        secrets.map(|secret| (String::from_utf8(secret.value).expect("valid UTF-8"), secret.context)).collect()
    }

    fn is_found(name: &str, value: &str) -> bool {
        found(&[(name, value)]).contains(&(value.to_owned(), MatchContext::Anywhere))
    }

    #[test]
    fn variables_with_secret_sounding_names_are_secret() {
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
            assert!(is_found(name, "hunter2-hunter2"), "{name}");
        }
        let hook = "https://hooks.example.com/services/T0/B0/x";
        assert!(is_found("SLACK_WEBHOOK_URL", hook) && is_found("DATABASE_URL", "postgres://u:hunter22@h/d"));
    }

    #[test]
    fn other_variables_locations_and_common_words_are_not_secret() {
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
            assert_eq!(found(&[(name, value)]), [], "{name}");
        }
    }

    #[test]
    fn common_words_are_secret_only_next_to_their_variable_name() {
        for value in [
            "postgres",
            "localstack",
            "not-needed",
            "codex-connector",
            "correct horse battery",
            "some_project/",
            "elasticsearch",
            "--------",
            "########",
            "= = = = =",
            "!@#$%^&*()",
            "00000000",
            "xxxxxxxxxxxxxxxxxxxx",
        ] {
            assert_eq!(found(&[("SOME_PASSWORD", value)]), [(value.to_owned(), MatchContext::NextToName)], "{value}");
        }
        for value in [
            "Postgres",
            "postgres1",
            "postgres!",
            "pöstgres",
            "POSTGRES",
            "correct-horse-battery-staple",
            "abcd efgh ijkl mnop",
            "abcdefghijklmnop",
            "----1---",
            "00000001",
            "ÄÖÜÄÖÜ--",
        ] {
            assert!(is_found("SOME_PASSWORD", value), "{value}");
        }
    }

    #[test]
    fn user_and_database_names_are_not_secret() {
        for public in ["POSTGRES_USER", "POSTGRES_DB", "PGUSER", "USER", "MYSQL_DATABASE", "AUTH_USER"] {
            let variables = [(public, "Jsmith1990"), ("POSTGRES_PASSWORD", "Jsmith1990"), ("MY_KEY", "Jsmith1991")];
            assert_eq!(found(&variables), [("Jsmith1991".to_owned(), MatchContext::Anywhere)], "{public}");
        }
        assert!(is_found("USER_TOKEN", "Jsmith1990") && is_found("DB_PASSWORD", "Jsmith1990"));
    }

    #[test]
    fn a_url_with_a_password_and_the_password_alone_are_found() {
        let url = "postgres://app:Hunter22@db/app";
        assert_eq!(
            found(&[("DATABASE_URL", url)]),
            [url, "Hunter22"].map(|value| (value.to_owned(), MatchContext::Anywhere))
        );
        let url = "postgres://postgres:postgres@db/app";
        assert_eq!(found(&[("DATABASE_URL", url)]), [(url.to_owned(), MatchContext::Anywhere)]);
    }

    #[test]
    fn a_multi_line_key_is_found_line_by_line() {
        let key = "-----BEGIN KEY-----\nabcdefghijkL\nmnopqrstuvw1\nyz\n-----END KEY-----\n";
        assert_eq!(
            found(&[("PRIVATE_KEY", key)]),
            [key.trim(), "abcdefghijkL", "mnopqrstuvw1"].map(|value| (value.to_owned(), MatchContext::Anywhere))
        );
    }
}
