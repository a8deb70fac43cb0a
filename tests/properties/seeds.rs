//! The fuzzers' seeds: a few good inputs for each target, and every input that ever failed.

use std::{fs, path::Path};

use codex_connector::fuzzing::TARGETS;

#[test]
fn every_fuzz_seed_satisfies_its_property() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, property) in TARGETS {
        let seeds: Vec<_> = fs::read_dir(root.join(name)).expect("each target has seeds").flatten().collect();
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in seeds {
            let input = fs::read(seed.path()).expect("a seed is readable");
            let kept = std::panic::catch_unwind(|| property(&input));
            assert!(kept.is_ok(), "{} violates its property; see the output above", seed.path().display());
        }
    }
}

#[test]
fn every_property_has_a_fuzz_target_and_every_target_a_property() {
    let targets = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets"));
    let mut files: Vec<_> = targets
        .expect("the fuzz targets are in the repository")
        .flatten()
        .map(|file| file.file_name().into_string().unwrap_or_default())
        .collect();
    let mut names: Vec<_> = TARGETS.iter().map(|(name, _)| format!("{name}.rs")).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
}
