//! stdout and stderr. The texts are made by `present`; secrets are taken out of the foreign words of a problem here.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::{present::Refused, redact::Redactor, task::Message, visible::visible};

/// Prints a text of `present`. Should anything in it drive the terminal all the same, it is shown as an escape.
pub(super) fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(visible(text).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Tells on stderr that something was refused.
pub(super) fn refuse(refused: Refused) -> ExitCode {
    refuse_all([refused])
}

/// The same of several things.
pub(super) fn refuse_all(refused: impl IntoIterator<Item = Refused>) -> ExitCode {
    let redactor = redactor();
    for refused in refused {
        error_text(&refused.redacted(&redactor).plain());
    }
    ExitCode::FAILURE
}

/// For words of arguments, files and programs. The names of our own files stay whole where they usually are.
pub(super) fn redactor() -> Redactor {
    let home = std::env::home_dir().map(|home| home.join(".codex-connector"));
    let redactor = Redactor::of(std::env::vars_os());
    home.map_or(redactor.clone(), |home| redactor.sparing(&[&home]))
}

/// Tells on stderr what the system says.
pub(super) fn fail(problem: impl Into<Message>) -> ExitCode {
    refuse(Refused::without_advice(problem))
}

/// Prints a text of `present` on stderr.
pub(super) fn error_text(text: &str) {
    let _ = writeln!(io::stderr(), "{}", visible(text));
}
