//! From the start of a server to its list of tools, over pipes and over the sockets that Node gives its children.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    report::{Report, Target},
    samples::millis,
    sides::{Builds, numbers, push_all},
    world::World,
};

const STARTS: usize = 40;

const INITIALIZE: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"overhead","version":"1"}}}
"#;
const LIST: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}
"#;

pub(crate) fn measure(builds: &mut Builds, report: &mut Report) -> io::Result<()> {
    let mut worlds = builds.in_turn(0, |build| World::new(build))?;
    let mut starts = numbers();
    for round in 0..STARTS {
        let times = worlds.in_turn(round, |world| {
            let pipes = over_pipes(world.server_command())?;
            let sockets = over_sockets(world.server_command())?;
            let began = Instant::now();
            world.server_command().arg("--version").stdout(Stdio::null()).status()?;
            Ok([pipes, sockets, began.elapsed()].map(millis))
        })?;
        push_all(&mut starts, &times);
    }
    let [pipes, sockets, bare] = &starts;
    report.part("start", &format!("Spawn, `initialize`, `tools/list` answered; {STARTS} starts of each in turn."))?;
    report.table()?;
    report.row("server over pipes", pipes, "ms", Target::Most(6.0))?;
    report.row("server over socket pairs", sockets, "ms", Target::Most(6.0))?;
    report.row("`codex-connector --version`, for comparison", bare, "ms", Target::None)
}

/// The time from the start of a server to its list of tools. The server has ended afterwards.
pub(crate) fn over_pipes(mut command: Command) -> io::Result<Duration> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else { unreachable!("both are piped") };
    let listed = list_tools(stdin, stdout, began);
    child.wait()?;
    listed
}

fn over_sockets(mut command: Command) -> io::Result<Duration> {
    let began = Instant::now();
    let ((stdin, theirs_in), (stdout, theirs_out)) = (UnixStream::pair()?, UnixStream::pair()?);
    command.stdin(OwnedFd::from(theirs_in)).stdout(OwnedFd::from(theirs_out));
    let mut child = command.spawn()?;
    // It holds the server's ends of the sockets.
    drop(command);
    let listed = list_tools(stdin, stdout, began);
    child.wait()?;
    listed
}

/// Speaks to a server as a client does, one thing after the other. Its stdin ends with this.
fn list_tools(mut to: impl Write, from: impl Read, began: Instant) -> io::Result<Duration> {
    let (mut from, mut line) = (BufReader::new(from), String::new());
    to.write_all(INITIALIZE)?;
    from.read_line(&mut line)?;
    to.write_all(LIST)?;
    line.clear();
    from.read_line(&mut line)?;
    let took = began.elapsed();
    assert!(line.contains("codex_agent"), "not a list of tools: {line}");
    Ok(took)
}
