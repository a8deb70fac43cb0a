//! The output of `plugin`.

use std::path::Path;

use super::{Refused, message::plain};
use crate::task::message;

/// A directory as a line that a program reads. Control characters in it are escaped.
pub(crate) fn directory(path: &Path) -> String {
    plain(&message![path]) + "\n"
}

/// The path of this program is unknown.
pub(crate) fn unknown_program(error: &impl ToString) -> Refused {
    Refused::new(
        message!["cannot find the path of this program: ", error.to_string()],
        "start it again, with its absolute path",
    )
}

/// The path of this program, or an argument, cannot be written into a script.
pub(crate) fn install_elsewhere(said: String) -> Refused {
    Refused::new(said, "install codex-connector in a directory whose path is UTF-8")
}

/// A file or directory cannot be written.
pub(crate) fn make_writable(said: String, path: &Path) -> Refused {
    Refused::new(said, message!["make sure that ", path, " can be read and written"])
}

/// Another process has locked a directory.
pub(crate) fn end_other_process(said: String, path: &Path) -> Refused {
    Refused::new(said, message!["end the other process that uses ", path, ", and try again"])
}
