//! Runs the verbs for people, without a terminal.

use std::{
    io::Write,
    process::{Child, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::world::World;

/// The output of the program, and its exit code.
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
        Self { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
    }
}

/// Starts the program in the project.
pub(crate) fn begin(world: &World, args: &[&str]) -> Child {
    let mut command = world.command(args);
    command.current_dir(world.project.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program runs")
}

pub(crate) fn finish(child: Child) -> Ran {
    child.wait_with_output().expect("the program ends").into()
}

/// Runs the program in the project, with this text on its stdin.
pub(crate) fn run_with(world: &World, args: &[&str], stdin: &[u8]) -> Ran {
    let mut child = begin(world, args);
    // The program may end without reading its stdin.
    let _ = child.stdin.take().expect("stdin is piped").write_all(stdin);
    finish(child)
}

pub(crate) fn run(world: &World, args: &[&str]) -> Ran {
    run_with(world, args, b"")
}

pub(crate) fn interrupt(child: &Child) {
    kill_process(pid_of(child), Signal::INT).expect("it is ours");
}

pub(crate) fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

pub(crate) fn fake(steps: Value) -> String {
    format!("FAKE{steps}")
}
