//! Working directories in which tasks are refused.

use std::{fs, os::unix::fs::symlink};

use super::*;

/// The refusal of a task in `working` with the data directory `data`, if it is refused. Both are relative to a test
/// directory.
fn message(working: &str, data: &str, temporary: &[&str], is_repository_open: bool) -> Option<String> {
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    let root = &dir.path().canonicalize().expect("the path exists");
    for sub in [
        "project/sub/.cc",
        "project/.git",
        ".git",
        "home/.codex-connector/logs",
        "home/x",
        "tmp/data",
        "project-2",
        "linked",
        "split",
    ] {
        fs::create_dir_all(root.join(sub)).expect("the temporary directory is writable");
    }
    fs::write(root.join("project/.git/HEAD"), "ref: refs/heads/main\n").expect("the temporary directory is writable");
    for (link, target) in [
        ("link", "project"),
        ("project/state", "home/.codex-connector"),
        ("project/home", "home"),
        ("project-2/first", "project/state"),
        ("project-2/shown", "project-2/first"),
        ("project/dangling", "nowhere/data"),
        ("project-2/dangling", "project/missing/data"),
        ("project/loop", "project-2/loop"),
        ("project-2/loop", "project/loop"),
        ("tmp/state", "home/.codex-connector"),
        ("safe", "home/.codex-connector"),
        ("linked/run", "project/sub"),
        ("split/run", "home/x"),
    ] {
        symlink(root.join(target), root.join(link)).expect("the temporary directory is writable");
    }
    let exposure = Exposure {
        temporary: temporary.iter().map(|sub| root.join(sub)).collect(),
        is_repository_open,
        closable: vec![],
        protected: vec![(ProtectedKind::Data, root.join(data)), (ProtectedKind::Log, root.join(data).join("logs"))],
        relative: None,
    };
    exposure
        .check(&root.join(working).canonicalize().expect("the path exists"))
        .err()
        .map(|exposed| exposed.to_string())
}

#[test]
fn a_data_directory_is_exposed_wherever_the_sandbox_lets_the_agent_write() {
    for (working, data, temporary, is_repository_open, expected) in [
        ("project", "project/sub/.cc", &[][..], false, "is in the working directory"),
        ("link", "project/sub/.cc", &[], false, "is in the working directory"),
        ("project", "link/sub/.cc", &[], false, "is in the working directory"),
        ("home", "home/.codex-connector", &[], false, "is in the working directory"),
        ("home/.codex-connector", "home/.codex-connector", &[], false, "is in the working directory"),
        ("home/.codex-connector/logs", "home/.codex-connector", &[], false, "contains the working directory"),
        ("project", "tmp/data", &["tmp"], false, "which this sandbox leaves open"),
        ("project/sub", "project/data", &[], true, "is in the working directory's repository"),
        ("project", "project/state", &[], false, "project/state, in the working directory"),
        ("project", "project/home/.codex-connector", &[], false, "project/home, in the working directory"),
        ("project", "project-2/shown", &[], false, "project/state, in the working directory"),
        ("project", "project/dangling", &[], false, "project/dangling, in the working directory"),
        ("project", "project-2/dangling", &[], false, "is in the working directory"),
        ("project", "project/loop", &[], false, "in the working directory"),
        ("project", "project-2/loop", &[], false, "in the working directory"),
        ("project", "project/sub/../../home/x", &[], false, "project/sub, in the working directory"),
        ("project", "tmp/state", &["tmp"], false, "tmp/state, in"),
        ("project/sub", "project/state", &[], true, "project/state, in the working directory's repository"),
        ("project", "linked", &[], false, "linked/run, is in the working directory"),
        ("home", "linked", &["project"], false, "linked/run, is in "),
    ] {
        let message = message(working, data, temporary, is_repository_open);
        assert!(message.as_ref().is_some_and(|message| message.contains(expected)), "{working} {data}: {message:?}");
    }
}

#[test]
fn a_data_directory_is_safe_everywhere_else() {
    for (working, data, temporary, is_repository_open) in [
        ("project", "home/.codex-connector", &["tmp"][..], true),
        ("project", "project-3", &[], true),
        ("project/sub", "project/data", &[], false),
        ("home/x", "home/.codex-connector", &["nowhere"], true),
        ("project", "tmp/data", &[], true),
        ("project", "safe", &["tmp"], true),
        ("project", "split", &["tmp"], true),
        ("project", "tmp/state", &[], true),
        ("project/sub", "project/state", &[], false),
    ] {
        assert_eq!(message(working, data, temporary, is_repository_open), None, "{working} {data}");
    }
}

#[test]
fn the_advice_fits_the_location_of_the_data_directory() {
    let exposure = |data: &str| Exposure {
        temporary: vec!["/tmp".into()],
        is_repository_open: false,
        closable: vec![],
        protected: vec![(ProtectedKind::Data, data.into()), (ProtectedKind::Log, "/nowhere/logs".into())],
        relative: None,
    };
    let next = |data: &str, working: Option<&str>| {
        let exposed = exposure(data).check_from(working.map(Path::new)).expect_err("the data directory is exposed");
        exposed.next()
    };
    let home = next("/nowhere/me/.codex-connector", Some("/nowhere/me"));
    assert!(home.contains("such as a single project") && home.contains("outside /nowhere/me,"), "{home}");
    assert!(!home.contains("~/.codex-connector"), "the data directory is already there: {home}");
    let inside = next("/nowhere/me", Some("/nowhere/me/project"));
    assert!(inside.contains("outside the data directory"), "{inside}");
    let temporary = next("/tmp/data", None);
    assert!(temporary.contains("set `data_dir`") && temporary.contains("outside /tmp,"), "{temporary}");
    assert_eq!(exposure("/nowhere/me").check_anywhere(), Ok(vec![]));
}

#[test]
fn an_area_that_the_agent_can_close_does_not_cause_a_refusal() {
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    let project = dir.path().canonicalize().expect("the path exists").join("project");
    let exposure = |closable: &[OpenArea]| Exposure {
        temporary: vec![dir.path().to_owned()],
        is_repository_open: false,
        closable: closable.to_owned(),
        protected: vec![
            (ProtectedKind::Data, dir.path().join("data")),
            (ProtectedKind::Log, dir.path().join("data/logs")),
        ],
        relative: None,
    };
    assert_eq!(exposure(&[OpenArea::Temporary]).check(&project), Ok(vec![OpenArea::Temporary]));
    assert!(exposure(&[OpenArea::Repository]).check(&project).is_err());
}

/// A Codex backend with these rules for its environment.
fn codex(env: serde_json::Value) -> connector_codex::Codex {
    let name = connector_api::BackendName::new("codex").expect("the name is valid");
    connector_api::BackendKind::build(name, serde_json::json!({"env": env})).expect("the settings are valid")
}

#[test]
fn files_that_are_trusted_later_are_checked_too() {
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    let root = dir.path().canonicalize().expect("the path exists");
    let (project, program) = (root.join("project"), root.join("project/agent"));
    fs::create_dir(&project).expect("the temporary directory is writable");
    fs::copy("/bin/sh", &program).expect("the temporary directory is writable");
    symlink(&program, root.join("link")).expect("the temporary directory is writable");
    symlink("config.toml", project.join("link.toml")).expect("the temporary directory is writable");
    let store = Reader::new(&root.join("data"), &root.join("data/logs"));
    let codex = codex(serde_json::json!({}));
    for (config, program, expected) in [
        ("project/not-there.toml", "sh", Some("the configuration file")),
        ("project/link.toml", "sh", Some("the configuration file")),
        ("config.toml", "project/agent", Some("change a program that runs outside of the sandbox: the program")),
        ("config.toml", "link", Some("change a program that runs outside of the sandbox: the program")),
        ("config.toml", "project/not-there", None),
        ("config.toml", "sh", None),
    ] {
        let program = if program == "sh" { program.into() } else { root.join(program) };
        let programs = [program.to_str().expect("the path is UTF-8")];
        let trusted = trusted_files(root.join(config), programs.into_iter());
        let exposure =
            Exposure::of(&codex, Sandbox::WorkspaceWrite, &store, &trusted).expect("this sandbox is checked");
        let message = exposure.check(&project).map_err(|exposed| (exposed.to_string(), exposed.next())).err();
        assert_eq!(message.is_some(), expected.is_some(), "{config} {message:?}");
        assert!(
            message.is_none_or(|(message, next)| message.contains(expected.unwrap_or_default()) && !next.is_empty())
        );
        let read_only = Exposure::of(&codex, Sandbox::ReadOnly, &store, &trusted).expect("this sandbox is checked");
        assert_eq!(read_only.check(&project), Ok(vec![]), "{config}");
    }
}

#[test]
fn an_agents_home_must_be_absolute_and_not_writable_by_the_agent() {
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    let project = dir.path().canonicalize().expect("the path exists");
    let store = Reader::new(Path::new("/nowhere/data"), Path::new("/nowhere/data/logs"));
    let message = |variable: &str, value: &str, sandbox| {
        let value = value.replace('@', project.to_str().expect("the path is UTF-8"));
        let exposure = Exposure::of(&codex(serde_json::json!({"set": {variable: value}})), sandbox, &store, &[]);
        exposure.expect("this sandbox is checked").check(&project.join("x")).err().map(|exposed| exposed.to_string())
    };
    for variable in HOME_VARIABLES {
        for value in [".codex", "../x", "~/.codex"] {
            for sandbox in [Sandbox::ReadOnly, Sandbox::WorkspaceWrite] {
                let message = message(variable, value, sandbox).unwrap_or_default();
                assert!(message.contains("is a relative path") && message.contains(variable), "{variable}: {message}");
            }
        }
        let inside = message(variable, "@/x/home", Sandbox::WorkspaceWrite).unwrap_or_default();
        assert!(inside.contains("change its own settings") && inside.contains(variable), "{variable}: {inside}");
        for (value, sandbox) in [
            ("@/x/home", Sandbox::ReadOnly),
            ("@/home", Sandbox::WorkspaceWrite),
            // Most users' projects are in their home directory.
            ("@", Sandbox::WorkspaceWrite),
        ] {
            assert_eq!(message(variable, value, sandbox), None, "{variable}={value}");
        }
    }
}

#[test]
fn a_relative_temporary_directory_is_resolved_in_the_working_directory() {
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    let root = dir.path().canonicalize().expect("the path exists");
    let store = Reader::new(&root.join("data"), &root.join("data/logs"));
    let codex = codex(serde_json::json!({"set": {"TMPDIR": ".."}}));
    let mut exposure = Exposure::of_backend(&codex, &store, &[]);
    exposure.temporary.retain(|dir| dir.is_relative());
    assert_eq!(exposure.check(&root.join("project")), Ok(vec![OpenArea::Temporary]));
    assert_eq!(exposure.check(&root.join("project/sub")), Ok(vec![]));
}

#[test]
fn a_separate_log_directory_is_checked_too() {
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    let exposure = Exposure {
        temporary: vec![],
        is_repository_open: false,
        closable: vec![OpenArea::Temporary],
        protected: vec![
            (ProtectedKind::Data, "/elsewhere".into()),
            (ProtectedKind::Log, dir.path().join("project/logs")),
        ],
        relative: None,
    };
    let project = dir.path().canonicalize().expect("the path exists").join("project");
    let exposed = exposure.check(&project).expect_err("the logs are in the project");
    assert!(exposed.to_string().contains("the log directory"), "{exposed}");
}
