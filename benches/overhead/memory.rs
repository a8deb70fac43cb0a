//! Memory of an idle server and an idle supervisor.

use std::{io, thread::sleep, time::Duration};

use serde_json::json;

use crate::{
    processes::megabytes,
    report::{Report, Target},
    sides::{Builds, numbers, push_all},
    world::World,
};

const ROUNDS: usize = 5;

/// Memory of one process in MB: resident (RSS), private and dirty, and its proportional share (PSS).
fn memory(pid: u32) -> [f64; 3] {
    ["Rss", "Private_Dirty", "Pss"].map(|field| megabytes(pid, "smaps_rollup", field).unwrap_or(f64::NAN))
}

pub(crate) fn measure(builds: &mut Builds, report: &mut Report) -> io::Result<()> {
    let (mut fresh, mut used, mut supervising) = (numbers(), numbers(), numbers());
    for round in 0..ROUNDS {
        let seen = builds.in_turn(round, |build| {
            let world = World::new(build)?;
            let mut server = world.server();
            let fresh = memory(server.pid());
            for _ in 0..5 {
                world.run(&mut server, "hello");
                server.call("codex_tasks", json!({}), |_| {});
            }
            let used = memory(server.pid());
            let (id, supervisor) = world.begin(&mut server, "FAKE[{\"hang\": true}]");
            sleep(Duration::from_millis(500));
            let supervising = memory(supervisor);
            server.call("codex_cancel", json!({"taskId": id}), |_| {});
            Ok([fresh, used, supervising])
        })?;
        for (numbers, index) in [(&mut fresh, 0), (&mut used, 1), (&mut supervising, 2)] {
            push_all(numbers, &seen.map(|seen| seen[index]));
        }
    }
    report.part(
        "memory",
        &format!("`/proc/PID/smaps_rollup` of {ROUNDS} servers in turn, and of a supervisor of each."),
    )?;
    report.table()?;
    let server = [Target::Most(11.0), Target::Most(2.0), Target::None];
    let supervisor = [Target::None, Target::None, Target::Most(4.0)];
    for (what, numbers, targets) in [
        ("server after `tools/list`", &fresh, server),
        ("server after 5 tasks and listings", &used, server),
        ("supervisor of a silent agent", &supervising, supervisor),
    ] {
        for ((kind, numbers), target) in ["RSS", "private and dirty", "PSS"].iter().zip(numbers).zip(targets) {
            report.row(&format!("{what}: {kind}"), numbers, "MB", target)?;
        }
    }
    Ok(())
}
