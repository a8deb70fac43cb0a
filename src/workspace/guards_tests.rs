//! Tests of what is not covered.

use super::*;
use crate::workspace::scratch_tests::Scratch;

#[test]
fn a_repository_around_the_home_or_the_data_directory_is_refused() {
    let scratch = Scratch::new();
    let (git, place) = (scratch.tool(), scratch.place());
    let data = scratch.root.join("data");
    let check = |place: &Place, home: &Path, data: &Path| {
        check_place(&git, place, Some(home), data).map_err(|refused| refused.to_string())
    };
    let home = scratch.root.join("home");
    assert_eq!(check(&place, &home, &data), Ok(()));
    for inside in [scratch.top.clone(), scratch.top.join("home")] {
        let refused = check(&place, &inside, &data).expect_err("it would contain everything");
        assert!(refused.ends_with("contains the home directory"), "{refused}");
    }
    let root = Place { top: "/".into(), ..place.clone() };
    assert!(check(&root, &home, &data).is_err_and(|refused| refused.ends_with("is the root directory")));
    for (data, is_covered) in [("", false), ("data", false), ("build", true), ("build/data", true), (".git/data", true)]
    {
        assert_eq!(check(&place, &home, &scratch.top.join(data)).is_ok(), is_covered, "{data}");
    }
}

#[test]
fn names_of_secrets_are_recognized() {
    for secret in [
        ".env",
        "a/.env.local",
        "key.pem",
        "KEY.PEM",
        "id_rsa",
        "x/id_ed25519.pub",
        "credentials.json",
        ".env.d/a",
        ".envs/prod",
        "x/credentials/a",
    ] {
        assert!(is_secret(secret.as_bytes()), "{secret}");
    }
    for other in [
        "env",
        "id_rsa/x",
        "src/id_map.rs",
        "credentials_test.go",
        "pem",
        ".environment/x",
        "identity",
        "credentials/mod.rs",
    ] {
        assert!(!is_secret(other.as_bytes()), "{other}");
    }
}

#[test]
fn the_number_and_the_size_of_untracked_files_are_limited() {
    assert!(!is_too_much(100_000, 1_000_000_000));
    assert!(is_too_much(100_001, 0) && is_too_much(1, 1_000_000_001));
}
