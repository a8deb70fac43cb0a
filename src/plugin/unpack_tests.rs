use std::{
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::{Command, Output},
};

use super::*;

/// A data directory, and a program that prints its path, its arguments and two settings.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().expect("a temporary directory can be created") };
        for name in ["own", "chosen", "path"] {
            fs::create_dir_all(world.path(name)).expect("the directory is writable");
            world.make_program(name);
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.path(name).join("codex-connector")
    }

    fn make_program(&self, name: &str) {
        let script = format!("#!/bin/sh\necho {name} \"$*\" $CODEX_CONNECTOR_TASKS__DEFAULT_SANDBOX\n");
        fs::write(self.program(name), script).expect("the directory is writable");
        fs::set_permissions(self.program(name), fs::Permissions::from_mode(0o755)).expect("the test owns the file");
    }

    fn unpack(&self) -> Unpacked {
        self.unpack_with(&[])
    }

    fn unpack_with(&self, arguments: &[&str]) -> Unpacked {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let program = PluginProgram { program: self.program("own"), arguments };
        unpack(self.dir.path(), &program).expect("the directory is writable")
    }

    fn entries(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("plugin")).expect("the directory exists").flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Runs the plugin's script. The script's own directory is the last one on `PATH`, as in Claude Code.
    fn run(&self, unpacked: &Unpacked, variables: &[(&str, &str)]) -> Output {
        let script = unpacked.plugin.join("bin/codex-connector");
        let path = format!("/usr/bin:/bin:{}:{}", self.path("path").display(), unpacked.plugin.join("bin").display());
        let mut command = Command::new(script);
        command.args(["wait", "a b"]).env_clear().env("PATH", path).envs(variables.iter().copied());
        command.output().expect("the script can be started")
    }

    fn printed(&self, unpacked: &Unpacked, variables: &[(&str, &str)]) -> String {
        String::from_utf8_lossy(&self.run(unpacked, variables).stdout).trim_end().to_owned()
    }
}

fn inode(path: &Path) -> u64 {
    path.metadata().expect("the directory exists").ino()
}

#[test]
fn a_plugin_that_is_already_there_is_not_written_again() {
    let world = World::new();
    let first = world.unpack();
    let before = inode(&first.plugin);
    assert_eq!(world.unpack(), first);
    assert_eq!(inode(&first.plugin), before);
    assert_eq!(world.entries(), [".claude-plugin", ".lock", VERSION]);
}

#[test]
fn other_content_is_replaced_as_a_whole() {
    let world = World::new();
    let unpacked = world.unpack();
    fs::remove_file(unpacked.plugin.join("README.md")).expect("the file exists");
    fs::write(unpacked.plugin.join("hooks/more.json"), "{}").expect("the directory is writable");
    world.unpack();
    assert!(unpacked.plugin.join("README.md").exists() && !unpacked.plugin.join("hooks/more.json").exists());
    world.unpack_with(&["--data-dir", "/x y"]);
    assert_eq!(world.printed(&unpacked, &[]), "own --data-dir /x y wait a b");
    assert_eq!(world.entries(), [".claude-plugin", ".lock", VERSION]);
}

#[test]
fn a_link_in_place_of_the_plugin_is_replaced_and_not_followed() {
    let world = World::new();
    let unpacked = world.unpack();
    fs::rename(&unpacked.plugin, world.path("elsewhere")).expect("the directory is writable");
    symlink(world.path("elsewhere"), &unpacked.plugin).expect("the directory is writable");
    world.unpack();
    assert!(!unpacked.plugin.is_symlink() && unpacked.plugin.join("README.md").exists());
    assert!(world.path("elsewhere/README.md").exists());
}

#[test]
fn only_the_previous_version_is_kept() {
    let world = World::new();
    let unpacked = world.unpack();
    for old in ["1.0.0", "1.1.0", ".new-interrupted"] {
        fs::create_dir(unpacked.marketplace.join(old)).expect("the directory is writable");
    }
    let previous = r#"{"plugins": [{"source": "./1.1.0"}]}"#;
    fs::write(unpacked.marketplace.join(".claude-plugin/marketplace.json"), previous).expect("it is writable");
    world.unpack();
    assert_eq!(world.entries(), [".claude-plugin", ".lock", "1.1.0", VERSION]);
    world.unpack();
    assert_eq!(world.entries(), [".claude-plugin", ".lock", VERSION]);
}

#[test]
fn files_of_others_are_kept() {
    let world = World::new();
    let unpacked = world.unpack();
    let others = ["1.2.3/notes", "mine/.claude-plugin/plugin.json", ".new-mine/notes"];
    for other in others.map(|other| unpacked.marketplace.join(other)) {
        fs::create_dir_all(other.parent().expect("it is in a directory")).expect("the directory is writable");
        fs::write(other, r#"{"name": "codex-connector"}"#).expect("the directory is writable");
    }
    fs::create_dir(world.path("outside")).expect("the directory is writable");
    fs::write(world.path("outside/keep"), "").expect("the directory is writable");
    symlink(world.path("outside"), unpacked.marketplace.join("1.0.0")).expect("the directory is writable");
    world.unpack_with(&["--data-dir", "/x"]);
    remove(world.dir.path()).expect("the directory is writable");
    assert_eq!(world.entries(), [".new-mine", "1.0.0", "1.2.3", "mine"]);
    assert!(others.iter().all(|other| unpacked.marketplace.join(other).exists()));
    assert!(world.path("outside/keep").exists());
}

#[test]
fn a_directory_that_is_not_ours_is_never_replaced() {
    let program = || PluginProgram { program: "/bin/sh".into(), arguments: vec![] };
    for (name, is_link) in [("plugin", true), ("plugin/.claude-plugin", true), (&*format!("plugin/{VERSION}"), false)] {
        let world = World::new();
        let outside = world.path(if is_link { "outside" } else { name });
        fs::create_dir_all(outside.join("keep")).expect("the directory is writable");
        if is_link {
            fs::create_dir_all(world.path(name).parent().expect("it is in a directory")).expect("it is writable");
            symlink(&outside, world.path(name)).expect("the directory is writable");
        }
        let refused = unpack(world.dir.path(), &program());
        let path = world.path(name);
        assert!(matches!(&refused, Err(PluginProblem::NotOurs { path: found }) if *found == path), "{refused:?}");
        remove(world.dir.path()).expect("the directory is writable");
        let entries = fs::read_dir(&outside).expect("it exists").flatten().map(|entry| entry.file_name());
        assert_eq!(entries.collect::<Vec<_>>(), ["keep"]);
    }
}

#[test]
fn processes_that_unpack_at_the_same_time_do_not_disturb_each_other() {
    let world = World::new();
    thread::scope(|scope| {
        for at in 0..8 {
            let world = &world;
            scope.spawn(move || world.unpack_with(if at % 2 == 0 { &["--data-dir", "/x"] } else { &[] }));
        }
    });
    assert_eq!(world.entries(), [".claude-plugin", ".lock", VERSION]);
    let files = FileTree::read(&world.unpack().plugin).expect("the directory is readable");
    assert_eq!(files.0.len(), crate::plugin::files::FILES.len());
}

#[test]
fn the_script_starts_the_chosen_program_its_own_or_the_one_on_path() {
    let world = World::new();
    let unpacked = world.unpack();
    let chosen = world.program("chosen").display().to_string();
    assert_eq!(world.printed(&unpacked, &[]), "own wait a b");
    for variable in ["CONNECTOR_PLUGIN_PROGRAM", "CLAUDE_PLUGIN_OPTION_PROGRAM"] {
        assert_eq!(world.printed(&unpacked, &[(variable, &chosen)]), "chosen wait a b");
    }
    fs::remove_file(world.program("own")).expect("it exists");
    assert_eq!(world.printed(&unpacked, &[]), "path wait a b");
}

#[test]
fn the_script_says_what_to_do_if_there_is_no_program() {
    let world = World::new();
    let unpacked = world.unpack();
    for name in ["own", "path"] {
        fs::remove_file(world.program(name)).expect("it exists");
    }
    for (variables, advice) in [
        (&[][..], "codex-connector init"),
        (&[("CONNECTOR_PLUGIN_PROGRAM", "/no/such/program")], "claude plugin configure"),
    ] {
        let output = world.run(&unpacked, variables);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(127), "{said}");
        assert!(said.contains("next: ") && said.contains(advice), "{said}");
    }
}

#[test]
fn the_settings_of_the_plugin_become_settings_of_the_program() {
    let world = World::new();
    let unpacked = world.unpack();
    let printed = |sandbox| world.printed(&unpacked, &[("CONNECTOR_PLUGIN_SANDBOX", sandbox)]);
    assert_eq!(printed("read-only"), "own wait a b read-only");
    assert_eq!(printed(""), "own wait a b");
}

#[test]
fn a_removed_plugin_leaves_nothing() {
    let world = World::new();
    world.unpack();
    for _ in 0..2 {
        remove(world.dir.path()).expect("the directory is writable");
        assert!(!world.path("plugin").exists());
    }
}
