//! Checks that the code has the layout described in ARCHITECTURE.md.

mod cycles;
mod names;
mod texts;
mod tree;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The permitted imports, lowest layer first: a module uses only modules in rows above its own, and its own files.
const LAYERS: [&[&str]; 17] = [
    &["task", "visible", "redact", "blocking"],
    &["present"],
    &["directory", "stdio"],
    &["registry", "store"],
    &["config", "process", "logging", "follower"],
    &["agent_environment"],
    &["workspace"],
    &["http", "probing", "exposure", "plugin"],
    &["supervisor", "setup"],
    &["executor"],
    &["broker"],
    &["request", "kit"],
    &["mcp"],
    &["tui", "web"],
    &["cli"],
    &["app"],
    // Not part of the program: it passes bytes to the parsers of all other modules.
    &["fuzzing"],
];

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a source directory is readable").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The library's module that contains a file; `None` for `lib.rs` and `main.rs`.
fn module_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(root().join("src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main"].contains(&module)).then(|| module.to_owned())
}

/// A file's depth in modules below the library's root: 2 for `src/store/index.rs`, 1 for `src/store/mod.rs`.
fn depth_of(file: &Path) -> usize {
    let inside = file.strip_prefix(root().join("src")).map_or(0, |inside| inside.components().count());
    if file.file_name().is_some_and(|name| name == "mod.rs") { inside - 1 } else { inside }
}

/// The library's modules that a source text uses, in a file at this depth: the words after `crate::`, or after the
/// number of `super::` that leads to the root, one by one or in braces. In a module inside the file, one more
/// `super::` is needed.
fn used(source: &str, depth: usize) -> Vec<String> {
    let root = "super::".repeat(depth);
    let climbs = source.match_indices(&root).filter(|(at, _)| !source[..*at].ends_with("super::"));
    let climbs = climbs.map(|(at, root)| at + root.len()).map(|end| match source[end..].strip_prefix("super::") {
        Some(_) => end + "super::".len(),
        None => end,
    });
    let starts: Vec<usize> =
        source.match_indices("crate::").map(|(at, found)| at + found.len()).chain(climbs).collect();
    let mut used = Vec::new();
    for after in starts.into_iter().map(|at| &source[at..]) {
        let names = match after.strip_prefix('{') {
            Some(list) => {
                let mut depth = 0;
                let end = list.find(|c| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    depth < 0
                });
                top_level_names(&list[..end.unwrap_or(0)])
            }
            // The rest of the file is not part of this path.
            None => top_level_names(after).into_iter().take(1).collect(),
        };
        used.extend(names);
    }
    used
}

fn top_level_names(list: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut depth = 0;
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            _ if depth == 0 => names.last_mut().expect("there is always one").push(c),
            _ => {}
        }
    }
    let first = |name: &String| name.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
    names.iter().filter_map(first).collect()
}

#[test]
fn modules_import_downward_only() {
    for file in rust_files(&root().join("src")) {
        let Some(module) = module_of(&file) else { continue };
        let ours = layer(&module).unwrap_or_else(|| panic!("`{module}` is not in any layer"));
        let source = fs::read_to_string(&file).expect("a source file is readable");
        for other in used(&source, depth_of(&file)).iter().filter(|other| **other != module) {
            let Some(theirs) = layer(other) else { continue };
            assert!(theirs < ours, "{} imports `{other}`, which is not below `{module}`", file.display());
        }
    }
}

#[test]
fn each_external_library_is_used_only_in_its_module() {
    let mut seen = BTreeSet::new();
    for (library, homes) in [
        ("rmcp::", &["mcp"][..]),
        ("figment::", &["config"]),
        ("clap::", &["cli"]),
        ("ratatui::", &["tui"]),
        ("Command::new", &["process", "executor"]),
    ] {
        for file in rust_files(&root().join("src")) {
            let Some(module) = module_of(&file) else { continue };
            let source = fs::read_to_string(&file).expect("a source file is readable");
            if is_test(&file) {
                continue;
            }
            let product = without_tests(&source);
            if product.contains(library) {
                seen.insert(library);
            }
            assert!(
                homes.contains(&module.as_str()) || !product.contains(library),
                "{} mentions `{library}`, which belongs to {homes:?}",
                file.display()
            );
        }
        assert!(seen.contains(library), "`{library}` is not used anywhere, so this test checks nothing");
    }
}

/// The store opens and removes files only in modules that handle links, pipes and devices, and in which tests can
/// inject faults.
#[test]
fn the_store_touches_files_in_one_place() {
    let touching = [
        "File::open",
        "File::create",
        "OpenOptions",
        "fs::read(",
        "fs::read_to_string",
        "fs::write(",
        "fs::remove_file",
    ];
    for file in rust_files(&root().join("src/store")) {
        let is_file_module = ["files.rs", "fault.rs", "token.rs"].iter().any(|name| file.ends_with(name));
        if is_file_module || is_test(&file) {
            continue;
        }
        let source = fs::read_to_string(&file).expect("a source file is readable");
        let product = without_tests(&source);
        for name in touching {
            assert!(
                !product.contains(name),
                "{} has `{name}`; src/store/files.rs has a function for it",
                file.display()
            );
        }
    }
}

/// Only an executor knows where a task runs, and in which processes.
#[test]
fn the_broker_knows_no_processes_and_no_signals() {
    for file in rust_files(&root().join("src/broker")) {
        let source = fs::read_to_string(&file).expect("a source file is readable");
        assert!(
            !used(&source, depth_of(&file)).contains(&"process".to_owned()),
            "{} imports `process`",
            file.display()
        );
        for name in ["rustix", "std::process", "tokio::process", "tokio::signal"] {
            assert!(!source.contains(name), "{} mentions `{name}`", file.display());
        }
    }
    for file in rust_files(&root().join("src")).iter().filter(|file| !is_test(file)) {
        let source = without_tests(&fs::read_to_string(file).expect("a source file is readable"));
        let module = module_of(file).unwrap_or_default();
        for name in ["nudge(", "kill_supervisor(", "kill_left_behind("] {
            let is_home = ["process", "executor"].contains(&module.as_str());
            assert!(is_home || !source.contains(name), "{} calls `{name}`, as only an executor does", file.display());
        }
    }
}

/// A reader must also work where nothing can be written.
#[test]
fn a_reader_has_no_code_that_writes() {
    let writing = [
        "atomic",
        "set_aside",
        "replace(",
        "files::write",
        "files::append",
        "files::mark",
        "files::lock",
        "files::remove",
        "files::make",
        "files::read_and_write",
        "fs::create",
        "fs::rename",
        "fs::set_permissions",
        "try_lock()",
        "open_task",
        "upkeep",
    ];
    let files = rust_files(&root().join("src/store/reader"));
    assert!(!files.is_empty(), "there are no readers here, so this test checks nothing");
    for file in files.into_iter().filter(|file| !is_test(file)) {
        let source = fs::read_to_string(&file).expect("a source file is readable");
        let product = without_tests(&source);
        let code: String = product.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for name in writing {
            assert!(!code.contains(name), "{} mentions `{name}`, and a reader never writes", file.display());
        }
    }
}

/// Whether a file contains only tests.
fn is_test(file: &Path) -> bool {
    file.file_stem().and_then(|name| name.to_str()).is_some_and(|name| name == "tests" || name.ends_with("_tests"))
}

/// A source text without the items that are compiled only for tests.
fn without_tests(source: &str) -> String {
    let mut product = String::new();
    let mut rest = source;
    while let Some((before, after)) = rest.split_once("#[cfg(test)]") {
        product.push_str(before);
        // The item ends with its first `;` before any brace, or with the brace at the beginning of a line.
        let semicolon = after.find(';').unwrap_or(after.len());
        let brace = after.find('{').unwrap_or(after.len());
        let end = if semicolon < brace { semicolon + 1 } else { after.find("\n}").map_or(after.len(), |at| at + 2) };
        rest = &after[end..];
    }
    product + rest
}

#[test]
fn no_file_is_longer_than_four_hundred_lines() {
    for dir in ["src", "backends", "tests", "examples", "benches"] {
        if !root().join(dir).is_dir() {
            continue;
        }
        for file in rust_files(&root().join(dir)) {
            let lines = fs::read_to_string(&file).expect("a source file is readable").lines().count();
            assert!(lines <= 400, "{} has {lines} lines", file.display());
        }
    }
}

#[test]
fn the_import_test_reads_nested_lists() {
    let source = "use crate::{a::{b, c}, d, e::f};\nuse crate::g::h;\nlet x = crate::i::j();\n(k, l)";
    assert_eq!(used(source, 1), ["a", "d", "e", "g", "i"]);
}

#[test]
fn the_import_test_follows_super_to_the_root_and_no_further() {
    let source = "use super::{near};\nuse super::super::{a::b, c};\nmod tests { use super::super::super::d; }";
    assert_eq!(used(source, 2), ["a", "c", "d"]);
    let file = |path: &str| depth_of(&root().join("src").join(path));
    assert_eq!([file("cli.rs"), file("store/mod.rs"), file("store/index.rs"), file("mcp/http/guard.rs")], [1, 1, 2, 3]);
}

#[test]
fn code_after_an_early_test_item_is_checked() {
    let source =
        "#[cfg(test)]\nmod tests;\nuse rmcp::a;\n#[cfg(test)]\nmod more {\n    use figment::b;\n}\nuse clap::c;\n";
    let product = without_tests(source);
    assert!(product.contains("rmcp::a") && product.contains("clap::c") && !product.contains("figment"), "{product}");
}

/// The broker's fields whose methods read or write the data directory.
const ON_DISK: [&str; 4] = ["reader.", "upkeep.", "requests.", "probes."];

/// Methods that do not access files.
const NO_FILE: [&str; 2] = ["notices(", "clone("];

/// The store calls in async functions, which would block a thread that serves other calls. Work passed to `on_disk`
/// uses a separate `broker` instead of `self`.
fn blocking_store_calls(source: &str) -> Vec<&str> {
    let mut is_async = false;
    let mut found = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some((before, _)) = line.split_once("fn ") {
            is_async = before.contains("async");
        }
        let starts = line.match_indices("self.").map(|(at, found)| &line[at + found.len()..]);
        let fields = starts.map(|start| start.strip_prefix("broker.").unwrap_or(start));
        let mut calls = fields.filter_map(|field| ON_DISK.iter().find_map(|name| field.strip_prefix(name)));
        let is_file = |call: &str| !NO_FILE.iter().any(|name| call.starts_with(name));
        if is_async && calls.any(is_file) {
            found.push(line);
        }
    }
    found
}

#[test]
fn the_broker_never_waits_for_a_file_on_an_async_thread() {
    for file in rust_files(&root().join("src/broker")) {
        let source = fs::read_to_string(&file).expect("a source file is text");
        assert_eq!(blocking_store_calls(&source), Vec::<&str>::new(), "{}", file.display());
    }
    let wrong = "async fn list(&self) {\n    self.reader.list();\n}\nfn other(&self) {\n    self.reader.list()\n}";
    assert_eq!(blocking_store_calls(wrong), ["self.reader.list();"]);
    let broker = fs::read_to_string(root().join("src/broker/mod.rs")).expect("a source file is text");
    for field in ON_DISK.map(|field| field.replace('.', ":")) {
        assert!(broker.contains(&format!("    {field}")), "the broker has no field {field}");
    }
}
