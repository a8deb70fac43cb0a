//! Many tasks started at once: the time until all are acknowledged.

use std::{array, io, time::Instant};

use serde_json::json;

use crate::{
    report::{Report, Target},
    samples::millis,
    scale::Scale,
    sides::{Build, Builds, numbers, push_all},
    world::{WAIT_TIMEOUT, World, wait_for_supervisors},
};

/// Numbers of tasks.
const FULL: [usize; 4] = [25, 50, 100, 200];

/// The numbers for `--check`, which only looks at the growth.
const CHECK: [usize; 2] = [25, 100];

pub(crate) fn measure(builds: &mut Builds, scale: &Scale, report: &mut Report) -> io::Result<()> {
    if scale.has_absolute_targets { grow(builds, FULL, scale, report) } else { grow(builds, CHECK, scale, report) }
}

fn grow<const N: usize>(builds: &mut Builds, counts: [usize; N], scale: &Scale, report: &mut Report) -> io::Result<()> {
    let rounds = scale.bursts;
    let mut bursts = numbers::<N>();
    for round in 0..rounds {
        let times = builds.in_turn(round, |build| acknowledged(build, counts))?;
        push_all(&mut bursts, &times);
    }
    report.part(
        "burst",
        &format!(
            "`codex_agent` with `async`, sent in one go: the time until the last answer, {rounds} times in turn. The agent answers at once, so \
             agents and supervisors compete with later starts for the processors."
        ),
    )?;
    report.table()?;
    for (count, numbers) in counts.iter().zip(&bursts) {
        let has_target = *count == 200 && scale.has_absolute_targets;
        let target = if has_target { Target::Most(1_200.0) } else { Target::None };
        report.row(&format!("{count} tasks"), numbers, "ms", target)?;
    }
    let (Some(few), Some(many)) = (counts.first(), counts.last()) else { return Ok(()) };
    let each = |index: usize, count: usize| {
        bursts[index].map(|times| {
            let mut times = times.clone();
            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
            times.scale(1.0 / count as f64);
            times
        })
    };
    report.grid("burst, for each task", &[few.to_string(), many.to_string()])?;
    report.grid_row(
        "time until all are acknowledged",
        &[each(0, *few), each(N - 1, *many)],
        "ms",
        0.0,
        Target::Most(scale.most),
    )
}

/// The times, in milliseconds, each in its own data directory.
fn acknowledged<const N: usize>(build: &Build, counts: [usize; N]) -> io::Result<[f64; N]> {
    let world = World::new(build)?;
    let mut server = world.server();
    world.run(&mut server, "hello");
    let mut times = array::from_fn(|_| f64::NAN);
    for (time, count) in times.iter_mut().zip(counts) {
        wait_for_supervisors(&server);
        let arguments =
            json!({"task": "FAKE[{\"say\": \"ok: hello\"}]", "workingDirectory": world.project.path(), "async": true});
        let began = Instant::now();
        let calls: Vec<_> = (0..count).map(|_| server.start_call("codex_agent", arguments.clone())).collect();
        for call in calls {
            let answer = call.wait(WAIT_TIMEOUT, |_| {});
            assert!(!answer.is_error && answer.text.contains("**Task ID:**"), "{}", answer.text);
        }
        *time = millis(began.elapsed());
    }
    wait_for_supervisors(&server);
    Ok(times)
}
