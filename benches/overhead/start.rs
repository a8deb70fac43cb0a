//! From the start of a server to its list of tools, over pipes and over the sockets that Node gives its children.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Stdio},
    time::Instant,
};

use crate::{
    report::{Report, Samples, Target},
    world::World,
};

const STARTS: usize = 40;

const INITIALIZE: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"overhead","version":"1"}}}
"#;
const LIST: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}
"#;

pub(crate) fn measure(report: &mut Report) -> io::Result<()> {
    let world = World::new()?;
    let (mut pipes, mut sockets, mut bare) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..STARTS {
        pipes.time(over_pipes(world.server_command())?);
        sockets.time(over_sockets(world.server_command())?);
        let began = Instant::now();
        world.server_command().arg("--version").stdout(Stdio::null()).status()?;
        bare.time(began.elapsed());
    }
    report.part(&format!("start: spawn, initialize, tools/list answered; {STARTS} starts of each in turn"))?;
    report.row("server over pipes", &pipes, "ms", Target::Most(15.0))?;
    report.row("server over socket pairs", &sockets, "ms", Target::Most(15.0))?;
    report.row("codex-connector --version, to compare", &bare, "ms", Target::None)
}

fn over_pipes(mut command: Command) -> io::Result<std::time::Duration> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else { unreachable!("both are piped") };
    let listed = list_tools(stdin, stdout, began);
    child.wait()?;
    listed
}

fn over_sockets(mut command: Command) -> io::Result<std::time::Duration> {
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
fn list_tools(mut to: impl Write, from: impl Read, began: Instant) -> io::Result<std::time::Duration> {
    let (mut from, mut line) = (BufReader::new(from), String::new());
    to.write_all(INITIALIZE)?;
    from.read_line(&mut line)?;
    to.write_all(LIST)?;
    line.clear();
    from.read_line(&mut line)?;
    let took = began.elapsed();
    assert!(line.contains("codex_agent"), "this is no list of tools: {line}");
    Ok(took)
}
