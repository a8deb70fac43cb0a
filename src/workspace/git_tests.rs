//! Tests with the installed git, and with scripts in its place.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use super::*;
use crate::workspace::{GIT_FOR_MERGES, scratch_tests::Scratch};

const LONG: Duration = Duration::from_secs(60);

/// git, with a script in its place that is found in a directory named `bin` below this one.
fn scripted(directory: &Path, script: &str, project: &Path) -> Result<Git, GitError> {
    let bin = directory.join("bin");
    fs::create_dir_all(&bin).expect("it is writable");
    fs::write(bin.join("git"), format!("#!/bin/sh\n{script}\n")).expect("it is writable");
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).expect("the test owns it");
    let path = format!("{}:/bin:/usr/bin", bin.display());
    Git::find_with([("PATH".into(), path.into())], project, Deadline::after(LONG))
}

#[test]
fn versions_are_parsed() {
    for (answer, version) in [
        ("git version 2.47.3\n", Some(GitVersion(2, 47))),
        ("git version 2.39.5 (Apple Git-154)\n", Some(GitVersion(2, 39))),
        ("git version 3.0\n", Some(GitVersion(3, 0))),
        ("git version 2.50.GIT\n", Some(GitVersion(2, 50))),
        ("git version x\n", None),
        ("", None),
    ] {
        assert_eq!(GitVersion::parse(answer.as_bytes()), version, "{answer}");
    }
}

#[test]
fn a_git_inside_the_project_is_not_used() {
    let scratch = Scratch::new();
    let is_planted = |git: Result<Git, GitError>| git.expect("one is installed").program.starts_with(&scratch.top);
    assert!(!is_planted(scripted(&scratch.top, "echo git version 9.9.9", &scratch.top)));
    assert!(is_planted(scripted(&scratch.top, "echo git version 9.9.9", &scratch.root.join("home"))));
}

#[test]
fn a_missing_or_old_git_is_reported() {
    let scratch = Scratch::new();
    let missing = Git::find_with([("PATH".into(), "/nowhere".into())], &scratch.top, Deadline::after(LONG));
    assert!(matches!(missing, Err(GitError::NotInstalled)));
    let old = scripted(&scratch.root, "echo git version 2.30.2", &scratch.top).expect("it answers");
    let refused = old.require(GIT_FOR_MERGES).expect_err("it is too old");
    assert_eq!(refused.to_string(), "git 2.30 is too old; git 2.38 or newer is needed");
    let odd = scripted(&scratch.root, "echo hello", &scratch.top);
    assert!(matches!(odd, Err(GitError::Unexpected { .. })));
}

#[test]
fn variables_of_the_caller_have_no_effect() {
    let scratch = Scratch::new();
    let planted = [("GIT_DIR", "/x"), ("GIT_CONFIG_PARAMETERS", "'core.hooksPath=/x'"), ("GIT_EXTERNAL_DIFF", "/x")];
    let planted = planted.map(|(name, value)| (name.into(), value.into()));
    let environment = scratch.environment().into_iter().chain(planted);
    let git = Git::find_with(environment, &scratch.top, Deadline::after(LONG)).expect("git is installed");
    let hooks = git.command(["config", "core.hooksPath"]).directory(&scratch.top).run().expect("it is set");
    assert_eq!(hooks, b"/dev/null\n");
    assert_eq!(git.variable("GIT_EXTERNAL_DIFF"), None);
}

#[test]
fn an_error_has_the_message_of_git() {
    let scratch = Scratch::new();
    let failed = scratch.tool().command(["rev-parse", "--verify", "nothing"]).directory(&scratch.top).run();
    let error = failed.expect_err("there is no such object");
    assert_eq!(error.to_string(), "`git rev-parse` failed with exit code 128");
    assert!(error.stderr().is_some_and(|text| text.raw().contains("Needed a single revision")), "{error:?}");
}

#[test]
fn a_git_that_hangs_is_stopped_at_the_deadline() {
    let scratch = Scratch::new();
    let git = scripted(&scratch.root, "[ $1 = version ] && echo git version 2.47.3 || exec sleep 300", &scratch.top);
    let git = git.expect("it answers").with_deadline(Deadline::after(Duration::from_millis(200)));
    let error = git.command(["status"]).run().expect_err("it hangs");
    assert_eq!(error.to_string(), "`git status` did not finish in time");
}

#[test]
fn output_is_streamed_and_a_writer_that_fails_ends_the_command() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let scratch = Scratch::new();
    let git = scratch.tool();
    let show = || git.command(["show", "HEAD:a.txt"]).directory(&scratch.top);
    let mut text = Vec::new();
    show().stream(&mut text).expect("the object exists");
    assert_eq!(text, b"one\ntwo\nthree\n");
    assert!(matches!(show().stream(&mut Full), Err(GitError::Output { .. })));
}
