//! Costs of a task's snapshots and its worktree, next to git's own commands in the same repository.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use connector_testing::McpServer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;

use crate::{
    report::{Report, Target},
    samples::{Samples, millis},
    scale::Scale,
    sides::{Build, Builds, Sides, numbers, push_all},
    world::{FAKE_AGENT, WAIT_TIMEOUT, World},
};

/// Files in each directory of a repository.
const PER_DIRECTORY: u32 = 100;

/// Changed tracked files, and as many untracked ones, in a dirty repository.
const DIRTY: u32 = 10;

/// Files from which on there are fewer rounds, because a worktree takes seconds, and their number.
const LARGE: u32 = 10_000;
const LARGE_ROUNDS: usize = 5;

/// How many times as long as `git status` an agent's start may be delayed.
const MOST_DELAY: f64 = 2.0;

const PROMPT: &str = "FAKE[{\"say\": \"ok: hello\"}]";
const LONG_PROMPT: &str = "FAKE[{\"sleep\": 1}, {\"say\": \"ok: hello\"}]";

/// The settings that are compared, as lines of the section `[workspace]`.
const SETTINGS: [&str; 3] = ["snapshots = \"off\"", "snapshots = \"auto\"", "tree = \"always\""];

/// Servers of one build that work in the same repository, one for each of [`SETTINGS`].
struct Servers {
    /// Dropped before their data directories are removed.
    servers: Vec<McpServer>,
    worlds: Vec<World>,
    started: Started,
}

/// Reports when an agent starts: the agent's program writes to a FIFO first.
struct Started {
    fifo: File,
    agent: PathBuf,
    _dir: tempfile::TempDir,
}

impl Started {
    fn new() -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let (fifo, agent) = (dir.path().join("fifo"), dir.path().join("agent"));
        run(Command::new("mkfifo").arg(&fifo))?;
        fs::write(&agent, format!("#!/bin/sh\necho >{}\nexec {FAKE_AGENT} \"$@\"\n", fifo.display()))?;
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755))?;
        // Open for writing as well, so that neither end has to wait for the other.
        Ok(Self { fifo: File::options().read(true).write(true).open(fifo)?, agent, _dir: dir })
    }

    /// Waits for the next start.
    fn wait(&self) -> io::Result<Instant> {
        let timeout = Timespec { tv_sec: WAIT_TIMEOUT.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(&self.fifo, PollFlags::IN)], Some(&timeout))?;
        assert!(ready > 0, "no agent started");
        let at = Instant::now();
        (&self.fifo).read_exact(&mut [0])?;
        Ok(at)
    }
}

impl Servers {
    fn new(build: &Build, repository: &Path) -> io::Result<Self> {
        let started = Started::new()?;
        let mut worlds = Vec::new();
        let mut servers = Vec::new();
        for setting in SETTINGS {
            let world = World::new(build)?;
            let config =
                format!("[backends.codex]\nprogram = \"{}\"\n[workspace]\n{setting}\n", started.agent.display());
            fs::write(world.data_dir().join("config.toml"), config)?;
            servers.push(world.server());
            worlds.push(world);
        }
        let mut servers = Self { servers, worlds, started };
        for setting in 0..SETTINGS.len() {
            // The first task also asks the agent what it can do.
            servers.worlds[setting].run(&mut servers.servers[setting], PROMPT);
            while poll(&mut [PollFd::new(&servers.started.fifo, PollFlags::IN)], Some(&Timespec::default()))? > 0 {
                (&servers.started.fifo).read_exact(&mut [0])?;
            }
            servers.task(setting, repository, PROMPT)?;
        }
        Ok(servers)
    }

    /// Runs a task. Returns the times from the call to the start of the agent, and to the answer, in milliseconds.
    fn task(&mut self, setting: usize, repository: &Path, prompt: &str) -> io::Result<[f64; 2]> {
        let Self { servers, started, .. } = self;
        let began = Instant::now();
        let (start, end) = thread::scope(|scope| {
            let start = scope.spawn(|| started.wait());
            let arguments = json!({"task": prompt, "workingDirectory": repository});
            let answer = servers[setting].call("codex_agent", arguments, |_| {});
            assert!(answer.text.contains("completed successfully"), "{}", answer.text);
            let end = Instant::now();
            (start.join().unwrap_or_else(|_| panic!("no agent started")), end)
        });
        Ok([start? - began, end - began].map(millis))
    }

    /// The disk usage of a worktree while an agent works in it, in MB.
    fn worktree_size(&mut self, repository: &Path) -> io::Result<f64> {
        let trees = self.worlds[2].data_dir().join("../.local/state/codex-connector/trees");
        let Self { servers, started, .. } = self;
        thread::scope(|scope| {
            let size = scope.spawn(|| {
                started.wait()?;
                disk_usage(&trees)
            });
            servers[2].call("codex_agent", json!({"task": LONG_PROMPT, "workingDirectory": repository}), |_| {});
            size.join().unwrap_or_else(|_| panic!("no agent started"))
        })
    }
}

pub(crate) fn measure(builds: &mut Builds, scale: &Scale, report: &mut Report) -> io::Result<()> {
    report.part(
        "workspace",
        &format!(
            "Tasks whose agent answers at once, in repositories of several sizes, in turn with git's own commands; {} of each, and \
             {LARGE_ROUNDS} from {LARGE} files on. A delay is \
             the difference to a task without snapshots. A dirty repository has {DIRTY} changed files and {DIRTY} untracked ones.",
            scale.workspace_rounds
        ),
    )?;
    for size in scale.files {
        let repository = repository(*size)?;
        let mut servers = builds.in_turn(0, |build| Servers::new(build, repository.path()))?;
        let rounds = if *size < LARGE { scale.workspace_rounds } else { LARGE_ROUNDS };
        report.table()?;
        times(&mut servers, repository.path(), &format!("{size} files"), (rounds, scale.slack), report)?;
        for file in 0..DIRTY {
            fs::write(path(repository.path(), file), "changed\n")?;
            fs::write(repository.path().join(format!("untracked-{file}")), "untracked\n")?;
        }
        times(&mut servers, repository.path(), &format!("{size} files, dirty"), (rounds, scale.slack), report)?;
        if scale.has_absolute_targets {
            let size_of = servers.in_turn(0, |servers| servers.worktree_size(repository.path()))?;
            let row = format!("{size} files: disk usage of a worktree");
            report.row(&row, &size_of.map(|size| Samples::from(*size)), "MB", Target::None)?;
        }
    }
    if scale.has_absolute_targets { growth(builds, report) } else { Ok(()) }
}

fn times(
    servers: &mut Sides<Servers>,
    repository: &Path,
    what: &str,
    (rounds, slack): (usize, f64),
    report: &mut Report,
) -> io::Result<()> {
    let mut measured = numbers();
    let mut of_git: [Samples; 3] = Default::default();
    let trees = tempfile::tempdir()?;
    for round in 0..rounds {
        let tree = trees.path().join(round.to_string());
        let status = git(repository, &["status"])?;
        of_git[0].push(status);
        of_git[1].push(git(repository, &["stash", "create"])?);
        of_git[2].push(git(repository, &["worktree", "add", "--detach", &tree.display().to_string()])?);
        git(repository, &["worktree", "remove", "--force", &tree.display().to_string()])?;
        let times = servers.in_turn(round, |servers| {
            let [start, end] = servers.task(0, repository, PROMPT)?;
            let [start_with, end_with] = servers.task(1, repository, PROMPT)?;
            let [start_in_tree, end_in_tree] = servers.task(2, repository, PROMPT)?;
            let (delay, whole) = (start_with - start, end_with - end);
            Ok([delay, whole, delay / status, start_in_tree - start, end_in_tree - end])
        })?;
        push_all(&mut measured, &times);
    }
    let [delay, whole, ratio, in_tree, whole_in_tree] = &measured;
    let [status, stash, worktree] = of_git.map(Sides::alone);
    report.row(&format!("{what}: `git status`"), &status, "ms", Target::None)?;
    report.row("– snapshot before: delay of the agent's start", delay, "ms", Target::None)?;
    report.row("– the same, compared to `git status`", ratio, "times", Target::Most(MOST_DELAY * slack))?;
    report.row("– both snapshots: delay of the answer", whole, "ms", Target::None)?;
    report.row("– `git stash create`", &stash, "ms", Target::None)?;
    report.row("– worktree: delay of the agent's start", in_tree, "ms", Target::None)?;
    report.row("– worktree, made and removed: delay of the answer", whole_in_tree, "ms", Target::None)?;
    report.row("– `git worktree add`", &worktree, "ms", Target::None)
}

/// The cost of 1,000 tasks, each of which changes a file.
fn growth(builds: &mut Builds, report: &mut Report) -> io::Result<()> {
    const TASKS: u32 = 1_000;
    let repository = repository(1_000)?;
    let mut servers = Servers::new(&builds.this, repository.path())?;
    let clones = tempfile::tempdir()?;
    let clone = clones.path().join("clone");
    run(Command::new("git").args(["clone", "--quiet"]).arg(repository.path()).arg(&clone))?;
    let look = |name: &str, report: &mut Report| {
        let mut times: [Samples; 2] = Default::default();
        for _ in 0..11 {
            times[0].push(git(repository.path(), &["status"])?);
            times[1].push(git(&clone, &["fetch", "--quiet"])?);
        }
        let [status, fetch] = times.map(Sides::alone);
        let one = |value| Sides::alone(Samples::from(value));
        report.row(&format!("{name}: `git status`"), &status, "ms", Target::None)?;
        report.row("– `git fetch` from it, with nothing new", &fetch, "ms", Target::None)?;
        report.row("– refs", &one(refs(repository.path())?), "", Target::None)?;
        report.row("– size of `.git`", &one(disk_usage(&repository.path().join(".git"))?), "MB", Target::None)
    };
    report.table()?;
    git(repository.path(), &["gc", "--quiet"])?;
    look("before any task", report)?;
    for number in 0..TASKS {
        let path = path(Path::new(""), number);
        let write = json!([{"write": {"path": path, "text": format!("{number}\n")}}, {"say": "ok: hello"}]);
        servers.task(1, repository.path(), &format!("FAKE{write}"))?;
    }
    look("after 1,000 tasks that each changed a file", report)?;
    let gc = Sides::alone(Samples::from(git(repository.path(), &["gc", "--quiet"])?));
    report.row("`git gc` after that (once)", &gc, "ms", Target::None)?;
    look("after `git gc`", report)?;
    let gc = Sides::alone(Samples::from(git(repository.path(), &["gc", "--quiet"])?));
    report.row("another `git gc` (once)", &gc, "ms", Target::None)
}

/// A repository whose commit has this many files.
fn repository(size: u32) -> io::Result<tempfile::TempDir> {
    let dir = tempfile::Builder::new().prefix("repository-").tempdir()?;
    for file in 0..size {
        let path = path(dir.path(), file);
        if file.is_multiple_of(PER_DIRECTORY) {
            fs::create_dir_all(path.parent().unwrap_or(dir.path()))?;
        }
        fs::write(path, format!("The content of file {file}.\n").repeat(20))?;
    }
    git(dir.path(), &["init", "--quiet", "--initial-branch=main"])?;
    git(dir.path(), &["add", "--all"])?;
    git(
        dir.path(),
        &["-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "-m", "first"],
    )?;
    Ok(dir)
}

fn path(top: &Path, file: u32) -> PathBuf {
    top.join(format!("directory-{}/file-{file}.txt", file / PER_DIRECTORY))
}

/// Runs git, and returns how long it took, in milliseconds.
fn git(directory: &Path, args: &[&str]) -> io::Result<f64> {
    run(Command::new("git").args(args).current_dir(directory)).map(millis)
}

fn run(command: &mut Command) -> io::Result<Duration> {
    // `git stash create` needs a name for its commit.
    for (name, value) in [("NAME", "Test"), ("EMAIL", "test@example.com")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    let began = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(began.elapsed()) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}

fn refs(repository: &Path) -> io::Result<f64> {
    let output = Command::new("git").arg("for-each-ref").current_dir(repository).output()?;
    let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    Ok(f64::from(u32::try_from(lines).unwrap_or(u32::MAX)))
}

/// The blocks of everything in a directory, in MB.
fn disk_usage(directory: &Path) -> io::Result<f64> {
    let mut usage = 0.0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let found = entry.metadata()?;
        usage += f64::from(u32::try_from(found.blocks()).unwrap_or(u32::MAX)) * 512.0 / 1e6;
        if found.is_dir() {
            usage += disk_usage(&entry.path())?;
        }
    }
    Ok(usage)
}
