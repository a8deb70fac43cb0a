//! What a call costs beyond the agent: a task over MCP, against the same program run directly.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use connector_testing::McpServer;

use crate::{
    report::{Report, Samples, Target},
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

pub(crate) fn measure(report: &mut Report) -> io::Result<()> {
    let places = [("disk", std::env::temp_dir()), ("memory", IN_MEMORY.into())];
    report.part(&format!("call: codex_agent over MCP minus the same agent run directly; {CALLS} of each in turn"))?;
    for (place, dir) in places.iter().filter(|(_, dir)| dir.is_dir()) {
        let world = World::on(dir)?;
        let mut server = world.server();
        world.run(&mut server, "hello");
        for history in ["no history", "1,000 tasks in the index"] {
            for (agent, prompt) in AGENTS {
                compare(&world, &mut server, prompt, &format!("on {place}, {history}, {agent}"), report)?;
            }
            world.make_history(1_000)?;
        }
        report.row(&format!("one durable write on {place}, to compare"), &durable_writes(dir)?, "ms", Target::None)?;
    }
    Ok(())
}

fn compare(
    world: &World,
    server: &mut McpServer,
    prompt: &str,
    condition: &str,
    report: &mut Report,
) -> io::Result<()> {
    let (mut called, mut alone, mut beyond) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..CALLS {
        let began = Instant::now();
        world.run(server, prompt);
        let call = began.elapsed();
        let direct = directly(world, prompt)?;
        called.time(call);
        alone.time(direct);
        beyond.time(call.saturating_sub(direct));
    }
    report.row(condition, &beyond, "ms", Target::Most(10.0))?;
    report.row("  the call", &called, "ms", Target::None)?;
    report.row("  the agent alone", &alone, "ms", Target::None)
}

fn directly(world: &World, prompt: &str) -> io::Result<Duration> {
    let began = Instant::now();
    let mut child = world.agent_command().stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(prompt.as_bytes()))?;
    let mut said = String::new();
    child.stdout.take().map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut said))?;
    assert!(child.wait()?.success() && said.contains("ok: hello"), "the agent said {said}");
    Ok(began.elapsed())
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
        samples.time(began.elapsed());
    }
    Ok(samples)
}
