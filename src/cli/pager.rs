//! Shows long text on a terminal in a pager.

use std::env;

use super::{exit::Exit, output::print_styled};
use crate::{present::terminal::Screen, process::page};

/// The pager if PAGER is not set: quits if the text fits on the screen, passes colors on, and leaves the text there.
const DEFAULT_PAGER: &str = "less -FRX";

/// Prints text with our own colors, on a terminal through the pager that the environment names.
pub(super) fn print_paged(text: &str, screen: Screen, wants_pager: bool) -> Exit {
    let pager = env::var("PAGER").unwrap_or_else(|_| DEFAULT_PAGER.to_owned());
    // `cat` and an empty value mean no pager, as in git.
    if !wants_pager || !screen.is_terminal() || ["", "cat"].contains(&pager.trim()) {
        return print_styled(text);
    }
    let words = shlex::split(&pager).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else { return print_styled(text) };
    match page(program, arguments, text) {
        Ok(()) => Exit::Completed,
        Err(_) => print_styled(text),
    }
}
