//! Looking at a task whose log is large, and at a long history.

use std::{
    fs::File,
    io::{self, Write},
    time::Instant,
};

use connector_testing::McpServer;
use serde_json::{Value, json};

use crate::{
    report::{Report, Samples, Target},
    world::{World, task_id},
};

const CALLS: usize = 40;

pub(crate) fn measure(report: &mut Report) -> io::Result<()> {
    let world = World::new()?;
    let mut server = world.server();
    let ended = task_id(&world.run(&mut server, "hello"));
    let (running, _) = world.begin(&mut server, "FAKE[{\"say\": \"here\"}, {\"hang\": true}]");
    for id in [&ended, &running] {
        let mut log = File::options().append(true).open(world.log_file(id, "log"))?;
        let line = format!("[2026-01-15T10:30:00.000Z] STDOUT: {}\n", "x".repeat(100)).repeat(1_000);
        (0..500_000_000 / line.len()).try_for_each(|_| log.write_all(line.as_bytes()))?;
    }
    report.part(&format!("reading: calls over MCP, {CALLS} of each; the log has 500 MB, the index 1,000 tasks"))?;
    let status = |id: &String| json!({"taskId": id, "tailLines": 50});
    let of_ended = time(&mut server, "codex_status", &status(&ended), "## ");
    report.row("codex_status, task that has ended", &of_ended, "ms", Target::Most(5.0))?;
    let of_running = time(&mut server, "codex_status", &status(&running), "## ");
    report.row("codex_status, task that runs", &of_running, "ms", Target::Most(5.0))?;
    server.call("codex_cancel", json!({"taskId": running}), |_| {});
    world.make_history(1_000)?;
    let listed = time(&mut server, "codex_tasks", &json!({}), "1000");
    report.row("codex_tasks, the newest 20 of 1,000", &listed, "ms", Target::Most(20.0))
}

fn time(server: &mut McpServer, tool: &str, arguments: &Value, expected: &str) -> Samples {
    let mut samples = Samples::default();
    for _ in 0..CALLS {
        let began = Instant::now();
        let answer = server.call(tool, arguments.clone(), |_| {});
        samples.time(began.elapsed());
        assert!(!answer.is_error && answer.text.contains(expected), "{}", answer.text);
    }
    samples
}
