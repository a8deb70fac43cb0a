//! Memory of a server and a supervisor that have nothing to do.

use std::{io, thread::sleep, time::Duration};

use serde_json::json;

use crate::{
    processes::megabytes,
    report::{Report, Samples, Target},
    world::World,
};

const ROUNDS: usize = 5;

/// Two numbers about one process: what is resident, and its share of what others use as well.
#[derive(Default)]
struct Memory(Samples, Samples);

impl Memory {
    fn look(&mut self, pid: u32) {
        self.0.push(megabytes(pid, "smaps_rollup", "Rss").unwrap_or(f64::NAN));
        self.1.push(megabytes(pid, "smaps_rollup", "Pss").unwrap_or(f64::NAN));
    }

    fn report(&self, what: &str, report: &mut Report) -> io::Result<()> {
        report.row(&format!("{what}: RSS"), &self.0, "MB", Target::Most(8.0))?;
        report.row(&format!("{what}: PSS"), &self.1, "MB", Target::None)
    }
}

pub(crate) fn measure(report: &mut Report) -> io::Result<()> {
    let (mut fresh, mut used, mut supervising) = (Memory::default(), Memory::default(), Memory::default());
    for _ in 0..ROUNDS {
        let world = World::new()?;
        let mut server = world.server();
        fresh.look(server.pid());
        for _ in 0..5 {
            world.run(&mut server, "hello");
            server.call("codex_tasks", json!({}), |_| {});
        }
        used.look(server.pid());
        let (id, supervisor) = world.begin(&mut server, "FAKE[{\"hang\": true}]");
        sleep(Duration::from_millis(500));
        supervising.look(supervisor);
        server.call("codex_cancel", json!({"taskId": id}), |_| {});
    }
    report.part(&format!("memory: /proc/<pid>/smaps_rollup, {ROUNDS} servers"))?;
    fresh.report("server after tools/list", report)?;
    used.report("server after 5 tasks", report)?;
    supervising.report("supervisor of a silent agent", report)
}
