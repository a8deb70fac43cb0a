//! `logs`: prints the log or the timeline of a task, and follows it.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;

use super::{
    context::{Context, local_time, refused},
    exit::Exit,
    interrupts::Interrupts,
    lists::resolve_here,
    output::{error_text, is_stdout_closed, print_bytes, print_styled, print_text, reader_gone},
    time::since,
};
use crate::{
    broker::{Broker, FollowedTask, Refusal, TaskEvents, TaskLog, TaskUpdate},
    follower::LogEnd,
    present::{
        json_output::Output,
        terminal::{self, Screen},
    },
    store::{LogStart, time_of},
    task::{TaskId, TimelineEntry},
};

/// The number of lines that `--follow` prints first by default.
const DEFAULT_FOLLOWED_LINES: usize = 10;

const EXAMPLES: &str = "\
Examples:
  codex-connector logs 1a2b              the whole log
  codex-connector logs -f @1             the last 10 lines, and new ones until the task ends
  codex-connector logs 1a2b --since 10m
  codex-connector logs -f @1 --events    each step of the agent as one line
  codex-connector logs 1a2b --events --json | jq -r 'select(.kind == \"command_started\").event.command'

On a terminal, times are local; otherwise they are UTC. Ctrl-C only stops the output, not the task. In a pipe, the
columns of --events are: time, kind, text.";

/// The arguments of `logs`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The task: the beginning of its ID, or @1 for the newest one
    #[arg(value_name = "ID")]
    id: String,
    /// Count @N in all repositories, not only in this one
    #[arg(short, long)]
    all: bool,
    /// Print new lines until the task ends
    #[arg(short, long)]
    follow: bool,
    /// Begin with this many of the last lines (with --follow: 10 by default)
    #[arg(short = 'n', long, value_name = "NUMBER")]
    lines: Option<usize>,
    /// Only what was written within this time, e.g. 10m, or since a time such as 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME", value_parser = since, conflicts_with = "lines")]
    since: Option<DateTime<Utc>>,
    /// Print the bytes of the log unchanged (on a terminal, unsafe characters are still escaped)
    #[arg(long, conflicts_with_all = ["events", "json"])]
    raw: bool,
    /// Print the timeline: each step of the task and its agent as one line
    #[arg(long)]
    events: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

/// How lines are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text(Screen),
    Raw,
    Json,
}

/// The text to print.
enum Source {
    Log(TaskLog),
    Events { events: TaskEvents, last: Option<usize>, since: Option<DateTime<Utc>> },
}

/// Prints a log or a timeline.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    let format = match (arguments.json, arguments.raw && !screen.is_terminal()) {
        (true, _) => Format::Json,
        (false, true) => Format::Raw,
        (false, false) => Format::Text(screen),
    };
    context.run(async |broker| {
        let fail = |refusal| refused(&broker, &refusal);
        let id = resolve_here(&broker, &arguments.id, arguments.all).await?;
        let printer = Printer { id: id.clone(), format };
        // Before anything is printed: from then on, a person may press Ctrl-C.
        let interrupts = arguments.follow.then(Interrupts::watched).transpose()?;
        let source = Source::of(&broker, &id, &arguments).await.map_err(fail)?;
        let printed = match interrupts {
            Some(interrupts) => follow(broker.follow(&id), source, &printer, interrupts).await,
            None => print_all(source, &printer).await,
        };
        printed.map_err(fail)
    })
}

/// Prints the existing lines.
async fn print_all(mut source: Source, printer: &Printer) -> Result<Exit, Refusal> {
    loop {
        match source.print(printer, LogEnd::Closed).await? {
            Printed::Everything => return Ok(Exit::Completed),
            Printed::Some => {}
            Printed::Failed(exit) => return Ok(exit),
        }
    }
}

/// Prints the existing lines, and new ones until the task ends, the output is closed, or Ctrl-C is pressed.
async fn follow(
    mut task: FollowedTask,
    mut source: Source,
    printer: &Printer,
    mut interrupts: Interrupts,
) -> Result<Exit, Refusal> {
    let mut end = LogEnd::Open;
    let mut unread = std::pin::pin!(reader_gone());
    loop {
        match source.print(printer, end).await? {
            Printed::Some => continue,
            Printed::Failed(exit) => return Ok(exit),
            Printed::Everything if end == LogEnd::Closed => return Ok(Exit::Completed),
            Printed::Everything => {}
        }
        tokio::select! {
            () = source.changed() => {}
            update = task.next() => {
                if let TaskUpdate::Ended(_) = update? {
                    end = LogEnd::Closed;
                }
            }
            () = interrupts.next() => {
                if printer.is_on_terminal() {
                    // The terminal shows `^C`; the next prompt goes below it.
                    error_text("");
                }
                return Ok(Exit::Completed);
            }
            () = &mut unread => return Ok(Exit::Completed),
        }
    }
}

/// How much [`Source::print`] printed.
enum Printed {
    /// Everything that there is now.
    Everything,
    /// Some of it.
    Some,
    /// The output is closed or cannot be written.
    Failed(Exit),
}

impl Source {
    async fn of(broker: &Broker, id: &TaskId, arguments: &Arguments) -> Result<Self, Refusal> {
        let last = arguments
            .lines
            .or_else(|| (arguments.follow && arguments.since.is_none()).then_some(DEFAULT_FOLLOWED_LINES));
        if arguments.events {
            let events = broker.events(id).await?;
            return Ok(Self::Events { events, last, since: arguments.since });
        }
        let start = match (arguments.since, last) {
            (Some(time), _) => LogStart::Since(time),
            (None, Some(count)) => LogStart::Last(count),
            (None, None) => LogStart::Beginning,
        };
        Ok(Self::Log(broker.log(id, start).await?))
    }

    /// Waits until there may be more, for at most a second.
    async fn changed(&self) {
        match self {
            Self::Log(log) => log.changed().await,
            Self::Events { events, .. } => events.changed().await,
        }
    }

    /// Prints the new lines.
    async fn print(&mut self, printer: &Printer, end: LogEnd) -> Result<Printed, Refusal> {
        let (exit, has_more) = match self {
            Self::Log(log) => {
                let read = log.read(end).await?;
                (printer.lines(&read.lines), read.has_more)
            }
            Self::Events { events, last, since } => {
                let read = events.read().await?;
                let (mut entries, mut has_more) = (read.entries, read.has_more);
                // The timeline is bounded, so all of it can be read to find its last entries.
                while has_more && last.is_some() {
                    let read = events.read().await?;
                    entries.extend(read.entries);
                    has_more = read.has_more;
                }
                if let Some(last) = last.take() {
                    entries.drain(..entries.len().saturating_sub(last));
                }
                entries.retain(|entry| since.is_none_or(|since| entry.at >= since));
                (printer.entries(&entries), has_more)
            }
        };
        Ok(match (exit, has_more) {
            (Exit::Completed, _) if is_stdout_closed() => Printed::Failed(Exit::Completed),
            (Exit::Completed, true) => Printed::Some,
            (Exit::Completed, false) => Printed::Everything,
            (failed, _) => Printed::Failed(failed),
        })
    }
}

/// Prints lines and entries of one task.
struct Printer {
    id: TaskId,
    format: Format,
}

impl Printer {
    fn is_on_terminal(&self) -> bool {
        matches!(self.format, Format::Text(screen) if screen.is_terminal())
    }

    fn lines(&self, lines: &[Vec<u8>]) -> Exit {
        let each = |line: &dyn Fn(&[u8]) -> String| lines.iter().map(|text| line(text)).collect::<String>();
        match self.format {
            Format::Text(screen) => {
                print_styled(&each(&|line| terminal::log_line(line, time_of(line), screen, local_time)))
            }
            Format::Raw => print_bytes(&terminal::raw_lines(lines)),
            Format::Json => print_text(&each(&|line| Output::log_line(&self.id, time_of(line), line).line())),
        }
    }

    fn entries(&self, entries: &[TimelineEntry]) -> Exit {
        let each = |line: &dyn Fn(&TimelineEntry) -> String| entries.iter().map(line).collect::<String>();
        match self.format {
            Format::Text(screen) => print_styled(&each(&|entry| terminal::event_line(entry, screen, local_time))),
            Format::Raw | Format::Json => print_text(&each(&|entry| Output::event(&self.id, entry).line())),
        }
    }
}
