//! Plays the rounds one after the other, and reports the results.
//!
//! - `round` is one round with its seed and violations; `world` is its home; `plan` is what its agents do.
//! - `cancels`, `kills`, `windows`, `claude_exit`, `worktrees` and `real_codex` are the scenarios.
//! - `process_scan` reads the process table, `verify` reads the files, `report` prints the results.

mod cancels;
mod claude_exit;
mod kills;
mod options;
mod plan;
mod process_scan;
mod real_codex;
mod report;
mod round;
mod verify;
mod windows;
mod worktrees;
mod world;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use connector_testing::GitProject;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use options::{Job, Scenario};
use real_codex::RealCodex;
use report::TrialReport;
use round::{Round, TortureContext};
use world::{Setup, World, this_program};

pub(crate) use options::TortureOptions;

/// Runs all rounds. However it ends, no process that it started is left.
pub(crate) fn run(options: &TortureOptions) -> ExitCode {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let jobs = options.jobs(seed);
    let directory = tempfile::Builder::new().prefix("torture-").tempdir().expect("a temporary directory can be made");
    let project = GitProject::new();
    let _guard = ClearOnDrop(directory.path().to_owned());
    clear_on_signals(directory.path().to_owned());

    let grace = Duration::from_millis(options.grace);
    let setup = Setup {
        codex: this_program(),
        settings: vec![
            format!("stopping.interrupt_grace={}ms", options.grace),
            format!("stopping.terminate_grace={}ms", options.grace),
            "index.entries=1000000".to_owned(),
        ],
        variables: vec![],
        project: project.path().to_owned(),
    };
    let context = TortureContext {
        report: TrialReport::new(u64::try_from(jobs.len()).unwrap_or_default()),
        seed,
        directory: directory.path().to_owned(),
        has_cgroup: cgroup_in_force(directory.path(), &setup),
        setup,
        grace,
        factor: options.time_factor,
        windows: options.windows,
    };
    let report = &context.report;
    report.say(format_args!("seed {seed}; to repeat one round, add --seed {seed} --round N to the same arguments"));
    report.say(format_args!(
        "grace {grace:?} until SIGTERM and again until SIGKILL; cgroup in force: {}",
        if context.has_cgroup { "yes" } else { "no" }
    ));

    let codex = match options.wants_codex().then(|| RealCodex::new(&context.setup)).transpose() {
        Ok(codex) => codex,
        Err(problem) => {
            report.say(problem);
            return ExitCode::FAILURE;
        }
    };
    let jobs = Mutex::new(jobs.into_iter().filter(|job| options.round.is_none_or(|wanted| wanted == job.number)));
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..options.rounds_at_once.max(1) {
            scope.spawn(|| {
                while let Some(job) = next() {
                    play(&context, &job, codex.as_ref());
                }
            });
        }
    });

    report.say(format_args!("\n{}", report.table()));
    let slow = report.slow();
    for line in &slow {
        report.say(format_args!("{} {line}", if options.strict_times { "VIOLATION:" } else { "slow:" }));
    }
    let violations = report.violations() + if options.strict_times { slow.len() } else { 0 };
    if report.violations() > 0 || options.keep {
        let kept = directory.keep();
        report.say(format_args!("the data directories were kept in {}", kept.display()));
    }
    report.say(format_args!("seed {seed}: {violations} violations"));
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays one round and cleans up after it. The directory of a round without violations is removed.
fn play(context: &TortureContext, job: &Job, codex: Option<&RealCodex>) {
    let round = Round::new(context, job.scenario.name(), job.number);
    context.report.begin(&format!("{} {}", round.scenario, round.number));
    let begun = Instant::now();
    let mut setup = match (job.scenario, codex) {
        (Scenario::RealCodex, Some(codex)) => codex.setup.clone(),
        _ => context.setup.clone(),
    };
    let project = (job.scenario == Scenario::Worktrees).then(GitProject::new);
    if let Some(project) = &project {
        setup.project = project.path().to_owned();
        setup.settings.extend(worktrees::settings(&round.directory.join("home")));
    }
    let world = World::new(round.directory.clone(), setup);
    round.guarded("the round", || match job.scenario {
        Scenario::Cancels => cancels::play(&round, &world, job.count),
        Scenario::Kills => kills::play(&round, &world),
        Scenario::Windows => windows::play(&round, &world, context.windows, job.count),
        Scenario::ClaudeExit => claude_exit::play(&round, &world),
        Scenario::Worktrees => worktrees::play(&round, &world, project.as_ref().expect("it was just made")),
        Scenario::RealCodex => real_codex::play(&round, &world),
    });
    // The servers have exited; no other process should be left.
    if !process_scan::clear(world.dir(), &[world.marks()]) {
        round.violation("the trial cannot kill the remaining processes");
    }
    if round.is_good() {
        // Anything that remains is removed with the parent directory.
        let _ = fs::remove_dir_all(world.dir());
    }
    context.report.round(round.scenario, round.tasks(), begun.elapsed());
}

/// Whether process trees are in cgroups, according to the program itself.
fn cgroup_in_force(directory: &Path, setup: &Setup) -> bool {
    let world = World::new(directory.join("check"), setup.clone());
    let output = world.command(&["check"]).output();
    let printed = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    printed.lines().any(|line| line.starts_with("process trees") && line.contains("one cgroup per task"))
}

/// Kills every process that was started, however this program ends. Only SIGKILL cannot be caught; then the servers'
/// stdin is closed, and everything else ends as it should.
struct ClearOnDrop(PathBuf);

impl Drop for ClearOnDrop {
    fn drop(&mut self) {
        clear_all(&self.0);
    }
}

fn clear_all(directory: &Path) {
    let worlds = fs::read_dir(directory).into_iter().flatten().flatten();
    let marks: Vec<PathBuf> = worlds.map(|world| world.path().join("marks")).collect();
    process_scan::clear(directory, &marks);
}

fn clear_on_signals(directory: PathBuf) {
    // Without signal handling, Ctrl-C may leave processes and files behind.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            world::stop_starting_tasks();
            clear_all(&directory);
            let _ = fs::remove_dir_all(&directory);
            std::process::exit(128 + signal);
        }
    });
}
