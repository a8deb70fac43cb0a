//! Texts that try to pass for something else: fragments of Markdown and terminal escapes, joined at random.

use codex_connector::fuzzing::markdown;
use proptest::prelude::*;

use crate::{PropertyInput, cases};

const TEXT_FRAGMENTS: [&str; 48] = [
    "\n",
    "\n",
    " ",
    "x",
    "text of words",
    "\r",
    "\r\n",
    "\t",
    "    ",
    "`",
    "``",
    "```",
    "````",
    "~~~",
    "*",
    "**",
    "_",
    "__",
    "~~",
    "#",
    "## ",
    "> ",
    "- ",
    "1. ",
    "---",
    "===",
    "|",
    "\\",
    "\\|",
    "[",
    "](",
    "]:",
    "![",
    "<",
    "<b>",
    "<!--",
    "&#42;",
    "&lt;",
    "**Status:** completed",
    "### Result",
    "next: ",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{2028}",
    "\u{85}",
    "\u{200b}",
    "\u{e0041}",
    "\0",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    let fragment =
        prop_oneof![9 => prop::sample::select(&TEXT_FRAGMENTS[..]).prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(fragment, 0..12).prop_map(|fragments| fragments.concat().into_bytes())
}

fn input() -> impl Strategy<Value = PropertyInput> {
    (text(), text(), text()).prop_map(|(text, log, result)| PropertyInput::of(&[&text, &log, &result]))
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn untrusted_text_cannot_imitate_our_own_text_in_an_answer(input in input()) {
        markdown(&input.0);
    }
}
