//! The cost of a call in addition to its agent: a task over MCP, compared with the same program run directly.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    time::Instant,
};

use connector_testing::McpServer;

use crate::{
    report::{Report, Target},
    samples::{Samples, millis},
    sides::{Builds, Sides, numbers, push_all},
    world::World,
};

const CALLS: usize = 40;

/// A file system in memory, if there is one. It shows the cost of a call without the disk.
const IN_MEMORY: &str = "/dev/shm";

/// Prompts for the agent. Like a real agent, one that takes time hides the work that is done meanwhile.
const AGENTS: [(&str, &str); 2] = [
    ("agent at once", "FAKE[{\"say\": \"ok: hello\"}]"),
    ("agent of 100 ms", "FAKE[{\"sleep\": 0.1}, {\"say\": \"ok: hello\"}]"),
];

pub(crate) fn measure(builds: &mut Builds, report: &mut Report) -> io::Result<()> {
    let places = [("disk", std::env::temp_dir()), ("memory", IN_MEMORY.into())];
    report
        .part("call", &format!("`codex_agent` over MCP minus the same agent run directly; {CALLS} of each in turn."))?;
    report.table()?;
    for (place, dir) in places.iter().filter(|(_, dir)| dir.is_dir()) {
        let mut servers = builds.in_turn(0, |build| {
            let world = World::below(build, dir)?;
            let mut server = world.server();
            world.run(&mut server, "hello");
            Ok((world, server))
        })?;
        for (agent, prompt) in AGENTS {
            compare(&mut servers, prompt, &format!("data on {place}, {agent}"), report)?;
        }
        let writes = Sides::alone(durable_writes(dir)?);
        report.row(&format!("one durable write on {place}, for comparison"), &writes, "ms", Target::None)?;
    }
    Ok(())
}

fn compare(
    servers: &mut Sides<(World, McpServer)>,
    prompt: &str,
    condition: &str,
    report: &mut Report,
) -> io::Result<()> {
    let mut calls = numbers();
    for round in 0..CALLS {
        let times = servers.in_turn(round, |(world, server)| {
            let began = Instant::now();
            world.run(server, prompt);
            let called = began.elapsed();
            let alone = world.run_directly(prompt)?;
            Ok([called.saturating_sub(alone), called, alone].map(millis))
        })?;
        push_all(&mut calls, &times);
    }
    let [beyond, called, alone] = &calls;
    report.row(condition, beyond, "ms", Target::Most(6.0))?;
    report.row("– the call", called, "ms", Target::None)?;
    report.row("– the agent alone", alone, "ms", Target::None)
}

/// The time it takes to write a small file so that it survives a power failure.
fn durable_writes(dir: &Path) -> io::Result<Samples> {
    let dir = tempfile::tempdir_in(dir)?;
    let mut samples = Samples::default();
    for _ in 0..CALLS {
        let began = Instant::now();
        let mut file = File::create(dir.path().join("new"))?;
        file.write_all(&[b'x'; 3_000])?;
        file.sync_data()?;
        fs::rename(dir.path().join("new"), dir.path().join("there"))?;
        File::open(dir.path())?.sync_all()?;
        samples.push(millis(began.elapsed()));
    }
    Ok(samples)
}
