//! The steps of a script.
//!
//! | step | effect |
//! |---|---|
//! | `{"say": text}` | a message |
//! | `{"reply": word}`, `{"recall": true}` | a message that the session keeps, and the one that it has kept |
//! | `{"command": {"cmd", "output", "exit"}}` | the events of a command; nothing is run |
//! | `{"run": command}` | runs it in a shell, in a session of its own, with the events of a command; in a sandbox it is not permitted |
//! | `{"write": {"path", "text"}}` | writes a file, with the events of a file change |
//! | `{"create": {"path", "text"}}` | the same, if the sandbox lets it |
//! | `{"usage": {…}}` | fields for the usage at the end, in the words of Codex |
//! | `{"error": message}` | something went wrong, and the turn goes on |
//! | `{"fail": message}` | the model's failure, which ends the run (Codex: `turn.failed`, exit code 1) |
//! | `{"exit": code}` | the end, at once |
//! | `{"kill_self": signal}` | the end, by this signal's number |
//! | `{"hang": true}` | silence, for ten minutes at most |
//! | `{"sleep": seconds}` | a pause |
//! | `{"ignore": ["INT", "TERM", …]}` | these signals do nothing from now on |
//! | `{"child": {…}}` | a sleeping child, which lives for `seconds`, writes its pid into `pid_file`, and hides as below |
//! | `{"raw": line}`, `{"stderr": line}` | a line as it is |
//! | `{"raw_bytes": {"byte", "count", "newline"}}` | one byte many times on stdout |
//! | `{"flood": {"lines", "length", "stream", "json"}}` | many lines, as fast as they are read, with `json` each a message; with `event` instead of `length`, each is that event, or all events of that list |
//! | `{"await_cgroup": seconds}` | a pause until it is in a control group of its own, so long at most |
//! | `{"await_file": path}` | a pause until there is such a file, for ten minutes at most |
//! | `{"close_stdout": true}` | the reader of stdout sees its end |
//! | `{"print_env": path}`, `{"print_args": path}` | what the agent was started with, one a line |
//!
//! At the end of the list come the agent's last event and exit code 0 (Codex: `turn.completed`). What the events look like
//! is up to the [dialect](super::dialect).
//!
//! The ways in which a child hides, each of them `true`, and any of them together:
//!
//! | way | effect |
//! |---|---|
//! | `setsid`, `own_group` | it is in a session, or in a process group, of its own |
//! | `double_fork` | its parent has ended |
//! | `ignore_int`, `ignore_term` | these signals do nothing |
//! | `stopped` | it stops itself (SIGSTOP), once its pid file is there |
//! | `hold_pipe` | it keeps the agent's stdout and stderr |
//! | `clear_env` | it has no environment |
//! | `fork_chain` | it starts a successor and exits, which does the same, as fast as it can |
//! | `fork_storm` | it starts children as fast as it can, and those others, up to `count` (200 at most) |
//!
//! What forks also has a `mark`, by which it is found: see [`swarm`](super::swarm).

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

/// The longest silence, so that a test that fails leaves nothing for ever.
pub(crate) const HANG_TIME: Duration = Duration::from_secs(600);

/// An agent is moved into its control group beside its first steps.
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
    /// The model failed, and this would be the exit code.
    Failed(u8),
    /// The agent is to exit, at once.
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
    /// Plays the script in `prompt`, with the events around it.
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
            // Whoever closed it has told the end.
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

    /// [`PlayResult::Completed`] means that the script goes on.
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
            _ => return Err(FakeAgentError::Script(format!("no step is called {name:?}"))),
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

    /// What a file is going to be.
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
        let piece = vec![number(&value["byte"])?; count.min(64 * 1024)];
        let mut left = count;
        while left > 0 {
            let now = left.min(piece.len());
            self.output.bytes(&piece[..now])?;
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
            Some(other) => return Err(FakeAgentError::Script(format!("no stream is called {other:?}"))),
        };
        let mut stream = BufWriter::with_capacity(64 * 1024, stream);
        for _ in 0..number::<u64>(&value["lines"])? {
            writeln!(stream, "{line}")?;
        }
        Ok(stream.flush()?)
    }
}

fn text(value: &Value) -> Result<&str, FakeAgentError> {
    value.as_str().ok_or_else(|| FakeAgentError::Script(format!("{value} is not a text")))
}

fn number<N: TryFrom<i64>>(value: &Value) -> Result<N, FakeAgentError> {
    let number = value.as_i64().and_then(|number| N::try_from(number).ok());
    number.ok_or_else(|| FakeAgentError::Script(format!("{value} is not a number that fits here")))
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
