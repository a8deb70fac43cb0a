//! The agent's working directory, and the environment variables that describe it.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::world::{World, and, field};

/// A world in which each task is a shell script.
fn world_of_scripts(more: &str) -> World {
    World::with_fake_agent().configure(&format!(
        "{more}\n[tasks]\ndefault_backend = 'script'\n\
         [backends.script]\nkind = 'command'\nprogram = 'sh'\nversion_args = []\nsandboxes = {{ danger-full-access = [] }}\n"
    ))
}

/// A directory of this world whose path has no symbolic links.
fn next_to(world: &World, name: &str) -> PathBuf {
    let dir = world.home().canonicalize().expect("it exists").join(name);
    fs::create_dir_all(&dir).expect("the home is writable");
    dir
}

fn git(dir: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=a", "-c", "user.email=a@example.org"]).args(args).current_dir(dir).env_clear();
    git.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", "/");
    let done = git.output().expect("git is installed");
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn in_directory(world: &World, script: &str, directory: impl Into<PathBuf>) -> Value {
    and(world.task(script), json!({"workingDirectory": directory.into()}))
}

#[cfg(target_os = "linux")]
#[test]
fn no_agent_leaves_the_roots_when_its_directory_is_swapped() {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
        time::Duration,
    };

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    const TASKS: usize = 60;
    let world = world_of_scripts("");
    let (root, outside) = (next_to(&world, "root"), next_to(&world, "outside"));
    for repository in [&root, &outside] {
        git(repository, &["init", "-q"]);
    }
    let (sub, link) = (next_to(&world, "root/sub"), root.join("link"));
    symlink(&outside, &link).expect("the home is writable");
    let world = world.configure(&format!("[ceiling]\nroots = [{root:?}]\n"));
    let mut server = world.server();
    /// Stops exchanging the directories, even if the test fails.
    struct StopOnDrop<'a>(&'a AtomicBool);

    impl Drop for StopOnDrop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let ended = AtomicBool::new(false);
    let started = thread::scope(|scope| {
        let _ending = StopOnDrop(&ended);
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                renameat_with(CWD, &sub, CWD, &link, RenameFlags::EXCHANGE).expect("both exist");
                thread::sleep(Duration::from_micros(500));
            }
        });
        let mut started = 0;
        for _ in 0..TASKS {
            let answer = server.call("codex_agent", in_directory(&world, "touch by-agent; echo done", &sub), |_| {});
            if field(&answer.text, "Status") == Some("completed successfully") {
                started += 1;
                let directory_field = field(&answer.text, "Working directory").expect("the answer names the directory");
                assert!([&sub, &link].contains(&&PathBuf::from(directory_field)), "{directory_field}");
            } else {
                started += usize::from(answer.text.contains("was moved or replaced while the agent was running"));
                // In a warning, backticks are escaped.
                assert!(answer.text.contains("ceiling.roots"), "{}", answer.text);
            }
        }
        started
    });
    assert!(!outside.join("by-agent").exists(), "an agent worked outside");
    assert!(started > 0, "no agent was started, so nothing was tested");
}

#[test]
fn an_agents_commits_land_in_its_own_repository_despite_inherited_git_variables() {
    let world = world_of_scripts("");
    let other = next_to(&world, "other");
    git(&other, &["init", "-q"]);
    git(&other, &["commit", "-q", "--allow-empty", "-m", "base"]);
    let git_dir = other.join(".git");
    let world = world
        .variable("GIT_DIR", git_dir.to_string_lossy())
        .variable("GIT_INDEX_FILE", git_dir.join("index").to_string_lossy())
        .variable("GIT_WORK_TREE", other.to_string_lossy())
        .variable("GIT_AUTHOR_DATE", "2001-01-01T00:00:00Z");
    let script = "echo new > made && git add made && git -c user.name=a -c user.email=a@b.c commit -m 'by the agent'";
    let answer = world.server().call("codex_agent", world.task(script), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    let ours = git(world.project.path(), &["log", "--format=%s %as"]);
    assert!(ours.starts_with("by the agent") && !ours.contains("2001"), "{ours}");
    assert_eq!(git(&other, &["log", "--format=%s"]), "base\n");
}

#[test]
fn an_agents_variables_describe_its_own_directory() {
    let world = World::with_fake_agent()
        .configure(
            "[tasks]\ndefault_backend = 'env'\n\
             [backends.env]\nkind = 'command'\nprogram = 'env'\nversion_args = []\nsandboxes = { danger-full-access = [] }\n",
        )
        .variable("PWD", "/somewhere/else")
        .variable("OLDPWD", "/somewhere")
        .variable("INIT_CWD", "/somewhere")
        .variable("CODEX_SANDBOX", "seatbelt")
        .variable("CODEX_HOME", "/codex");
    let answer = world.server().call("codex_agent", world.task("x"), |_| {});
    let id = field(&answer.text, "Task ID").expect("there is a task").to_owned();
    let record = world.record(&id);
    let printed = record["result"].as_str().expect("it printed its environment");
    let pwd = format!("PWD={}", world.project.path().canonicalize().expect("it exists").display());
    for line in [pwd.as_str(), "GIT_EDITOR=true", "GIT_TERMINAL_PROMPT=0", "CODEX_HOME=/codex"] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is not in:\n{printed}");
        let name = line.split('=').next().expect("it has a name");
        assert_eq!(record["environment"][name], "set", "{name}");
    }
    for name in ["OLDPWD", "INIT_CWD", "CODEX_SANDBOX"] {
        assert!(!printed.lines().any(|line| line.starts_with(&format!("{name}="))), "{name} is in:\n{printed}");
        assert_eq!(record["environment"][name], "removed", "{name}");
    }
}

#[test]
fn a_directory_is_accepted_in_the_forms_people_and_editors_use() {
    let world = world_of_scripts("");
    let project = next_to(&world, "my project");
    git(&project, &["init", "-q"]);
    symlink(&project, world.home().join("link")).expect("the home is writable");
    let url = format!("file://{}", project.display()).replace(' ', "%20");
    let link = world.home().join("link").display().to_string();
    let mut server = world.server();
    for written in ["~/my project", &url, &link, &format!("{}/../my project/", project.display())] {
        let answer = server.call("codex_agent", in_directory(&world, "pwd -P", written), |_| {});
        let real = project.display().to_string();
        assert_eq!(field(&answer.text, "Working directory"), Some(real.as_str()), "{written}: {}", answer.text);
        assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{written}: {}", answer.text);
    }
    for (written, why) in [
        ("project", "is not an absolute path"),
        (r"C:\project", "is a Windows path"),
        ("file://server/project", "is not the URL of a directory on this machine"),
        ("~/my project/.git", "is inside git's own directory"),
    ] {
        let answer = server.call("codex_agent", in_directory(&world, "pwd -P", written), |_| {});
        assert!(answer.is_error && answer.text.contains(why), "{written}: {}", answer.text);
    }
}

#[test]
fn kubernetes_service_variables_do_not_break_calls_and_check_names_them() {
    let world = world_of_scripts("").variable("CODEX_CONNECTOR_PORT", "tcp://10.96.0.12:8080");
    let answer = world.server().call("codex_agent", world.task("echo done"), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    let check = world.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(said.contains("ignored  CODEX_CONNECTOR_PORT"), "{said}");
}
