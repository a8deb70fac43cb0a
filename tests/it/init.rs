//! `init` and `plugin`. A script stands in for Claude Code: it records the commands that it gets, and writes
//! `settings.json` as Claude Code does when it installs a plugin. `.ci/setup` does the same with the real one.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::ExitStatusExt,
    },
    path::PathBuf,
    process::{Command, Output},
    thread,
};

use serde_json::{Value, json};

use crate::world::World;

const CLAUDE: &str = r#"#!/bin/sh
case "$*" in
    --version) echo "2.1.332 (Claude Code)" ;;
    "plugin list --json") if [ -e "$HOME/installed" ]; then echo '[{"id": "codex-connector@codex-connector", "version": "0.0.1", "enabled": true}]'; else echo '[]'; fi ;;
    "plugin marketplace list --json") echo '[]' ;;
    *--help*) ;;
    *)
        echo "$*" >>"$HOME/commands"
        case "$*" in
            "plugin install "*) [ ! -e "$HOME/slow" ] || { mkdir "$HOME/started" || echo twice >>"$HOME/overlap"; sleep 1; rmdir "$HOME/started"; }; touch "$HOME/installed"; [ -s "$HOME/.claude/settings.json" ] || echo '{"enabledPlugins": {}}' >"$HOME/.claude/settings.json"; [ ! -e "$HOME/kill" ] || kill -9 "$(cat "$HOME/kill")" ;;
            "plugin uninstall "*) rm "$HOME/installed" ;;
            "plugin marketplace add "*) [ ! -e "$HOME/fail" ] || { echo "it failed" >&2; exit 1; } ;;
        esac
        ;;
esac
"#;

/// A world whose only programs are the fake agent, as `codex`, and perhaps Claude Code.
struct Setup {
    world: World,
}

impl Setup {
    fn new() -> Self {
        let setup = Self { world: World::with_fake_agent() };
        let bin = setup.path("bin");
        fs::create_dir_all(&bin).expect("the home is writable");
        fs::create_dir_all(setup.path(".claude")).expect("the home is writable");
        fs::write(bin.join("claude"), CLAUDE).expect("the home is writable");
        fs::set_permissions(bin.join("claude"), fs::Permissions::from_mode(0o755)).expect("the test owns it");
        let path = format!("{}:/usr/bin:/bin", bin.display());
        Self { world: setup.world.variable("PATH", path) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.home().join(name)
    }

    fn settings(&self) -> PathBuf {
        self.path(".claude/settings.json")
    }

    fn config(&self) -> String {
        fs::read_to_string(self.world.data_dir().join("config.toml")).expect("the world has a configuration")
    }

    fn run(&self, args: &[&str]) -> Output {
        self.world.command(args).output().expect("the program runs")
    }

    fn succeed(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("the output is text")
    }

    /// Runs the program, which must fail; returns the problem.
    fn fail(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).expect("the output is text")
    }

    /// Runs `init --yes`, which Claude Code ends with SIGKILL after it has installed the plugin.
    fn init_killed_while_it_installs(&self) {
        let connector = self.path("bin/killed");
        let script = "#!/bin/sh\necho $$ >\"$HOME/kill\"\nexec \"$@\"\n";
        fs::write(&connector, script).expect("the home is writable");
        fs::set_permissions(&connector, fs::Permissions::from_mode(0o755)).expect("the test owns it");
        let command = self.world.command(&["init", "--yes"]);
        let mut killed = Command::new(connector);
        killed.arg(command.get_program()).args(command.get_args()).env_clear();
        killed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = killed.output().expect("the program runs");
        assert_eq!(output.status.signal(), Some(9), "{output:?}");
        fs::remove_file(self.path("kill")).expect("it exists");
    }

    fn commands(&self) -> String {
        fs::read_to_string(self.path("commands")).unwrap_or_default()
    }

    fn rules(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.settings()).expect("there are settings");
        let settings: Value = serde_json::from_str(&text).expect("they are JSON");
        settings["permissions"]["allow"].as_array().cloned().unwrap_or_default()
    }
}

#[test]
fn init_shows_its_changes_makes_them_and_undoes_them() {
    let setup = Setup::new();
    let before = setup.config();
    let shown = setup.succeed(&["init", "--dry-run"]);
    for part in ["install the plugin", "[ceiling] sandbox = \"workspace-write\"", "codex_agent"] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(setup.fail(&["init"]).contains("--yes"));
    assert_eq!((setup.config(), setup.commands(), setup.settings().exists()), (before.clone(), String::new(), false));

    setup.succeed(&["init", "--yes"]);
    assert!(setup.config().contains("[ceiling]\nsandbox = \"workspace-write\""), "{}", setup.config());
    assert!(setup.commands().contains("plugin install codex-connector@codex-connector"), "{}", setup.commands());
    assert!(setup.rules().contains(&json!("mcp__plugin_codex-connector_agents__codex_agent")));
    assert!(setup.world.data_dir().join("plugin/.claude-plugin/marketplace.json").exists());

    setup.succeed(&["init", "--undo", "--yes"]);
    assert_eq!(setup.config(), before);
    assert!(!setup.settings().exists() && !setup.world.data_dir().join("plugin").exists());
    assert!(setup.succeed(&["init", "--undo", "--yes"]).contains("Nothing to undo"));
}

#[test]
fn full_access_can_be_given_later_and_ended_again() {
    let setup = Setup::new();
    let before = setup.config();
    setup.succeed(&["init", "--yes"]);
    let shown = setup.succeed(&["init", "--full-access", "--yes"]);
    assert!(shown.contains("[ceiling] sandbox = \"danger-full-access\""), "{shown}");
    assert!(!setup.config().contains("workspace-write"), "{}", setup.config());
    let shown = setup.succeed(&["init", "--yes"]);
    assert!(shown.contains("This ends the full access"), "{shown}");
    assert!(setup.config().contains("[ceiling]\nsandbox = \"workspace-write\""), "{}", setup.config());
    assert!(!setup.succeed(&["init", "--dry-run"]).contains("full access"));
    setup.succeed(&["init", "--undo", "--yes"]);
    assert_eq!(setup.config(), before);

    fs::write(setup.world.data_dir().join("config.toml"), format!("{before}\n[ceiling]\nsandbox = \"read-only\"\n"))
        .expect("the home is writable");
    let shown = setup.succeed(&["init", "--full-access", "--yes"]);
    assert!(shown.contains("There is no full access") && shown.contains("`[ceiling] sandbox`"), "{shown}");
}

#[test]
fn the_check_of_one_backend_knows_that_the_others_are_set_up() {
    let setup = Setup::new();
    let other = "\n[backends.other]\nkind = \"codex\"\n\n[backends.other.ceiling]\nsandbox = \"workspace-write\"\n";
    fs::write(setup.world.data_dir().join("config.toml"), setup.config() + other).expect("the home is writable");
    let line = |args: &[&str]| {
        let output = setup.run(args);
        let shown = String::from_utf8(output.stdout).expect("the output is text");
        let line = shown.lines().find(|line| line.contains("Claude Code")).expect("there is such a line");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line(&["check", "codex"]), line(&["check"]));
}

#[test]
fn entries_of_others_survive_the_undoing() {
    let setup = Setup::new();
    setup.succeed(&["init", "--yes"]);
    let text = fs::read_to_string(setup.settings()).expect("there are settings");
    let mut settings: Value = serde_json::from_str(&text).expect("they are JSON");
    settings["theme"] = json!("dark");
    settings["permissions"]["allow"].as_array_mut().expect("there are rules").push(json!("theirs"));
    fs::write(setup.settings(), settings.to_string()).expect("the home is writable");
    setup.succeed(&["init", "--undo", "--yes"]);
    let text = fs::read_to_string(setup.settings()).expect("there are settings");
    let settings: Value = serde_json::from_str(&text).expect("they are JSON");
    assert_eq!(settings, json!({"theme": "dark", "permissions": {"allow": ["theirs"]}}));
}

#[test]
fn a_file_that_cannot_be_edited_stops_init_before_its_first_change() {
    let setup = Setup::new();
    let before = setup.config();
    let real = setup.path("dotfiles.json");
    symlink(&real, setup.settings()).expect("the home is writable");
    assert!(setup.fail(&["init", "--yes"]).contains("symbolic link to a file that does not exist"));
    fs::write(&real, "{ no").expect("the home is writable");
    assert!(setup.fail(&["init", "--yes"]).contains("not valid JSON"));
    assert_eq!(fs::read_to_string(&real).expect("it exists"), "{ no");
    fs::write(&real, "{\"env\": {}, \"env\": {}}").expect("the home is writable");
    let problem = setup.fail(&["init", "--yes"]);
    assert!(problem.contains("the key `env` occurs twice") && problem.contains("it was not changed"), "{problem}");
    fs::write(&real, "{}").expect("the home is writable");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o444)).expect("the test owns the file");
    assert!(setup.fail(&["init", "--yes"]).contains("is read-only"));
    assert_eq!((setup.config(), setup.commands()), (before, String::new()));

    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).expect("the test owns the file");
    setup.succeed(&["init", "--yes"]);
    assert!(setup.settings().is_symlink() && !setup.rules().is_empty());
    setup.succeed(&["init", "--undo", "--yes"]);
    assert!(setup.settings().is_symlink());
    assert_eq!(fs::read_to_string(&real).expect("it exists"), "{}");
}

#[test]
fn steps_before_a_failed_one_can_be_undone() {
    let setup = Setup::new();
    let before = setup.config();
    fs::write(setup.path("fail"), "").expect("the home is writable");
    let problem = setup.fail(&["init", "--yes"]);
    assert!(problem.contains("it failed") && problem.contains("init --undo"), "{problem}");
    assert_ne!(setup.config(), before);
    setup.succeed(&["init", "--undo", "--yes"]);
    assert_eq!(setup.config(), before);
}

#[test]
fn a_backend_without_a_ceiling_of_its_own_gets_one_before_claude_may_start_it_unasked() {
    let setup = Setup::new();
    let config = setup.config();
    let limited = format!("{config}\n[backends.codex.ceiling]\nsandbox = \"workspace-write\"\n");
    fs::write(setup.world.data_dir().join("config.toml"), limited).expect("the data directory is writable");
    setup.succeed(&["init", "--yes"]);
    assert!(setup.config().contains("\n[ceiling]\nsandbox = \"workspace-write\""), "{}", setup.config());
    assert!(setup.rules().contains(&json!("mcp__codex-connector__codex_agent")));
}

#[test]
fn an_init_that_was_killed_while_claude_installed_the_plugin_can_be_undone() {
    let setup = Setup::new();
    let before = setup.config();
    setup.init_killed_while_it_installs();
    setup.succeed(&["init", "--undo", "--yes"]);
    assert!(setup.commands().contains("plugin uninstall codex-connector@codex-connector"), "{}", setup.commands());
    assert_eq!(setup.config(), before);
    assert!(!setup.path("installed").exists() && !setup.world.data_dir().join("plugin").exists());
}

#[test]
fn two_runs_of_init_take_turns() {
    let setup = Setup::new();
    let before = setup.config();
    fs::write(setup.path("slow"), "").expect("the home is writable");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| setup.succeed(&["init", "--yes"]));
        }
    });
    assert!(!setup.path("overlap").exists(), "{}", setup.commands());
    assert_eq!(setup.commands().matches("plugin install").count(), 1, "{}", setup.commands());
    setup.succeed(&["init", "--undo", "--yes"]);
    assert_eq!(setup.config(), before);
    assert!(!setup.path("installed").exists());
}

#[test]
fn a_link_to_files_of_others_is_refused() {
    let setup = Setup::new();
    let outside = setup.path("outside");
    fs::create_dir_all(outside.join("keep")).expect("the home is writable");
    symlink(&outside, setup.world.data_dir().join("plugin")).expect("the data directory is writable");
    for args in [&["plugin"][..], &["init", "--yes"]] {
        assert!(setup.fail(args).contains("symbolic link"));
        assert_eq!(fs::read_dir(&outside).expect("it exists").count(), 1);
    }
    assert_eq!(setup.commands(), "");
    setup.succeed(&["init", "--undo", "--yes"]);
    assert!(outside.join("keep").exists());
}

#[test]
fn without_claude_code_the_changes_to_files_are_undone_and_the_rest_later() {
    let setup = Setup::new();
    let before = setup.config();
    fs::write(setup.settings(), "{\n  \"theme\": \"dark\"\n}\n").expect("the home is writable");
    setup.succeed(&["init", "--yes"]);
    fs::rename(setup.path("bin/claude"), setup.path("claude")).expect("it exists");
    for _ in 0..2 {
        let output = setup.run(&["init", "--undo", "--yes"]);
        let problem = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{problem}");
        assert!(problem.contains("so this was not undone: the plugin in Claude Code\nnext: "), "{problem}");
        assert_eq!(setup.config(), before);
        let settings = fs::read_to_string(setup.settings()).expect("it exists");
        assert_eq!(settings, "{\n  \"theme\": \"dark\"\n}\n");
        assert!(setup.path("installed").exists() && setup.world.data_dir().join("plugin").exists());
    }
    fs::rename(setup.path("claude"), setup.path("bin/claude")).expect("it exists");
    setup.succeed(&["init", "--undo", "--yes"]);
    assert!(!setup.path("installed").exists() && !setup.world.data_dir().join("plugin").exists());
    assert!(setup.succeed(&["init", "--undo", "--yes"]).contains("Nothing to undo"));
}

#[test]
fn without_claude_code_init_says_so_and_check_says_nothing() {
    let setup = Setup::new();
    assert!(setup.succeed(&["check"]).contains("`codex-connector init` would"));
    fs::remove_file(setup.path("bin/claude")).expect("it exists");
    assert!(!setup.succeed(&["check"]).contains("codex-connector init"));
    let shown = setup.succeed(&["init", "--dry-run"]);
    assert!(shown.contains("`claude` is not on PATH"), "{shown}");
}

#[test]
fn the_printed_plugin_starts_this_program_with_its_data_directory() {
    let setup = Setup::new();
    let other = setup.path("other data");
    let other = other.to_str().expect("the path is UTF-8");
    let printed = setup.succeed(&["--data-dir", other, "plugin"]);
    let script = PathBuf::from(printed.trim_end()).join("bin/codex-connector");
    let text = fs::read_to_string(&script).expect("the script exists");
    assert!(text.contains(&format!("exec \"$created_by\" --data-dir '{other}' \"$@\"")), "{text}");
    let marketplace = setup.succeed(&["--data-dir", other, "plugin", "--marketplace"]);
    assert!(printed.starts_with(marketplace.trim_end()), "{printed}{marketplace}");
}
