//! Checks that only one module prints untrusted text, and that this module does nothing else.

use std::fs;

use super::{is_test, root, rust_files, without_tests};

/// The occurrences of `names` in the product code below `dir`, each with its file. Comments are ignored.
fn found(dir: &str, names: &[&str]) -> Vec<String> {
    let files = rust_files(&root().join("src").join(dir));
    assert!(!files.is_empty(), "there is no `{dir}`, so this test checks nothing");
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !is_test(file)) {
        let source = without_tests(&fs::read_to_string(file).expect("a source file is readable"));
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let code = source.lines().filter(is_code).collect::<Vec<_>>().join("\n");
        let here = names.iter().filter(|name| code.contains(**name));
        found.extend(here.map(|name| format!("{} has `{name}`", file.display())));
    }
    found
}

#[test]
fn only_present_renders_untrusted_text() {
    // Functions that return untrusted text unescaped, or that bypass the functions which write to stdout and stderr.
    let ways = [".raw()", ".raw_mut()", ".into_raw()", ".display()", "print!", "println!", "dbg!"];
    for dir in ["mcp", "cli", "request", "tui"] {
        assert_eq!(found(dir, &ways), Vec::<String>::new());
    }
}

/// Advice is user-facing text, and belongs in `present`.
#[test]
fn mcp_and_cli_contain_no_advice_texts() {
    for dir in ["mcp", "cli", "request", "tui"] {
        assert_eq!(found(dir, &["; next: ", "\\nnext: "]), Vec::<String>::new());
    }
}

#[test]
fn present_reads_no_file_no_clock_and_no_environment() {
    let effects = [
        "std::fs",
        "std::io",
        "std::env",
        "std::process",
        "tokio",
        "rustix",
        "::now()",
        ".canonicalize(",
        ".exists()",
        "print!",
        "println!",
        "tracing",
    ];
    assert_eq!(found("present", &effects), Vec::<String>::new());
}

#[test]
fn every_serialized_form_is_explicit() {
    // An untagged or flattened value can read as another one, and hides where a field belongs.
    assert_eq!(found("", &["untagged", "serde(flatten", ", flatten"]), Vec::<String>::new());
}
