//! Tasks in worktrees of their own, with SIGKILL at random moments. No work may be lost: every file that an agent wrote
//! is in the snapshot after its task, or in its worktree. A worktree that was removed leaves nothing in the repository.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use connector_testing::{GitProject, McpServer};
use fastrand::Rng;
use serde_json::Value;

use super::{
    cancels::announced_id,
    plan::Plan,
    round::Round,
    verify::{Expected, TaskOutcome, Writers, verify},
    world::{ANSWER_TIMEOUT, World, names_in, within},
};

/// The latest moment of the kill. By then, the short tasks have been over for some time.
const LATEST_KILL_MS: u64 = 2_500;
/// Maximum duration of a task that runs undisturbed.
const SHORT_GRACE: Duration = Duration::from_millis(600);
/// How often a server is started again, because each one cleans up once.
const CLEANUPS: usize = 20;

/// Settings of the servers.
pub(crate) fn settings(home: &Path) -> Vec<String> {
    let trees = home.join("trees");
    vec!["workspace.tree=always".to_owned(), format!("workspace.trees_dir={}", trees.display())]
}

/// Starts a few tasks, kills processes, and checks what is left.
pub(crate) fn play(round: &Round<'_>, world: &World, project: &GitProject) {
    let mut rng = round.rng(0);
    let count = rng.usize(1..=3);
    project.write("README.md", "edited by the user\n");
    project.write("untracked.txt", "untracked\n");
    let state = || [project.git(&["status", "--porcelain=v2", "--branch"]), project.git(&["stash", "list"])];
    let before = (state(), fs::read(project.path().join(".git/index")).ok());

    let plans: Vec<Plan> = (0..count).map(|number| Plan::writer(&mut rng, number, SHORT_GRACE)).collect();
    let mut server = world.server();
    let calls: Vec<_> = plans.iter().map(|plan| server.start_call("codex_agent", world.arguments(plan))).collect();
    round.begun(count);
    thread::sleep(Duration::from_millis(rng.u64(0..LATEST_KILL_MS)));
    let kills_server = rng.bool();
    let killed = kill(world, &mut rng, &mut server, kills_server);
    let next = world.server();
    let ids = calls.iter().map(|call| {
        let answer = if kills_server { call.answer() } else { Some(call.wait(ANSWER_TIMEOUT, |_| {})) };
        answer.as_ref().and_then(announced_id)
    });
    let expected: Vec<Expected<'_>> = plans
        .iter()
        .zip(ids)
        .map(|(plan, id)| Expected {
            plan,
            id,
            outcomes: vec![TaskOutcome::Completed, TaskOutcome::Interrupted],
            story: format!("killed: the server {kills_server}, supervisors {killed:?}"),
        })
        .collect();
    let writers = Writers { were_killed: true, killed };
    // A supervisor cleans up after its task has ended.
    within(ANSWER_TIMEOUT, || world.supervisors().is_empty().then_some(()));
    verify(round, world, &expected, &writers);
    drop(next);

    // A removal may be interrupted too.
    if rng.u8(0..3) == 0 {
        let cleaning = world.server();
        thread::sleep(Duration::from_millis(rng.u64(0..150)));
        kill_server(cleaning);
    }
    clean_up(round, world, project);
    for plan in &plans {
        check_work(round, world, project, plan);
    }
    check_removed(round, world, project);
    if (state(), fs::read(project.path().join(".git/index")).ok()) != before {
        round.violation(format!("the user's repository was changed: {:?}, before: {before:?}", state()));
    }
    if rng.bool() {
        remove_records(round, world, project);
    }
}

/// Kills some supervisors, and the server if `kills_server` says so. Returns the IDs of the supervisors' tasks.
fn kill(world: &World, rng: &mut Rng, server: &mut McpServer, kills_server: bool) -> BTreeSet<String> {
    let mut supervisors = world.supervisors();
    // A child that has not started git yet looks like its supervisor.
    let all: BTreeSet<u32> = supervisors.iter().map(|(_, supervisor)| supervisor.process.pid).collect();
    supervisors.retain(|(_, supervisor)| !all.contains(&supervisor.parent));
    let chosen: Vec<_> = supervisors.into_iter().filter(|_| rng.u8(0..3) > 0).collect();
    if kills_server && rng.bool() {
        server.kill();
    }
    chosen.iter().for_each(|(_, supervisor)| supervisor.process.kill());
    if kills_server {
        server.kill();
    }
    within(ANSWER_TIMEOUT, || chosen.iter().all(|(_, supervisor)| !supervisor.process.is_alive()).then_some(()));
    chosen.into_iter().map(|(id, _)| id).collect()
}

fn kill_server(mut server: McpServer) {
    server.kill();
}

/// Starts servers, each of which cleans up once, until no worktree is left.
fn clean_up(round: &Round<'_>, world: &World, project: &GitProject) {
    for _ in 0..CLEANUPS {
        let _server = world.server();
        let trees = world.dir().join("home/trees");
        let is_clean = || registered(project).is_empty() && names_in(&trees).is_empty();
        if within(Duration::from_secs(2), || is_clean().then_some(())).is_some() {
            return;
        }
    }
    round.violation(format!("worktrees are left: {:?}", registered(project)));
}

/// The worktrees that the repository knows, without the user's.
fn registered(project: &GitProject) -> Vec<PathBuf> {
    let listed = project.git(&["worktree", "list", "--porcelain"]);
    let paths = listed.lines().filter_map(|line| line.strip_prefix("worktree ")).map(PathBuf::from);
    paths.filter(|path| path != project.path()).collect()
}

/// Checks that the file that an agent wrote is kept.
fn check_work(round: &Round<'_>, world: &World, project: &GitProject, plan: &Plan) {
    let own = world.recorded().into_iter().find(|id| {
        let record = world.record(id).and_then(Result::ok).unwrap_or_default();
        plan.wrote(record["task"].as_str().unwrap_or_default())
    });
    let Some(id) = own.filter(|id| world.log(id).contains("MESSAGE: written")) else { return };
    round.context.report.note("worktrees with work", 1);
    let name = Plan::written_file(plan.number);
    let shown = Command::new("git")
        .args(["show", &format!("refs/codex-connector/{id}/after:{name}")])
        .current_dir(project.path())
        .output()
        .expect("git is installed");
    let is_kept = shown.status.success() && shown.stdout == Plan::written_text(plan.number).as_bytes();
    let tree = workspace(world, &id)["worktree"]["path"].as_str().map(PathBuf::from);
    if !is_kept && !tree.is_some_and(|tree| tree.join(&name).exists()) {
        round.violation(format!("the work of {id} is lost:\n{}", world.log(&id)));
    }
}

/// A task's workspace file, or null.
fn workspace(world: &World, id: &str) -> Value {
    let content = fs::read(world.data().join("workspaces").join(format!("{id}.json"))).unwrap_or_default();
    serde_json::from_slice(&content).unwrap_or_default()
}

/// Checks that nothing remains of removed worktrees.
fn check_removed(round: &Round<'_>, world: &World, project: &GitProject) {
    for name in names_in(&project.path().join(".git/worktrees")) {
        round.violation(format!("the worktree {name} is still registered"));
    }
    for id in world.recorded() {
        let tree = &workspace(world, &id)["worktree"];
        let path = tree["path"].as_str().unwrap_or_default();
        if tree["isRemoved"] == true && Path::new(path).exists() {
            round.violation(format!("{path} exists, but its task says that it was removed"));
        }
    }
    let left = names_in(&world.dir().join("home/trees"));
    if !left.is_empty() {
        round.violation(format!("directories of worktrees are left: {left:?}"));
    }
}

/// Removes all tasks, and checks that no ref of theirs is left.
fn remove_records(round: &Round<'_>, world: &World, project: &GitProject) {
    let ids = world.recorded();
    let mut args: Vec<&str> = vec!["rm", "--yes"];
    args.extend(ids.iter().map(String::as_str));
    // The data directory is the first argument, and a verb accepts it everywhere.
    let done = world.command(&args).output().expect("this program can be started");
    if !done.status.success() && !ids.is_empty() {
        round.violation(format!("rm failed: {}", String::from_utf8_lossy(&done.stderr)));
    }
    let refs = project.git(&["for-each-ref", "refs/codex-connector/"]);
    if !refs.is_empty() {
        round.violation(format!("refs of removed tasks are left: {refs}"));
    }
}
