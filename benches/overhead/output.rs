//! Agents that print 200 MB: how long a task takes, against the same agent with its output in a file, and how much
//! memory that needs.

use std::{
    env,
    fs::{self, File},
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    processes::megabytes,
    report::{Report, Samples, Target},
    world::World,
};

/// Turns of each comparison, unless `OVERHEAD_ROUNDS` says otherwise.
const ROUNDS: usize = 9;

const BYTES: usize = 200_000_000;

/// Measures all cases, or those whose name contains `OVERHEAD_CASE`.
pub(crate) fn measure(report: &mut Report) -> io::Result<()> {
    let rounds = env::var("OVERHEAD_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let case = env::var("OVERHEAD_CASE").unwrap_or_default();
    report.part(&format!(
        "output: a task whose agent prints 200 MB, against `agent > file` on the same disk; {rounds} of each in turn"
    ))?;
    let text = |length: usize| json!({"lines": BYTES.div_ceil(length + 1), "length": length});
    let stderr = json!({"lines": BYTES / 101, "length": 100, "stream": "stderr"});
    let message = json!({"lines": BYTES / 1_000, "length": 914, "json": true});
    for (what, flood, most) in [
        ("stdout, lines of 100 bytes", text(100), 2.5),
        ("stdout, lines of 1,000 bytes", text(1_000), 2.5),
        ("stderr, lines of 100 bytes", stderr, 2.5),
        ("JSON, events of 120 bytes", events(), 4.0),
        ("JSON, messages of 1 kB", message, 3.0),
        ("JSON, commands with 4 kB of output", commands(), 2.5),
        ("stdout, lines of 16 MiB", text(16 << 20), 2.5),
    ] {
        if what.contains(&case) {
            compare(what, &json!([{"flood": flood}]), (rounds, most), report)?;
        }
    }
    Ok(())
}

/// The smallest events of Codex: a message that begins, and one that is complete.
fn events() -> Value {
    let event = |kind: &str, text: &str| json!({"type": kind, "item": {"id": "item_17", "type": "agent_message", "text": text}});
    let events = [
        event("item.started", "Looking at the tests, one after the other"),
        event("item.completed", "All tests pass; nothing is left to do."),
    ];
    let length: usize = events.iter().map(|event| event.to_string().len() + 1).sum();
    json!({"lines": BYTES / length, "event": events})
}

/// Events of commands that ended, as Codex tells them.
fn commands() -> Value {
    let output = "test result: ok. 12 passed; 0 failed; 0 ignored \"quoted\"\n".repeat(4_096 / 58);
    let item = json!({
        "id": "item_1", "type": "command_execution", "command": "/bin/bash -lc 'cargo test'",
        "aggregated_output": output, "exit_code": 0, "status": "completed"
    });
    let event = json!({"type": "item.completed", "item": item});
    json!({"lines": BYTES / event.to_string().len(), "event": event})
}

fn compare(what: &str, steps: &Value, (rounds, most): (usize, f64), report: &mut Report) -> io::Result<()> {
    let world = World::new()?;
    let prompt = format!("FAKE{steps}");
    let mut server = world.server();
    let (mut ratio, mut seconds, mut memory) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..rounds {
        let direct = into_file(&world, &prompt)?;
        let (task, peak) = as_task(&world, &mut server, &prompt);
        ratio.push(task.as_secs_f64() / direct.as_secs_f64());
        seconds.push(task.as_secs_f64());
        memory.push(peak);
    }
    let mut server_memory = Samples::default();
    server_memory.push(megabytes(server.pid(), "status", "VmHWM").unwrap_or(f64::NAN));
    report.row(what, &ratio, "times", Target::Most(most))?;
    report.row("  the task", &seconds, "s", Target::None)?;
    report.row("  most memory, supervisor", &memory, "MB", Target::Most(20.0))?;
    report.row("  most memory, server", &server_memory, "MB", Target::Most(20.0))
}

fn into_file(world: &World, prompt: &str) -> io::Result<Duration> {
    let path = world.data_dir().join("direct");
    let file = File::create(&path)?;
    let began = Instant::now();
    let mut child = world.agent_command().stdout(file.try_clone()?).stderr(file).spawn()?;
    child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(prompt.as_bytes()))?;
    assert!(child.wait()?.success(), "the agent failed");
    let took = began.elapsed();
    assert!(fs::metadata(&path)?.len() > 190_000_000, "the agent printed too little");
    fs::remove_file(path)?;
    Ok(took)
}

/// Returns how long the task took and the most memory of its supervisor.
fn as_task(world: &World, server: &mut connector_testing::McpServer, prompt: &str) -> (Duration, f64) {
    let began = Instant::now();
    let arguments = json!({"task": prompt, "workingDirectory": world.project.path()});
    let call = server.start_call("codex_agent", arguments);
    let server_pid = server.pid();
    let watching = thread::spawn({
        let call = call.clone();
        move || {
            // The server's only child is the supervisor. Looking for it is work, so it is found once.
            let child = || connector_testing::processes::descendants(server_pid).first().copied();
            let supervisor = connector_testing::eventually("a supervisor", Duration::from_secs(10), child);
            let mut most = 0.0_f64;
            while call.answer().is_none() {
                most = most.max(megabytes(supervisor, "status", "VmHWM").unwrap_or(0.0));
                thread::sleep(Duration::from_millis(10));
            }
            most
        }
    });
    let answer = call.wait(Duration::from_secs(120), |_| {});
    let took = began.elapsed();
    assert!(answer.text.contains("completed successfully"), "{}", answer.text);
    let id = crate::world::task_id(&answer);
    let log = world.log_file(&id, "log");
    assert!(fs::metadata(&log).is_ok_and(|log| log.len() > 190_000_000), "the log is not complete");
    let _ = fs::remove_file(log);
    (took, watching.join().unwrap_or(f64::NAN))
}
