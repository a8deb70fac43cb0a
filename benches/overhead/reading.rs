//! The status of a task with a large log. [`history`](crate::history) looks at many tasks.

use std::{
    fs::File,
    io::{self, Write},
    time::Instant,
};

use connector_testing::McpServer;
use serde_json::{Value, json};

use crate::{
    report::{Report, Target},
    samples::{Samples, millis},
    sides::{Builds, Sides},
    world::{World, task_id},
};

const CALLS: usize = 40;

pub(crate) fn measure(builds: &mut Builds, report: &mut Report) -> io::Result<()> {
    let world = World::new(&builds.this)?;
    let mut server = world.server();
    let ended = task_id(&world.run(&mut server, "hello"));
    let (running, _) = world.begin(&mut server, "FAKE[{\"say\": \"here\"}, {\"hang\": true}]");
    for id in [&ended, &running] {
        let mut log = File::options().append(true).open(world.log_file(id, "log"))?;
        let line = format!("[2026-01-15T10:30:00.000Z] STDOUT: {}\n", "x".repeat(100)).repeat(1_000);
        (0..500_000_000 / line.len()).try_for_each(|_| log.write_all(line.as_bytes()))?;
    }
    report.part("reading", &format!("Calls over MCP, {CALLS} of each, with a log of 500 MB; this build only."))?;
    report.table()?;
    for (what, id) in [("`codex_status`, task that has ended", &ended), ("`codex_status`, task that runs", &running)] {
        let times = time(&mut server, "codex_status", &json!({"taskId": id, "tailLines": 50}), "## ");
        report.row(what, &Sides::alone(times), "ms", Target::Most(5.0))?;
    }
    server.call("codex_cancel", json!({"taskId": running}), |_| {});
    Ok(())
}

fn time(server: &mut McpServer, tool: &str, arguments: &Value, expected: &str) -> Samples {
    let mut samples = Samples::default();
    for _ in 0..CALLS {
        let began = Instant::now();
        let answer = server.call(tool, arguments.clone(), |_| {});
        samples.push(millis(began.elapsed()));
        assert!(!answer.is_error && answer.text.contains(expected), "{}", answer.text);
    }
    samples
}
