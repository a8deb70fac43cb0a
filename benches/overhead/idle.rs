//! The cost of a task while its agent is silent, and of watching it.

use std::{
    io,
    process::{Child, Stdio},
    thread::sleep,
    time::Duration,
};

use serde_json::json;

use crate::{
    processes::Work,
    pty::spawn_on_terminal,
    report::{Report, Target},
    samples::Samples,
    sides::{Builds, Sides},
    world::World,
};

const ROUNDS: usize = 3;
const WATCHED: Duration = Duration::from_secs(5);

pub(crate) fn measure(builds: &mut Builds, report: &mut Report) -> io::Result<()> {
    let world = World::new(&builds.this)?;
    let mut server = world.server();
    let arguments = json!({"task": "FAKE[{\"hang\": true}]", "workingDirectory": world.project.path()});
    let (id, supervisor) = world.begin(&mut server, "FAKE[{\"hang\": true}]");
    let waiting = server.start_call("codex_agent", arguments);
    let mut watchers = Vec::new();
    for args in [["watch", &id].as_slice(), &["logs", "-f", &id]] {
        watchers.push(spawn_in_pipe(&world, args)?);
        watchers.push(spawn_on_terminal(world.server_command().args(args))?);
    }
    let [watch, watch_live, logs, logs_live] = [0, 1, 2, 3].map(|index: usize| watchers[index].id());
    sleep(Duration::from_millis(1_500));
    let watched = [
        ("supervisor", supervisor, Target::Most(5.0)),
        ("server with a call that waits", server.pid(), Target::Most(5.0)),
        ("`watch` in a pipe", watch, Target::Most(1.0)),
        ("`watch` on a terminal", watch_live, Target::Most(2.0)),
        ("`logs -f` in a pipe", logs, Target::Most(1.0)),
        ("`logs -f` on a terminal", logs_live, Target::Most(2.0)),
    ];
    let mut samples: Vec<(Samples, Samples)> = watched.iter().map(|_| Default::default()).collect();
    for _ in 0..ROUNDS {
        let before = watched.map(|(_, pid, _)| Work::of(pid));
        sleep(WATCHED);
        for ((_, pid, _), (before, (time, wakeups))) in watched.iter().zip(before.into_iter().zip(&mut samples)) {
            let after = Work::of(*pid);
            time.push((after.time.saturating_sub(before.time)).as_secs_f64() * 1e3 / WATCHED.as_secs_f64());
            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
            wakeups.push((after.wakeups - before.wakeups) as f64 / WATCHED.as_secs_f64());
        }
    }
    report
        .part("idle", &format!("An agent that is silent, {ROUNDS} times {} s; this build only.", WATCHED.as_secs()))?;
    report.table()?;
    for ((what, _, target), (time, wakeups)) in watched.iter().zip(&samples) {
        report.row(&format!("{what}: processor time in a second"), &Sides::alone(time.clone()), "ms", *target)?;
        report.row(&format!("{what}: wakeups in a second"), &Sides::alone(wakeups.clone()), "", Target::None)?;
    }
    server.cancel(&waiting);
    server.call("codex_cancel", json!({"taskId": id}), |_| {});
    // They end with the task.
    watchers.iter_mut().try_for_each(|watcher| watcher.wait().map(drop))
}

/// A verb whose output is not a terminal.
fn spawn_in_pipe(world: &World, args: &[&str]) -> io::Result<Child> {
    world.server_command().args(args).stdin(Stdio::null()).stdout(Stdio::null()).spawn()
}
