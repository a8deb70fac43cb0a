//! `watch`: one live line per task until all of them have ended.

use std::{
    collections::BTreeSet,
    io::{self, Stdout},
    process::ExitCode,
};

use chrono::Utc;
use clap::Args;
use tokio::sync::mpsc;

use super::{
    context::{Context, asker, refused, repository, scope},
    exit::Exit,
    interrupts::Interrupts,
    live_area::{LiveArea, Redraw, Size},
    output::{error_text, print_line},
    unfinished::{resolve_all, unfinished},
};
use crate::{
    broker::{Broker, Refusal, TaskNews},
    present::{
        json_output::Output,
        terminal::{self, Screen},
        terminal_refusals,
    },
    store::ReportedBy,
    task::{LiveTask, TaskId, TimelineEntry},
};

const EXAMPLES: &str = "\
Examples:
  codex-connector watch               all unfinished tasks of this repository
  codex-connector watch @1 1a2b       two tasks
  codex-connector watch --all --json  what happens anywhere, as JSON Lines

On a terminal, each task has one line that is redrawn. In a pipe, each step is a line with the columns ID, time, kind and
text. Ctrl-C only stops watching, with exit code 0. Otherwise, the exit codes are: 0 if all tasks completed, 1 if one
failed, 3 if one was interrupted and none failed, 4 if there is no such task.";

/// The number of updates that may wait to be shown. Followers then wait too.
const MAX_UPDATES: usize = 64;

/// The arguments of `watch`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Tasks: the beginning of an ID, or @1 for the newest one (default: all that have not ended)
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Watch the tasks of all repositories, and count @N in all of them
    #[arg(short, long)]
    all: bool,
    /// Print JSON Lines: each event and each end
    #[arg(long)]
    json: bool,
}

/// Watches tasks.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    context.run(async |broker| {
        let repository = repository(arguments.all)?;
        let scope = scope(repository.as_deref());
        let ids = match arguments.ids.as_slice() {
            [] => unfinished(&broker, &scope).await?,
            words => resolve_all(&broker, words, &scope).await?,
        };
        if ids.is_empty() {
            error_text(&terminal_refusals::no_unfinished_tasks(arguments.all));
            return Ok(Exit::Completed);
        }
        let mut tasks = Vec::new();
        for id in &ids {
            let summary = broker.summary(id).await.map_err(|refusal| refused(&broker, &refusal))?;
            tasks.push(LiveTask::new(summary));
        }
        WatchView::new(context, tasks, arguments.json)?.watch(&broker, &ids).await
    })
}

/// The output about the tasks, for a person or a program.
struct WatchView {
    tasks: Vec<LiveTask>,
    display: Display,
}

enum Display {
    Live { area: LiveArea<Stdout>, redraw: Redraw, screen: Screen },
    Lines { screen: Screen },
    Json,
}

impl WatchView {
    fn new(context: &Context<'_>, tasks: Vec<LiveTask>, is_json: bool) -> Result<Self, Exit> {
        let screen = context.screen();
        let display = match is_json {
            true => Display::Json,
            false if screen.is_terminal() && context.can_redraw() => {
                let redraw = Redraw::new().map_err(|_| Exit::Failed)?;
                Display::Live { area: LiveArea::new(io::stdout()), redraw, screen }
            }
            false => Display::Lines { screen: Screen { width: None, ..screen } },
        };
        Ok(Self { tasks, display })
    }

    /// Shows the tasks until all have ended, or until Ctrl-C.
    async fn watch(mut self, broker: &Broker, ids: &[TaskId]) -> Result<Exit, Exit> {
        let mut interrupts = Interrupts::watched()?;
        let mut news = followed(broker, ids);
        let mut pending: BTreeSet<usize> = (0..ids.len()).collect();
        let mut exit = Exit::Completed;
        self.draw();
        while !pending.is_empty() {
            tokio::select! {
                update = news.recv() => {
                    let Some((at, update)) = update else { break };
                    match update {
                        Ok(TaskNews::Ended(record)) => {
                            exit = exit.combined(Exit::of_task(&record));
                            pending.remove(&at);
                            self.tasks[at].end(*record);
                            self.show_end(broker, at).await?;
                            broker.answered(&asker(), &self.tasks[at].summary.record, ReportedBy::Watch).await;
                        }
                        Ok(TaskNews::Entries(entries)) => {
                            for entry in &entries {
                                self.tasks[at].apply(entry);
                                self.show_step(at, entry)?;
                            }
                        }
                        Err(refusal) => {
                            self.leave();
                            return Err(refused(broker, &refusal));
                        }
                    }
                }
                () = interrupts.next() => {
                    self.leave();
                    return Ok(Exit::Completed);
                }
                () = self.redraw_due() => self.draw(),
            }
        }
        self.leave();
        Ok(exit)
    }

    fn show_step(&mut self, at: usize, entry: &TimelineEntry) -> Result<(), Exit> {
        let id = &self.tasks[at].summary.record.id;
        match &mut self.display {
            Display::Live { redraw, .. } => {
                redraw.request();
                Ok(())
            }
            Display::Lines { screen } => {
                terminal::step_line(id, entry, *screen).map_or(Ok(()), |line| print_line(&line))
            }
            Display::Json => print_line(&Output::event(id, entry).line()),
        }
    }

    async fn show_end(&mut self, broker: &Broker, at: usize) -> Result<(), Exit> {
        let summary = &self.tasks[at].summary;
        match &mut self.display {
            Display::Live { redraw, .. } => {
                redraw.request();
                Ok(())
            }
            Display::Lines { screen } => print_line(&terminal::end_row(summary, *screen)),
            Display::Json => {
                let result = broker.result(&summary.record).await.ok().flatten();
                print_line(&Output::ended(summary, result.as_ref(), Utc::now()).line())
            }
        }
    }

    fn lines(&self, screen: Screen, size: Size) -> Vec<String> {
        let (screen, now) = (Screen { width: Some(size.columns), ..screen }, Utc::now());
        self.tasks.iter().map(|task| terminal::live_line(task, screen, now)).collect()
    }

    fn draw(&mut self) {
        let size = Size::of(io::stdout());
        let lines = match &self.display {
            Display::Live { screen, .. } => self.lines(*screen, size),
            Display::Lines { .. } | Display::Json => return,
        };
        if let Display::Live { area, .. } = &mut self.display {
            // A terminal that is gone ends this process with a signal.
            let _ = area.draw(lines, size);
        }
    }

    async fn redraw_due(&mut self) {
        match &mut self.display {
            Display::Live { redraw, .. } => redraw.next().await,
            Display::Lines { .. } | Display::Json => std::future::pending().await,
        }
    }

    /// Leaves the newest lines on the terminal, with the cursor below them.
    fn leave(&mut self) {
        let size = Size::of(io::stdout());
        let lines = match &self.display {
            Display::Live { screen, .. } => self.lines(*screen, size),
            Display::Lines { .. } | Display::Json => return,
        };
        if let Display::Live { area, .. } = &mut self.display {
            let _ = area.clear(size);
            let _ = area.print_above(&(lines.join("\n") + "\n"), size);
        }
    }
}

/// The news of all tasks, each with the task's position.
fn followed(broker: &Broker, ids: &[TaskId]) -> mpsc::Receiver<(usize, Result<TaskNews, Refusal>)> {
    let (sender, receiver) = mpsc::channel(MAX_UPDATES);
    for (at, id) in ids.iter().enumerate() {
        let (mut task, sender) = (broker.follow(id), sender.clone());
        tokio::spawn(async move {
            loop {
                let news = task.next_entries().await;
                let is_last = !matches!(news, Ok(TaskNews::Entries(_)));
                if sender.send((at, news)).await.is_err() || is_last {
                    return;
                }
            }
        });
    }
    receiver
}
