//! The web UI: the time to the first byte of pages with a long history and of a task with very long files, and the memory of a
//! server with many open pages.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use connector_testing::http::HttpRequest;
use serde_json::{Value, json};

use crate::{
    histories::{Origin, write},
    processes::megabytes,
    report::{Report, Target},
    samples::{Samples, millis},
    sides::{Builds, Sides},
    world::{World, task_id, wait_for_supervisors},
};

/// Number of tasks in the history.
const TASKS: u32 = 100_000;

/// Requests of each kind.
const REQUESTS: usize = 40;

/// Size of the log, most of which is a hole.
const LOG_BYTES: u64 = 1 << 30;

/// Size of the timeline, the maximum that a task writes.
const TIMELINE_BYTES: usize = 16_000_000;

/// Number of open pages.
const PAGES: usize = 50;

/// How long the memory with open pages is observed.
const OBSERVED: Duration = Duration::from_secs(10);

/// Most milliseconds to the first byte.
const FIRST_BYTE: Target = Target::Most(30.0);

/// A server of the web UI, ended when dropped.
struct WebServer {
    process: Child,
    address: SocketAddr,
    cookie: String,
}

impl WebServer {
    fn start(world: &World) -> io::Result<Self> {
        let mut command = world.server_command();
        let mut process =
            command.arg("web").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, format!("no one-time address: {line}"));
        let (address, path) =
            line.trim().strip_prefix("http://").and_then(|rest| rest.split_once('/')).ok_or_else(invalid)?;
        let address = address.parse().map_err(|_| invalid())?;
        let signed_in = HttpRequest::new("GET", &format!("/{path}")).send(address)?;
        let cookie = signed_in.header("set-cookie").and_then(|set| set.split(';').next()).ok_or_else(invalid)?;
        Ok(Self { process, address, cookie: cookie.to_owned() })
    }

    fn request(&self, path: &str) -> io::Result<TcpStream> {
        HttpRequest::new("GET", path).header("Cookie", &self.cookie).begin(self.address)
    }

    /// The time from the connection to the first byte of the response, and the response.
    fn first_byte(&self, path: &str) -> io::Result<(Duration, String)> {
        let began = Instant::now();
        let mut connection = self.request(path)?;
        let mut response = vec![0];
        connection.read_exact(&mut response)?;
        let took = began.elapsed();
        connection.read_to_end(&mut response)?;
        Ok((took, String::from_utf8_lossy(&response).into_owned()))
    }

    fn first_bytes(&self, path: &str, expected: &str) -> io::Result<Samples> {
        let mut samples = Samples::default();
        for _ in 0..REQUESTS {
            let (took, response) = self.first_byte(path)?;
            assert!(response.starts_with("HTTP/1.1 200") && response.contains(expected), "{path}: {response:.8000}");
            samples.push(millis(took));
        }
        Ok(samples)
    }

    fn memory(&self) -> [f64; 2] {
        ["Rss", "Pss"].map(|field| megabytes(self.process.id(), "smaps_rollup", field).unwrap_or(f64::NAN))
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn measure(builds: &mut Builds, report: &mut Report) -> io::Result<()> {
    report.part(
        "web",
        &format!("`codex-connector web`, {REQUESTS} requests of each kind, each on a new connection; this build only."),
    )?;
    report.table()?;
    long_history(builds, report)?;
    long_files(builds, report)?;
    open_pages(builds, report)
}

fn row(report: &mut Report, what: &str, samples: Samples) -> io::Result<()> {
    report.row(what, &Sides::alone(samples), "ms", FIRST_BYTE)
}

fn long_history(builds: &Builds, report: &mut Report) -> io::Result<()> {
    let world = World::new(&builds.this)?;
    write(&world, Origin::Own, TASKS)?;
    // Rebuilds the catalog.
    let listed = world.server_command().args(["ls", "--all"]).stdin(Stdio::null()).output()?;
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let server = WebServer::start(&world)?;
    let (cold, _) = server.first_byte("/tasks")?;
    report.row(
        "Tasks with 100,000 tasks, first request of a server",
        &Sides::alone(millis(cold).into()),
        "ms",
        Target::None,
    )?;
    for (what, path) in [
        ("Tasks with 100,000 tasks, first byte", "/tasks"),
        ("the same, failed ones of one agent since a time", "/tasks?state=failed&backend=codex&since=60d"),
        ("the same, page 1,000", "/tasks?page=1000"),
    ] {
        row(report, what, server.first_bytes(path, "task-link")?)?;
    }
    let usage = server.first_bytes("/usage", "<h1>")?;
    report.row("Usage of 30 days with 100,000 tasks", &Sides::alone(usage), "ms", Target::None)
}

fn long_files(builds: &Builds, report: &mut Report) -> io::Result<()> {
    let world = World::new(&builds.this)?;
    let mut server = world.server();
    let id = task_id(&world.run(&mut server, "FAKE[{\"say\": \"here\"}]"));
    wait_for_supervisors(&server);
    drop(server);
    lengthen_log(&world, &id)?;
    lengthen_timeline(&world, &id)?;
    let server = WebServer::start(&world)?;
    for (what, tab, expected) in [
        ("Task with a log of 1 GB and a timeline of 16 MB, activity", "", "id=\"activity\""),
        ("the same, log", "/log", "the last line"),
        ("the same, changes", "/changes", "<h1>"),
        ("the same, result", "/result", "here"),
        ("the same, details", "/details", "<h1>"),
    ] {
        row(report, what, server.first_bytes(&format!("/tasks/{id}{tab}"), expected)?)?;
    }
    Ok(())
}

/// Makes the log of an ended task very long. The middle is a hole, as most of it is not read.
fn lengthen_log(world: &World, id: &str) -> io::Result<()> {
    let log = world.log_file(id, "log");
    File::options().write(true).open(&log)?.set_len(LOG_BYTES)?;
    let line = format!("[2026-01-15T10:30:00.000Z] STDOUT: {}\n", "x".repeat(100));
    let mut log = OpenOptions::new().append(true).open(&log)?;
    log.write_all(format!("\n{}[2026-01-15T10:30:00.000Z] STDOUT: the last line\n", line.repeat(2_000)).as_bytes())
}

/// Puts many messages before the end of a timeline.
fn lengthen_timeline(world: &World, id: &str) -> io::Result<()> {
    let file = world.log_file(id, "timeline.jsonl");
    let content = fs::read_to_string(&file)?;
    let lines: Vec<&str> = content.lines().collect();
    let is_message = |line: &&&str| line.contains("\"message\"");
    let template: Value = serde_json::from_str(lines.iter().find(is_message).expect("the agent said something"))?;
    let (last, first) = lines.split_last().expect("it has an end");
    let mut long = first.join("\n") + "\n";
    let mut seq = first.len() as u64 + 1;
    while long.len() < TIMELINE_BYTES {
        let mut entry = template.clone();
        entry["seq"] = seq.into();
        entry["text"] = format!("message {seq} {}", "of a long timeline ".repeat(8)).into();
        long += &format!("{entry}\n");
        seq += 1;
    }
    let mut end: Value = serde_json::from_str(last)?;
    end["seq"] = seq.into();
    fs::write(&file, format!("{long}{end}\n"))
}

fn open_pages(builds: &Builds, report: &mut Report) -> io::Result<()> {
    let world = World::new(&builds.this)?;
    let mut server = world.server();
    // About ten entries a second.
    let steps: Vec<Value> = (0..300)
        .flat_map(|number| {
            [json!({"say": format!("message {number} {}", "some words ".repeat(20))}), json!({"sleep": 0.1})]
        })
        .collect();
    let (id, _) = world.begin(&mut server, &format!("FAKE{}", json!(steps)));
    let web = WebServer::start(&world)?;
    let before = web.memory();
    // Half of the pages are the list.
    let mut readers = Vec::new();
    for number in 0..PAGES {
        let page = if number % 2 == 0 { "/tasks".to_owned() } else { format!("/tasks/{id}") };
        web.first_byte(&page)?;
        let mut stream = web.request(&format!("{page}/live"))?;
        readers.push(thread::spawn(move || {
            let (mut buffer, mut received) = ([0; 65_536], 0);
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                received += read;
            }
            received
        }));
    }
    let (mut resident, mut proportional) = (Samples::default(), Samples::default());
    let until = Instant::now() + OBSERVED;
    while Instant::now() < until {
        let [rss, pss] = web.memory();
        resident.push(rss);
        proportional.push(pss);
        thread::sleep(Duration::from_millis(250));
    }
    drop(web);
    for reader in readers {
        let received = reader.join().expect("it does not panic");
        assert!(received > 1_000, "a page received only {received} bytes");
    }
    server.call("codex_cancel", json!({"taskId": id}), |_| {});
    let [rss, pss] = before;
    for (what, samples, target) in [
        ("server without pages: RSS", rss.into(), Target::None),
        ("server without pages: PSS", pss.into(), Target::None),
        ("server with 50 open pages while a task emits events: RSS", resident, Target::Most(30.0)),
        ("the same: PSS", proportional, Target::Most(30.0)),
    ] {
        report.row(what, &Sides::alone(samples), "MB", target)?;
    }
    Ok(())
}
