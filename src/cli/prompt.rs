//! The prompt of a new task: from arguments or a file, followed by stdin.
//!
//! Words and stdin are used together, so `git diff | codex-connector run review this` works. Many programs and scripts
//! leave a stdin to their commands that nobody writes to, so it is read only when there is something in it:
//!
//! | stdin | is read |
//! |---|---|
//! | any, with the word `-` first or last, or with `-f -`, or without words and file unless it is a terminal | to its end |
//! | a regular file | to its end |
//! | a pipe | to its end, if data or its end arrives within [`PIPE_TIMEOUT`]; otherwise, a message says that it was left out |
//! | a terminal, a socket or a device | no |

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::AsFd,
    fs::{FileType, fstat},
};

use super::output::error_text;
use crate::{
    http::MAX_BODY_BYTES,
    present::{Refused, terminal_refusals},
};

/// How long a program has to write its first byte into a pipe whose content was not asked for. For example, `git diff`
/// needs a moment in a large repository.
const PIPE_TIMEOUT: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Maximum length of a prompt, in bytes: that of `codex_agent` over HTTP.
const MAX_PROMPT_BYTES: usize = MAX_BODY_BYTES;

/// The places that the prompt comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PromptSource {
    text: TextSource,
    stdin: StdinUse,
}

/// The text that the prompt begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TextSource {
    Words(String),
    File(PathBuf),
    Nothing,
}

/// Whether stdin belongs to the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StdinUse {
    Always,
    IfReady,
    Never,
}

impl PromptSource {
    fn of(words: &[String], file: Option<&Path>, stdin_is_terminal: bool) -> Self {
        let is_dash = |word: &String| word == "-";
        let unasked = if stdin_is_terminal { StdinUse::Never } else { StdinUse::IfReady };
        let joined = |words: &[String]| match words {
            [] => TextSource::Nothing,
            words => TextSource::Words(words.join(" ")),
        };
        let (text, stdin) = match (words, file) {
            (_, Some(file)) if file == Path::new("-") => (TextSource::Nothing, StdinUse::Always),
            (_, Some(file)) => (TextSource::File(file.to_owned()), unasked),
            ([], None) if stdin_is_terminal => (TextSource::Nothing, StdinUse::Never),
            ([], None) => (TextSource::Nothing, StdinUse::Always),
            ([first, rest @ ..], None) if is_dash(first) => (joined(rest), StdinUse::Always),
            ([rest @ .., last], None) if is_dash(last) => (joined(rest), StdinUse::Always),
            (words, None) => (joined(words), unasked),
        };
        Self { text, stdin }
    }
}

/// The prompt: the words joined with spaces or the content of the file, a blank line, and stdin.
pub(super) fn prompt(words: &[String], file: Option<&Path>) -> Result<String, Refused> {
    let source = PromptSource::of(words, file, io::stdin().is_terminal());
    let text = match source.text {
        TextSource::Words(words) => words,
        TextSource::Nothing => String::new(),
        TextSource::File(file) => {
            let read = File::open(&file).and_then(read_limited);
            let bytes = read.map_err(|error| terminal_refusals::unreadable_prompt(&file, &error))?;
            text_of(bytes, Some(&file))?
        }
    };
    let is_read = match source.stdin {
        StdinUse::Always => true,
        StdinUse::IfReady => has_content(io::stdin()),
        StdinUse::Never => false,
    };
    let prompt = joined(text, if is_read { stdin()? } else { String::new() });
    if prompt.trim().is_empty() {
        return Err(terminal_refusals::empty_prompt());
    }
    if prompt.len() > MAX_PROMPT_BYTES {
        return Err(terminal_refusals::long_prompt(MAX_PROMPT_BYTES));
    }
    Ok(prompt)
}

/// The text, and below it the content of stdin. If one of them is empty, the other one unchanged.
fn joined(text: String, stdin: String) -> String {
    match (text.trim().is_empty(), stdin.trim().is_empty()) {
        (_, true) => text,
        (true, false) => stdin,
        (false, false) => format!("{}\n\n{stdin}", text.trim_end()),
    }
}

fn stdin() -> Result<String, Refused> {
    let bytes = read_limited(io::stdin().lock()).map_err(|error| terminal_refusals::unreadable_stdin(&error))?;
    text_of(bytes, None)
}

/// Everything, or more than [`MAX_PROMPT_BYTES`] of something longer.
fn read_limited(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_PROMPT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The bytes as text. `place` is the file that they were read from, or `None` for stdin.
fn text_of(bytes: Vec<u8>, place: Option<&Path>) -> Result<String, Refused> {
    // Bytes that are too long may end inside a character.
    if bytes.len() > MAX_PROMPT_BYTES {
        return Err(terminal_refusals::long_prompt(MAX_PROMPT_BYTES));
    }
    String::from_utf8(bytes).map_err(|_| terminal_refusals::prompt_not_utf8(place))
}

/// Whether there is something to read although nobody said so. Prints a message if a pipe is left out.
fn has_content(stdin: impl AsFd) -> bool {
    let Ok(found) = fstat(&stdin) else { return false };
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => true,
        FileType::Fifo => {
            let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
            let is_ready = matches!(poll(&mut ready, Some(&PIPE_TIMEOUT)), Ok(1..));
            if !is_ready {
                error_text(&terminal_refusals::silent_stdin());
            }
            is_ready
        }
        FileType::Directory
        | FileType::Symlink
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stdin_is_added_to_the_words_and_not_read_from_a_terminal_unasked() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let of = |given: &[&str], file: Option<&str>, is_terminal| {
            let PromptSource { text, stdin } = PromptSource::of(&words(given), file.map(Path::new), is_terminal);
            (text, stdin)
        };
        let text = |words: &str| TextSource::Words(words.to_owned());
        for (given, file, is_terminal, expected) in [
            (&["fix", "it"][..], None, false, (text("fix it"), StdinUse::IfReady)),
            (&["fix", "it"], None, true, (text("fix it"), StdinUse::Never)),
            (&["-", "fix", "it"], None, false, (text("fix it"), StdinUse::Always)),
            (&["fix", "it", "-"], None, true, (text("fix it"), StdinUse::Always)),
            (&["a", "-", "b"], None, true, (text("a - b"), StdinUse::Never)),
            (&[], None, false, (TextSource::Nothing, StdinUse::Always)),
            (&[], None, true, (TextSource::Nothing, StdinUse::Never)),
            (&["-"], None, true, (TextSource::Nothing, StdinUse::Always)),
            (&[], Some("-"), true, (TextSource::Nothing, StdinUse::Always)),
            (&[], Some("task.md"), false, (TextSource::File("task.md".into()), StdinUse::IfReady)),
        ] {
            assert_eq!(of(given, file, is_terminal), expected, "{given:?} {file:?} {is_terminal}");
        }
    }

    #[test]
    fn a_blank_line_separates_the_words_from_stdin() {
        let of = |text: &str, stdin: &str| joined(text.to_owned(), stdin.to_owned());
        assert_eq!(of("review this\n", "+ a line\n"), "review this\n\n+ a line\n");
        assert_eq!((of("review this", " \n"), of("", " text")), ("review this".to_owned(), " text".to_owned()));
    }
}
