//! The steps of a script.
//!
//! | step | effect |
//! |---|---|
//! | `{"say": text}` | a message |
//! | `{"command": {"cmd", "output", "exit"}}` | the events of a command; nothing is run |
//! | `{"write": {"path", "text"}}` | writes a file, with the events of a file change |
//! | `{"usage": {…}}` | fields for the usage at the end |
//! | `{"error": message}` | an `error` event, after which the turn goes on |
//! | `{"fail": message}` | `error`, `turn.failed`, exit code 1 |
//! | `{"exit": code}` | the end, at once |
//! | `{"kill_self": signal}` | the end, by this signal's number |
//! | `{"hang": true}` | silence, for ten minutes at most |
//! | `{"sleep": seconds}` | a pause |
//! | `{"ignore": ["INT", "TERM", …]}` | these signals do nothing from now on |
//! | `{"child": {…}}` | a sleeping child, which lives for `seconds`, writes its pid into `pid_file`, and hides as below |
//! | `{"raw": line}`, `{"stderr": line}` | a line as it is |
//! | `{"raw_bytes": {"byte", "count", "newline"}}` | one byte many times on stdout |
//! | `{"flood": {"lines", "length", "stream", "json"}}` | many lines, as fast as they are read; with `event` instead of `length`, each is that event |
//! | `{"await_cgroup": seconds}` | a pause until it is in a control group of its own, so long at most |
//! | `{"await_file": path}` | a pause until there is such a file, for ten minutes at most |
//! | `{"close_stdout": true}` | the reader of stdout sees its end |
//! | `{"print_env": path}`, `{"print_args": path}` | what the agent was started with, one a line |
//!
//! At the end of the list come `turn.completed` and exit code 0.
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
use serde_json::{Value, json};

use super::{Problem, child, interrupt::Children, output, output::Output};

/// The longest silence, so that a test that fails leaves nothing for ever.
const HANG: Duration = Duration::from_secs(600);

/// An agent is moved into its control group beside its first steps.
fn await_cgroup(seconds: &Value) {
    let until = Instant::now() + Duration::from_secs_f64(seconds.as_f64().unwrap_or(1.0).clamp(0.0, 60.0));
    let is_there = || fs::read_to_string("/proc/self/cgroup").is_ok_and(|groups| groups.contains("/codex-connector-"));
    while !is_there() && Instant::now() < until {
        thread::sleep(Duration::from_millis(2));
    }
}

fn await_file(path: &str) {
    let until = Instant::now() + HANG;
    while !Path::new(path).exists() && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
}

/// How a script ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Completed,
    Exit(u8),
}

/// Plays one script.
#[derive(Debug)]
pub(crate) struct Player {
    output: Output,
    children: Children,
    usage: Value,
}

impl Player {
    pub(crate) fn new(output: Output, children: Children) -> Player {
        let usage = json!({
            "input_tokens": 100,
            "cached_input_tokens": 0,
            "cache_write_input_tokens": 0,
            "output_tokens": 10,
            "reasoning_output_tokens": 0,
        });
        Player { output, children, usage }
    }

    /// Plays the script in `prompt`, with the events around it.
    pub(crate) fn play(mut self, prompt: &str) -> Result<Ending, Problem> {
        let steps = script(prompt)?;
        self.output.begin()?;
        for step in &steps {
            if let Ending::Exit(code) = self.named_step(step)? {
                return Ok(Ending::Exit(code));
            }
        }
        self.output.event(&json!({"type": "turn.completed", "usage": self.usage}))?;
        Ok(Ending::Completed)
    }

    fn named_step(&mut self, step: &Value) -> Result<Ending, Problem> {
        let fields = step.as_object().filter(|fields| fields.len() == 1);
        match fields.and_then(|fields| fields.iter().next()) {
            Some((name, value)) => self.step(name, value),
            None => Err(Problem::Script(format!("{step} is not a step"))),
        }
    }

    /// [`Ending::Completed`] means that the script goes on.
    fn step(&mut self, name: &str, value: &Value) -> Result<Ending, Problem> {
        match name {
            "say" => self.output.item(json!({"type": "agent_message", "text": text(value)?}))?,
            "command" => self.command(value)?,
            "write" => self.write(value)?,
            "usage" => self.count(value),
            "error" => self.output.event(&json!({"type": "error", "message": text(value)?}))?,
            "fail" => {
                self.output.event(&json!({"type": "error", "message": text(value)?}))?;
                self.output.event(&json!({"type": "turn.failed", "error": {"message": text(value)?}}))?;
                return Ok(Ending::Exit(1));
            }
            "exit" => return number(value).map(Ending::Exit),
            "kill_self" => {
                let number: i32 = number(value)?;
                let signal =
                    Signal::from_named_raw(number).ok_or_else(|| Problem::Script(format!("signal {number}")))?;
                kill_process(getpid(), signal)?;
                thread::sleep(HANG);
            }
            "hang" => thread::sleep(HANG),
            "sleep" => thread::sleep(Duration::from_secs_f64(value.as_f64().unwrap_or(0.0).max(0.0))),
            "ignore" => {
                value.as_array().into_iter().flatten().try_for_each(|signal| self.children.ignore(text(signal)?))?
            }
            "child" => child::start(value, &self.children)?,
            "raw" => self.output.bytes(format!("{}\n", text(value)?).as_bytes())?,
            "stderr" => output::complain(text(value)?),
            "raw_bytes" => self.raw_bytes(value)?,
            "flood" => flood(value)?,
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
            _ => return Err(Problem::Script(format!("no step is called {name:?}"))),
        }
        Ok(Ending::Completed)
    }

    fn command(&mut self, value: &Value) -> Result<(), Problem> {
        let exit = value["exit"].as_i64().unwrap_or(0);
        let fields = json!({
            "type": "command_execution",
            "command": format!("/bin/bash -lc '{}'", text(&value["cmd"])?),
            "aggregated_output": "",
            "exit_code": null,
            "status": "in_progress",
        });
        let end = json!({
            "aggregated_output": value["output"].as_str().unwrap_or_default(),
            "exit_code": exit,
            "status": if exit == 0 { "completed" } else { "failed" },
        });
        Ok(self.output.item_with_start(fields, end)?)
    }

    fn write(&mut self, value: &Value) -> Result<(), Problem> {
        let path = Path::new(text(&value["path"])?);
        let kind = if path.exists() { "update" } else { "add" };
        fs::write(path, text(&value["text"])?)?;
        let changes = json!([{"path": path.canonicalize()?.to_string_lossy(), "kind": kind}]);
        let fields = json!({"type": "file_change", "changes": changes, "status": "in_progress"});
        Ok(self.output.item_with_start(fields, json!({"status": "completed"}))?)
    }

    fn count(&mut self, value: &Value) {
        if let (Some(usage), Some(fields)) = (self.usage.as_object_mut(), value.as_object()) {
            usage.extend(fields.clone());
        }
    }

    fn raw_bytes(&self, value: &Value) -> Result<(), Problem> {
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
}

/// The list after `FAKE` in `prompt`, or one message. What follows the list is not looked at.
fn script(prompt: &str) -> Result<Vec<Value>, Problem> {
    let Some(mark) = prompt.find("FAKE[") else {
        let beginning: String = prompt.chars().take(80).collect();
        return Ok(vec![json!({"say": format!("ok: {beginning}")})]);
    };
    let mut values = serde_json::Deserializer::from_str(&prompt[mark + 4..]).into_iter::<Vec<Value>>();
    values.next().unwrap_or_else(|| Ok(Vec::new())).map_err(|problem| Problem::Script(problem.to_string()))
}

fn flood(value: &Value) -> Result<(), Problem> {
    let line = match value.get("event") {
        Some(event) => event.to_string(),
        None => "x".repeat(number(&value["length"])?),
    };
    let line = match value["json"] == true {
        true => json!({"type": "item.completed", "item": {"id": "item_f", "type": "agent_message", "text": line}})
            .to_string(),
        false => line,
    };
    let stream: Box<dyn Write> = match value["stream"].as_str() {
        Some("stderr") => Box::new(io::stderr().lock()),
        Some("stdout") | None => Box::new(io::stdout().lock()),
        Some(other) => return Err(Problem::Script(format!("no stream is called {other:?}"))),
    };
    let mut stream = BufWriter::with_capacity(64 * 1024, stream);
    for _ in 0..number::<u64>(&value["lines"])? {
        writeln!(stream, "{line}")?;
    }
    Ok(stream.flush()?)
}

fn text(value: &Value) -> Result<&str, Problem> {
    value.as_str().ok_or_else(|| Problem::Script(format!("{value} is not a text")))
}

fn number<N: TryFrom<i64>>(value: &Value) -> Result<N, Problem> {
    let number = value.as_i64().and_then(|number| N::try_from(number).ok());
    number.ok_or_else(|| Problem::Script(format!("{value} is not a number that fits here")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_without_a_script_is_answered_with_its_beginning() {
        let prompt = "é".repeat(100);
        assert_eq!(
            script(&prompt).expect("no script is no bad script"),
            [json!({"say": format!("ok: {}", "é".repeat(80))})]
        );
    }

    #[test]
    fn a_script_ends_where_its_list_ends() {
        let steps = script(r#"Do FAKE[{"say": "a"}, {"exit": 3}] now"#).expect("a good script");
        assert_eq!(steps, [json!({"say": "a"}), json!({"exit": 3})]);
    }

    #[test]
    fn a_list_that_does_not_parse_is_a_problem() {
        assert!(script("FAKE[broken").is_err());
    }

    #[test]
    fn a_number_out_of_range_is_a_problem() {
        assert!(number::<u8>(&json!(256)).is_err());
        assert_eq!(number::<u8>(&json!(255)).expect("it fits"), 255);
    }
}
