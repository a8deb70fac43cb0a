//! The layout that ARCHITECTURE.md describes, held against the code.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Who may import whom, lowest first: a module uses only modules of rows above its own, or of its own module.
const LAYERS: [&[&str]; 11] = [
    &["task", "visible", "redact", "blocking"],
    &["registry", "store"],
    &["config", "process", "logging"],
    &["probing", "exposure"],
    &["supervisor"],
    &["executor"],
    &["broker"],
    &["mcp", "kit"],
    &["cli"],
    &["app"],
    // Not in the program: it hands bytes to the parsers of all the others.
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

/// The module of the library that a file belongs to; `None` for `lib.rs` and `main.rs`.
fn module_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(root().join("src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main"].contains(&module)).then(|| module.to_owned())
}

/// The modules of the library that a source text uses: the words after `crate::`, one by one or in braces.
fn used(source: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (_, after) in source.match_indices("crate::").map(|(at, found)| source.split_at(at + found.len())) {
        let names = match after.strip_prefix('{') {
            Some(list) => {
                let mut depth = 0;
                let end = list.find(|c| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    depth < 0
                });
                top_level_names(&list[..end.unwrap_or(0)])
            }
            None => top_level_names(after),
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
        let ours = layer(&module).unwrap_or_else(|| panic!("`{module}` stands in no layer"));
        let source = fs::read_to_string(&file).expect("a source file is readable");
        for other in used(&source).iter().filter(|other| **other != module) {
            let Some(theirs) = layer(other) else { continue };
            assert!(theirs < ours, "{} imports `{other}`, which is not below `{module}`", file.display());
        }
    }
}

#[test]
fn each_outside_library_stays_where_it_belongs() {
    for (library, homes) in [
        ("rmcp::", &["mcp"][..]),
        ("figment::", &["config"]),
        ("clap::", &["cli"]),
        ("Command::new", &["process", "executor"]),
    ] {
        for file in rust_files(&root().join("src")) {
            let Some(module) = module_of(&file) else { continue };
            let source = fs::read_to_string(&file).expect("a source file is readable");
            let product = source.split("#[cfg(test)]").next().unwrap_or_default();
            assert!(
                homes.contains(&module.as_str()) || !product.contains(library),
                "{} mentions `{library}`, which belongs to {homes:?}",
                file.display()
            );
        }
    }
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
fn the_test_of_imports_reads_nested_lists() {
    let source = "use crate::{a::{b, c}, d, e::f};\nuse crate::g::h;\nlet x = crate::i::j();";
    assert_eq!(used(source), ["a", "d", "e", "g", "i"]);
}
