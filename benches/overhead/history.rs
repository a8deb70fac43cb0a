//! Costs of a long history: the same calls, tasks and starts at 0 to 100,000 tasks.

use std::{
    io,
    process::Stdio,
    time::{Duration, Instant},
};

use connector_testing::{McpServer, eventually};
use serde_json::{Value, json};

use crate::{
    histories::{LISTED, Origin, write},
    processes::{Work, kilobytes_written, megabytes},
    report::{Report, Target},
    samples::{Samples, millis},
    scale::Scale,
    sides::{Build, Builds, Sides, numbers, push_all},
    start::over_pipes,
    store,
    world::{WAIT_TIMEOUT, World, wait_for_supervisors},
};

const PROMPT: &str = "FAKE[{\"say\": \"ok: hello\"}]";

/// Words of a listing that may lack older tasks.
const PARTIAL: &str = "this list is incomplete";

/// Tasks in a new data directory.
const FIRST_TASKS: usize = 5;

/// Looks at a history, which change nothing.
const LOOKS: [&str; 6] = [
    "server start, to its tools",
    "server start, to its first listing",
    "`codex_tasks`",
    "`codex_tasks`, failed ones only",
    "`codex_status` of a task in the middle",
    "`codex-connector ls --all`, the whole command",
];

/// A server with a history.
pub(crate) struct Subject {
    /// Dropped before its data directory is removed.
    server: McpServer,
    world: World,
    /// The ID of a task in the middle of the history.
    asked: String,
    first: First,
}

/// A number about the first server.
type Look = fn(&First) -> f64;

/// The first server of this build in such a directory, which has to read everything.
struct First {
    /// The time from its start to its first listing, in milliseconds. It need not be complete.
    listed: f64,
    /// The time from its start to its first complete listing, in milliseconds.
    complete: f64,
    /// Its processor time until then, in milliseconds.
    work: f64,
    /// Its largest resident memory until then, in MB.
    peak: f64,
    /// Its private and dirty memory after that, in MB.
    memory: f64,
}

impl Subject {
    fn new(build: &Build, origin: Origin, size: u32) -> io::Result<Self> {
        let world = World::new(build)?;
        let asked = write(&world, origin, size)?;
        let began = Instant::now();
        let mut server = world.server();
        // With an earlier version, this may take longer than one call may.
        let mut list = || server.call("codex_tasks", json!({}), |_| {});
        let is_complete = eventually("a first listing", WAIT_TIMEOUT, || {
            let answer = list();
            (!answer.is_error).then(|| !answer.text.contains(PARTIAL))
        });
        let listed = millis(began.elapsed());
        if !is_complete {
            eventually("a complete listing", WAIT_TIMEOUT, || (!list().text.contains(PARTIAL)).then_some(()));
        }
        let (complete, work) = (millis(began.elapsed()), millis(Work::of(server.pid()).time));
        let peak = megabytes(server.pid(), "status", "VmHWM").unwrap_or(f64::NAN);
        let first = First { listed, complete, work, peak, memory: private_memory(&server) };
        let mut subject = Self { server: world.server(), world, asked, first };
        if origin == Origin::Own {
            // After one task, every rebuilt file is complete.
            subject.task()?;
        }
        Ok(subject)
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    fn look(&mut self) -> io::Result<[f64; LOOKS.len()]> {
        let tools = over_pipes(self.world.server_command())?;
        let began = Instant::now();
        let mut another = self.world.server();
        list(&mut another, &json!({}));
        let first_listing = began.elapsed();
        drop(another);
        let server = &mut self.server;
        let all = timed(|| list(server, &json!({})));
        let failed = timed(|| list(server, &json!({"status": "failed"})));
        let asked = json!({"taskId": self.asked});
        let status = timed(|| {
            let answer = server.call("codex_status", asked, |_| {});
            assert!(!answer.is_error && answer.text.contains(&self.asked), "{}", answer.text);
        });
        let [tools, first_listing, all, failed, status] = [tools, first_listing, all, failed, status].map(millis);
        Ok([tools, first_listing, all, failed, status, self.ls()?])
    }

    /// The time of the command that lists the newest tasks, in milliseconds; not a number if an earlier version has no such
    /// command.
    fn ls(&self) -> io::Result<f64> {
        let mut command = self.world.server_command();
        command.args(["ls", "--all"]).current_dir(self.world.project.path()).stdin(Stdio::null());
        let began = Instant::now();
        let output = command.output()?;
        let took = millis(began.elapsed());
        let listed = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        Ok(if output.status.success() && listed == 20 { took } else { f64::NAN })
    }

    /// Runs one task. Returns the time beyond its agent's, in milliseconds, and the kilobytes that it wrote.
    fn task(&mut self) -> io::Result<[f64; 2]> {
        wait_for_supervisors(&self.server);
        let before = kilobytes_written(self.server.pid());
        let began = Instant::now();
        self.world.run(&mut self.server, PROMPT);
        let called = began.elapsed();
        let alone = self.world.run_directly(PROMPT)?;
        wait_for_supervisors(&self.server);
        let written =
            kilobytes_written(self.server.pid()).zip(before).map_or(f64::NAN, |(after, before)| after - before);
        Ok([millis(called.saturating_sub(alone)), written])
    }
}

pub(crate) fn measure(builds: &mut Builds, scale: &Scale, report: &mut Report) -> io::Result<()> {
    own(builds, scale, report)?;
    original(builds, scale, report)
}

fn own(builds: &mut Builds, scale: &Scale, report: &mut Report) -> io::Result<()> {
    let mut subjects = subjects(builds, Origin::Own, scale.own)?;
    report.part(
        "history",
        &format!(
            "Numbers of tasks of the measured build, beyond {LISTED} that every data directory has, so that all listings are equally long and \
             `tasks.json` is as large as it gets. {} of each in turn; the ratios are medians of those within a turn.",
            scale.rounds
        ),
    )?;
    report.grid("own history", &columns(scale.own))?;
    looks(&mut subjects, scale, report)?;
    tasks(&mut subjects, scale, report)?;
    memory(&subjects, scale, report)?;
    firsts(&subjects, report)?;
    store::measure(&subjects, scale, report)?;
    first_tasks(builds, report)
}

fn original(builds: &mut Builds, scale: &Scale, report: &mut Report) -> io::Result<()> {
    let mut subjects = subjects(builds, Origin::Original, scale.original)?;
    report.grid("history of the original program, before the first task", &columns(scale.original))?;
    looks(&mut subjects, scale, report)?;
    firsts(&subjects, report)?;
    for subject in &mut subjects {
        subject.in_turn(0, Subject::task)?;
    }
    report.grid("the same, after the first task", &columns(scale.original))?;
    looks(&mut subjects, scale, report)?;
    tasks(&mut subjects, scale, report)
}

/// A server for each build with each number of tasks.
fn subjects(builds: &mut Builds, origin: Origin, sizes: &[u32]) -> io::Result<Vec<Sides<Subject>>> {
    let new = |size: &u32| {
        let mut subject = builds.in_turn(0, |build| Subject::new(build, origin, *size))?;
        // An earlier version may not list all of them.
        let listed = list(&mut subject.this.server, &json!({}));
        let total = listed.split_once("20 of ").and_then(|(_, after)| after.split(' ').next()?.parse::<u32>().ok());
        assert!(total.is_some_and(|total| total >= size + LISTED), "{listed}");
        Ok(subject)
    };
    sizes.iter().map(new).collect()
}

fn columns(sizes: &[u32]) -> Vec<String> {
    sizes.iter().map(|size| if *size < 1_000 { size.to_string() } else { format!("{},000", size / 1_000) }).collect()
}

/// Measures the same in all histories, in turn.
fn in_turn<const N: usize>(
    subjects: &mut [Sides<Subject>],
    rounds: usize,
    run: impl Fn(&mut Subject) -> io::Result<[f64; N]>,
) -> io::Result<Vec<[Sides<Samples>; N]>> {
    let mut measured: Vec<_> = subjects.iter().map(|_| numbers()).collect();
    for round in 0..rounds {
        for (subject, numbers) in subjects.iter_mut().zip(&mut measured) {
            push_all(numbers, &subject.in_turn(round, &run)?);
        }
    }
    Ok(measured)
}

fn looks(subjects: &mut [Sides<Subject>], scale: &Scale, report: &mut Report) -> io::Result<()> {
    let measured = in_turn(subjects, scale.rounds, Subject::look)?;
    for (index, what) in LOOKS.iter().enumerate() {
        let numbers: Vec<_> = measured.iter().map(|numbers| numbers[index].clone()).collect();
        report.grid_row(what, &numbers, "ms", scale.floor, Target::Most(scale.most))?;
    }
    Ok(())
}

fn tasks(subjects: &mut [Sides<Subject>], scale: &Scale, report: &mut Report) -> io::Result<()> {
    let measured = in_turn(subjects, scale.rounds, Subject::task)?;
    let [times, written] = [0, 1].map(|index| measured.iter().map(|of| of[index].clone()).collect::<Vec<_>>());
    let target = Target::Most(scale.most);
    report.grid_row("one task: the call minus its agent", &times, "ms", scale.floor, target)?;
    report.grid_row("one task: written by server, supervisor and agent", &written, "kB", 0.0, target)
}

fn memory(subjects: &[Sides<Subject>], scale: &Scale, report: &mut Report) -> io::Result<()> {
    let numbers = once(subjects, |subject| private_memory(&subject.server));
    report.grid_row("server after all this: private and dirty (once)", &numbers, "MB", 0.0, Target::Most(scale.most))
}

/// The first listing in such a directory.
fn firsts(subjects: &[Sides<Subject>], report: &mut Report) -> io::Result<()> {
    let first: [(_, _, Look); 5] = [
        ("first start, without `index.sqlite`, to a listing (once)", "ms", |first| first.listed),
        ("the same, to a complete listing (once)", "ms", |first| first.complete),
        ("that server: processor time (once)", "ms", |first| first.work),
        ("that server: peak memory, resident (once)", "MB", |first| first.peak),
        ("that server: private and dirty (once)", "MB", |first| first.memory),
    ];
    for (what, unit, look) in first {
        report.grid_row(what, &once(subjects, |subject| look(&subject.first)), unit, 0.0, Target::None)?;
    }
    Ok(())
}

fn once(subjects: &[Sides<Subject>], look: impl Fn(&Subject) -> f64) -> Vec<Sides<Samples>> {
    subjects.iter().map(|subject| subject.map(|subject| Samples::from(look(subject)))).collect()
}

/// In MB.
fn private_memory(server: &McpServer) -> f64 {
    megabytes(server.pid(), "smaps_rollup", "Private_Dirty").unwrap_or(f64::NAN)
}

/// The writes of a task in a data directory that has no history at all, where `tasks.json` is small.
fn first_tasks(builds: &mut Builds, report: &mut Report) -> io::Result<()> {
    let mut new = builds.in_turn(0, |build| {
        let world = World::new(build)?;
        let server = world.server();
        Ok(Subject {
            server,
            world,
            asked: String::new(),
            first: First { listed: f64::NAN, complete: f64::NAN, work: f64::NAN, peak: f64::NAN, memory: f64::NAN },
        })
    })?;
    let mut written = Sides::default();
    for round in 0..FIRST_TASKS {
        written.push(&new.in_turn(round, |subject| Ok(subject.task()?[1]))?);
    }
    report.table()?;
    report.row(&format!("written by one of the first {FIRST_TASKS} tasks"), &written, "kB", Target::None)
}

fn list(server: &mut McpServer, arguments: &Value) -> String {
    let answer = server.call("codex_tasks", arguments.clone(), |_| {});
    assert!(!answer.is_error && answer.text.lines().count() > 20, "{}", answer.text);
    answer.text
}

fn timed<T>(run: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    run();
    began.elapsed()
}
