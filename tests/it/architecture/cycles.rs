//! Checks that no two files use each other's items, directly or through other files.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

use super::{
    names::{Edges, edges},
    root, rust_files,
    tree::SourceFiles,
};

/// The shortest path from one file to another, including both.
fn shortest_path(edges: &Edges, from: &str, to: &str) -> Option<Vec<String>> {
    let mut before = BTreeMap::from([(from.to_owned(), None::<String>)]);
    let mut queue = VecDeque::from([from.to_owned()]);
    while let Some(file) = queue.pop_front() {
        if file == to {
            let mut path = vec![file];
            while let Some(Some(previous)) = path.last().and_then(|file| before.get(file)) {
                path.push(previous.clone());
            }
            path.reverse();
            return Some(path);
        }
        for next in edges.get(&file).into_iter().flat_map(BTreeMap::keys) {
            if !before.contains_key(next) {
                before.insert(next.clone(), Some(file.clone()));
                queue.push_back(next.clone());
            }
        }
    }
    None
}

/// The cycles among files, each once: for every use that is part of a cycle, the shortest one. A cycle ends with its
/// first file.
fn cycles(edges: &Edges) -> Vec<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut cycles = Vec::new();
    for (from, others) in edges {
        for to in others.keys() {
            let Some(back) = shortest_path(edges, to, from) else { continue };
            if seen.insert(back.iter().cloned().collect::<BTreeSet<String>>()) {
                cycles.push([vec![from.clone()], back].concat());
            }
        }
    }
    cycles
}

/// A cycle as a list of files, each with the names that the previous one uses.
fn described(edges: &Edges, cycle: &[String]) -> String {
    let mut text = cycle[0].clone();
    for (from, to) in cycle.iter().zip(&cycle[1..]) {
        let names: Vec<&str> = edges[from][to].iter().map(String::as_str).collect();
        text.push_str(&format!(" -> {to} ({})", names.join(", ")));
    }
    text
}

/// The crates of the repository: the directories that contain a `lib.rs`.
fn crates() -> Vec<PathBuf> {
    let backends = fs::read_dir(root().join("backends")).expect("the backends are readable").flatten();
    let mut crates: Vec<PathBuf> = backends.map(|entry| entry.path().join("src")).collect();
    crates.push(root().join("src"));
    crates.sort();
    crates
}

fn name(file: &Path) -> String {
    file.strip_prefix(root()).expect("the file is in the repository").display().to_string()
}

#[test]
fn no_files_import_each_other_in_a_cycle() {
    let mut found = Vec::new();
    let mut users = 0;
    for dir in crates() {
        let text = |file: &PathBuf| fs::read_to_string(file).expect("a source file is readable");
        let sources: SourceFiles = rust_files(&dir).iter().map(|file| (name(file), text(file))).collect();
        let (edges, unresolved) = edges(&name(&dir.join("lib.rs")), &sources);
        assert_eq!(unresolved, Vec::<String>::new(), "paths that this test cannot follow");
        users += edges.len();
        found.extend(cycles(&edges).iter().map(|cycle| described(&edges, cycle)));
    }
    assert!(users > 100, "only {users} files use others: this test checks too little");
    assert!(found.is_empty(), "files import each other in a cycle:\n{}", found.join("\n"));
}

/// The cycles in a crate with these files, one per line.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let sources: SourceFiles = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let (edges, unresolved) = edges("lib.rs", &sources);
    assert_eq!(unresolved, Vec::<String>::new());
    cycles(&edges).iter().map(|cycle| cycle.join(" ")).collect()
}

const SIBLINGS: (&str, &str) = ("lib.rs", "mod a; mod b;");

#[test]
fn two_files_that_use_each_other_are_a_cycle() {
    let a = ("a.rs", "use super::b::{deep::Inner, f}; pub struct A;");
    let clean = ("b.rs", "pub fn f() {} pub mod deep { pub struct Inner; }");
    assert_eq!(found(&[SIBLINGS, a, clean]), Vec::<String>::new());
    for back in [
        "use super::a::A;",
        "use super::{a::{A}};",
        "use crate::a::A as Other;",
        "use super::a; fn g() -> a::A { a::A }",
        "fn g() { use super::a::A; }",
        "fn g() { use super::a; let _ = a::A; }",
        "fn g() { print!(\"{}\", super::a::A); }",
        "fn g() { print!(\"{}\", h(super::a::A)); }",
        "fn g() -> Option<Vec<super::a::A>> { None }",
        "#[derive(D)] struct S { #[serde(default = \"super::a::A\")] s: u8 }",
        "impl Trait for super::a::A {}",
        "pub mod inline { use super::super::a::A; }",
        "use super::a::*; fn g() -> A { A }",
    ] {
        let b = format!("{}\n{back}", clean.1);
        assert_eq!(found(&[SIBLINGS, a, ("b.rs", &b)]), ["a.rs b.rs a.rs"], "{back}");
    }
}

#[test]
fn a_reexport_leads_to_the_file_that_defines_the_item() {
    let facade = ("lib.rs", "mod a; mod b; pub use a::A; pub(crate) use b::{B as Renamed};");
    let a = ("a.rs", "use super::Renamed; pub struct A;");
    assert_eq!(found(&[facade, a, ("b.rs", "use crate::A; pub struct B;")]), ["a.rs b.rs a.rs"]);
    assert_eq!(found(&[facade, a, ("b.rs", "pub struct B;")]), Vec::<String>::new(), "a facade alone is not a cycle");
}

#[test]
fn a_parent_and_its_child_that_use_each_other_are_a_cycle() {
    let child = ("a.rs", "use super::Shared; pub struct A;");
    let using = ("lib.rs", "mod a; pub use a::A; pub struct Shared; fn f() -> A { A }");
    assert_eq!(found(&[using, child]), ["a.rs lib.rs a.rs"]);
    let facade = ("lib.rs", "mod a; pub use a::A; pub struct Shared;");
    assert_eq!(found(&[facade, child]), Vec::<String>::new());
}

#[test]
fn a_path_with_two_supers_is_followed() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a/mod.rs", "pub mod deep;"),
        ("a/deep.rs", "use super::super::b::B; pub struct Deep;"),
        ("b.rs", "pub struct B(super::a::deep::Deep);"),
    ];
    assert_eq!(found(&files), ["a/deep.rs b.rs a/deep.rs"]);
}

#[test]
fn a_longer_cycle_is_found() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub struct A(crate::b::B);"),
        ("b.rs", "pub struct B(crate::c::C);"),
        ("c.rs", "pub struct C(Option<Box<crate::a::A>>);"),
    ];
    assert_eq!(found(&files), ["a.rs b.rs c.rs a.rs"]);
}

#[test]
fn only_test_code_is_left_out() {
    let a = ("a.rs", "use super::b::B; pub struct A;");
    for early in [
        "#[cfg(test)] use super::a::A;",
        "#[cfg(test)] mod tests { use super::super::a::A; }",
        "#[cfg(test)] mod b_tests;",
        "#[cfg(all(test, unix))] fn f() { super::a::A; }",
        "struct S { #[cfg(test)] a: super::a::A }",
        "impl B { #[cfg(test)] fn f() { super::a::A; } }",
        "fn f() { #[cfg(test)] let _ = super::a::A; }",
    ] {
        let clean = format!("{early} pub struct B;");
        assert_eq!(found(&[SIBLINGS, a, ("b.rs", &clean)]), Vec::<String>::new(), "{early}");
        let hidden = format!("{early} pub struct B; fn hidden(_: super::a::A) {{}}");
        assert_eq!(found(&[SIBLINGS, a, ("b.rs", &hidden)]), ["a.rs b.rs a.rs"], "{early}");
    }
    for compiled in ["#[cfg(not(test))]", "#[cfg(any(test, unix))]", "#[cfg(unix)]"] {
        let b = format!("pub struct B; {compiled} use super::a::A;");
        assert_eq!(found(&[SIBLINGS, a, ("b.rs", &b)]), ["a.rs b.rs a.rs"], "{compiled}");
    }
}

#[test]
fn a_path_that_cannot_be_followed_is_reported() {
    let sources = SourceFiles::from([("lib.rs".to_owned(), "use crate::nowhere::A; use other_crate::B;".to_owned())]);
    assert_eq!(edges("lib.rs", &sources).1, ["lib.rs: crate::nowhere::A"]);
}
