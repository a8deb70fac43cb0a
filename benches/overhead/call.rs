//! What a call costs beyond the agent: a task over MCP, against the same program run directly.

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

/// A file system in memory, where there is one: what is left of a call when the disk costs nothing.
const IN_MEMORY: &str = "/dev/shm";

/// What the agent does. One that takes time hides what is done meanwhile, as every real one does.
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
            let world = World::on(build, dir)?;
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

/// How long it takes to make a small file and its name survive a power cut.
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
