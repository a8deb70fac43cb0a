//! The steps of a script.
//!
//! | step | effect |
//! |---|---|
//! | `{"say": text}` | a message |
//! | `{"reply": word}`, `{"recall": true}` | a message that the session remembers; the message that it remembers |
//! | `{"command": {"cmd", "output", "exit"}}` | the events of a command, without running one |
//! | `{"run": command}` | runs it in a shell in its own session, with the events of a command; fails in a sandbox |
//! | `{"write": {"path", "text"}}` | writes a file, with the events of a file change |
//! | `{"create": {"path", "text"}}` | the same, if the sandbox allows it |
//! | `{"usage": {…}}` | fields for the usage at the end, with Codex's names |
//! | `{"error": message}` | an error, after which the turn continues |
//! | `{"fail": message}` | a failure of the model, which ends the run (Codex: `turn.failed`, exit code 1) |
//! | `{"exit": code}` | exits immediately |
//! | `{"kill_self": signal}` | kills itself with the signal of this number |
//! | `{"hang": true}` | silence, for at most ten minutes |
//! | `{"sleep": seconds}` | a pause |
//! | `{"ignore": ["INT", "TERM", …]}` | ignores these signals from now on |
//! | `{"child": {…}}` | a sleeping child, which lives for `seconds`, writes its PID to `pid_file`, and hides as described below |
//! | `{"raw": line}`, `{"stderr": line}` | this exact line |
//! | `{"raw_bytes": {"byte", "count", "newline"}}` | one byte, repeated, on stdout |
//! | `{"flood": {"lines", "length", "stream", "json"}}` | many lines, as fast as they are read; with `json`, each is a message; with `event` instead of `length`, each is that event |
//! | `{"await_cgroup": seconds}` | a pause until the agent is in its own cgroup, up to this limit |
//! | `{"await_file": path}` | a pause until this file exists, for at most ten minutes |
//! | `{"close_stdout": true}` | closes stdout |
//! | `{"print_env": path}`, `{"print_args": path}` | writes the agent's environment or arguments to a file, one per line |
//!
//! After the last step, the agent prints its final event (Codex: `turn.completed`) and exits with 0. The
//! [dialect](super::dialect) determines the form of the events.
//!
//! A child can hide in these ways. Set each one to `true`; they can be combined:
//!
//! | way | effect |
//! |---|---|
//! | `setsid`, `own_group` | it has its own session or process group |
//! | `double_fork` | its parent has ended |
//! | `ignore_int`, `ignore_term` | it ignores these signals |
//! | `stopped` | it stops itself (SIGSTOP) after writing its PID file |
//! | `hold_pipe` | it keeps the agent's stdout and stderr open |
//! | `clear_env` | its environment is empty |
//! | `fork_chain` | it starts a successor and exits; the successor does the same, as fast as possible |
//! | `fork_storm` | it starts children as fast as possible, which start more, up to `count` (at most 200) |
//!
//! A child that forks also needs a `mark`, by which its members are found: see [`swarm`](super::swarm).

use std::{
    env,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Signal, getpid, kill_process};
use serde_json::Value;

use super::{
    FakeAgentError,
    call::{Invocation, SandboxLevel},
    child, command,
    dialect::{Dialect, EditKind, FileEdit, FinishedCommand, TokenCounts},
    interrupt::Children,
    output::{self, Output, OutputLine},
    script,
    sessions::SessionMemory,
};

/// The maximum silence, so that a failing test leaves no process behind forever.
pub(crate) const HANG_TIME: Duration = Duration::from_secs(600);

/// Waits for the cgroup, because the agent is moved into it while it plays its first steps.
fn await_cgroup(seconds: &Value) {
    let until = Instant::now() + Duration::from_secs_f64(seconds.as_f64().unwrap_or(1.0).clamp(0.0, 60.0));
    let is_there = || fs::read_to_string("/proc/self/cgroup").is_ok_and(|groups| groups.contains("/codex-connector-"));
    while !is_there() && Instant::now() < until {
        thread::sleep(Duration::from_millis(2));
    }
}

fn await_file(path: &str) {
    let until = Instant::now() + HANG_TIME;
    while !Path::new(path).exists() && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
}

/// How a script ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PlayResult {
    Completed,
    /// The model failed; this is the exit code of a run.
    Failed(u8),
    /// The agent must exit immediately.
    Exit(u8),
}

/// Plays one script.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) dialect: Box<dyn Dialect>,
    pub(crate) output: Output,
    pub(crate) children: Children,
    pub(crate) memory: SessionMemory,
    pub(crate) call: Invocation,
    pub(crate) usage: TokenCounts,
}

impl Player {
    /// Plays the script in `prompt`, including the first and the last events of a run.
    pub(crate) fn play(mut self, prompt: &str) -> Result<PlayResult, FakeAgentError> {
        let steps = script::steps(prompt)?;
        if let Some(model) = self.call.unknown_model() {
            let failure = self.dialect.unknown_model(model, prompt);
            self.output.close_with(&failure.lines)?;
            return Ok(PlayResult::Failed(failure.code));
        }
        let begun = self.dialect.begin(prompt);
        self.output.lines(&begun)?;
        for step in &steps {
            // The stream was closed elsewhere, with the final event.
            if self.output.is_closed() {
                return Ok(PlayResult::Completed);
            }
            match self.named_step(step)? {
                PlayResult::Completed => {}
                ending @ (PlayResult::Failed(_) | PlayResult::Exit(_)) => return Ok(ending),
            }
        }
        let end = self.dialect.end(&self.usage);
        self.output.close_with(&end)?;
        Ok(PlayResult::Completed)
    }

    fn named_step(&mut self, step: &Value) -> Result<PlayResult, FakeAgentError> {
        let fields = step.as_object().filter(|fields| fields.len() == 1);
        match fields.and_then(|fields| fields.iter().next()) {
            Some((name, value)) => self.step(name, value),
            None => Err(FakeAgentError::Script(format!("{step} is not a step"))),
        }
    }

    /// Plays one step. [`PlayResult::Completed`] means that the script continues.
    fn step(&mut self, name: &str, value: &Value) -> Result<PlayResult, FakeAgentError> {
        match name {
            "say" => self.say(text(value)?)?,
            "reply" => {
                self.memory.keep(text(value)?)?;
                self.say(text(value)?)?;
            }
            "recall" => {
                let word = self.memory.word().unwrap_or("none").to_owned();
                self.say(&word)?;
            }
            "command" => {
                let ran = FinishedCommand {
                    command: text(&value["cmd"])?.to_owned(),
                    output: value["output"].as_str().unwrap_or_default().to_owned(),
                    exit: value["exit"].as_i64().unwrap_or(0),
                };
                self.emit(|dialect| dialect.command_begins(&ran.command))?;
                self.emit(|dialect| dialect.command_ends(&ran))?;
            }
            "run" => {
                let line = text(value)?;
                self.emit(|dialect| dialect.command_begins(line))?;
                let (output, exit) = match self.call.sandbox {
                    SandboxLevel::Full => command::run(line, &self.children)?,
                    SandboxLevel::ReadOnly | SandboxLevel::WorkspaceWrite => {
                        ("not permitted in this sandbox".to_owned(), 126)
                    }
                };
                self.emit(|dialect| dialect.command_ends(&FinishedCommand { command: line.to_owned(), output, exit }))?;
            }
            "write" => {
                let file = self.file(value)?;
                fs::write(&file.path, &file.text)?;
                self.changed(file)?;
            }
            "create" => {
                let mut file = self.file(value)?;
                let is_allowed = self.call.sandbox.allows(Path::new(&file.path), &env::current_dir()?);
                if !is_allowed || fs::write(&file.path, &file.text).is_err() {
                    file.what = EditKind::Denied;
                }
                self.changed(file)?;
            }
            "usage" => self.usage.add(value),
            "error" => {
                let message = text(value)?;
                self.emit(|dialect| dialect.error(message))?;
            }
            "fail" => {
                let failure = self.dialect.fail(text(value)?);
                self.output.close_with(&failure.lines)?;
                return Ok(PlayResult::Failed(failure.code));
            }
            "exit" => return number(value).map(PlayResult::Exit),
            "kill_self" => {
                let number: i32 = number(value)?;
                let signal =
                    Signal::from_named_raw(number).ok_or_else(|| FakeAgentError::Script(format!("signal {number}")))?;
                kill_process(getpid(), signal)?;
                thread::sleep(HANG_TIME);
            }
            "hang" => thread::sleep(HANG_TIME),
            "sleep" => thread::sleep(Duration::from_secs_f64(value.as_f64().unwrap_or(0.0).max(0.0))),
            "ignore" => {
                value.as_array().into_iter().flatten().try_for_each(|signal| self.children.ignore(text(signal)?))?
            }
            "child" => child::start(value, &self.children)?,
            "raw" => self.output.bytes(format!("{}\n", text(value)?).as_bytes())?,
            "stderr" => output::print_error(text(value)?),
            "raw_bytes" => self.raw_bytes(value)?,
            "flood" => self.flood(value)?,
            "await_cgroup" => await_cgroup(value),
            "await_file" => await_file(text(value)?),
            "close_stdout" => rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?,
            "print_env" => {
                let lines = env::vars_os().map(|(name, value)| format!("{}={}\n", name.display(), value.display()));
                fs::write(text(value)?, lines.collect::<String>())?;
            }
            "print_args" => {
                fs::write(
                    text(value)?,
                    env::args_os().skip(1).map(|arg| format!("{}\n", arg.display())).collect::<String>(),
                )?;
            }
            _ => return Err(FakeAgentError::Script(format!("unknown step {name:?}"))),
        }
        Ok(PlayResult::Completed)
    }

    fn say(&mut self, text: &str) -> Result<(), FakeAgentError> {
        self.emit(|dialect| dialect.say(text))
    }

    fn emit(&mut self, lines: impl FnOnce(&mut dyn Dialect) -> Vec<OutputLine>) -> Result<(), FakeAgentError> {
        let lines = lines(self.dialect.as_mut());
        Ok(self.output.lines(&lines)?)
    }

    /// The file that a step is about to write.
    fn file(&self, value: &Value) -> Result<FileEdit, FakeAgentError> {
        let path = env::current_dir()?.join(text(&value["path"])?);
        let what = if path.exists() { EditKind::Updated } else { EditKind::Added };
        Ok(FileEdit { path: path.to_string_lossy().into_owned(), text: text(&value["text"])?.to_owned(), what })
    }

    fn changed(&mut self, mut file: FileEdit) -> Result<(), FakeAgentError> {
        if let Ok(path) = Path::new(&file.path).canonicalize() {
            file.path = path.to_string_lossy().into_owned();
        }
        self.emit(|dialect| dialect.file(&file))
    }

    fn raw_bytes(&self, value: &Value) -> Result<(), FakeAgentError> {
        let count: usize = number(&value["count"])?;
        let chunk = vec![number(&value["byte"])?; count.min(64 * 1024)];
        let mut left = count;
        while left > 0 {
            let now = left.min(chunk.len());
            self.output.bytes(&chunk[..now])?;
            left -= now;
        }
        if value["newline"] == true {
            self.output.bytes(b"\n")?;
        }
        Ok(())
    }

    fn flood(&mut self, value: &Value) -> Result<(), FakeAgentError> {
        let mut line = match value.get("event") {
            Some(Value::Array(events)) => events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"),
            Some(event) => event.to_string(),
            None => "x".repeat(number(&value["length"])?),
        };
        if value["json"] == true {
            let lines = self.dialect.say(&line).into_iter().map(|line| match line {
                OutputLine::Out(text) | OutputLine::Err(text) => text,
            });
            line = lines.collect::<Vec<_>>().join("\n");
        }
        let stream: Box<dyn Write> = match value["stream"].as_str() {
            Some("stderr") => Box::new(io::stderr().lock()),
            Some("stdout") | None => Box::new(io::stdout().lock()),
            Some(other) => return Err(FakeAgentError::Script(format!("unknown stream {other:?}"))),
        };
        let mut stream = BufWriter::with_capacity(64 * 1024, stream);
        for _ in 0..number::<u64>(&value["lines"])? {
            writeln!(stream, "{line}")?;
        }
        Ok(stream.flush()?)
    }
}

fn text(value: &Value) -> Result<&str, FakeAgentError> {
    value.as_str().ok_or_else(|| FakeAgentError::Script(format!("{value} is not a string")))
}

fn number<N: TryFrom<i64>>(value: &Value) -> Result<N, FakeAgentError> {
    let number = value.as_i64().and_then(|number| N::try_from(number).ok());
    number.ok_or_else(|| FakeAgentError::Script(format!("{value} is not a number in the expected range")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_out_of_range_is_an_error() {
        assert!(number::<u8>(&json!(256)).is_err());
        assert_eq!(number::<u8>(&json!(255)).expect("it fits"), 255);
    }
}
