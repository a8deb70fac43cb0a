//! Follows a new task to its end: on a terminal with a redrawn line, otherwise with plain lines or JSON Lines.

use std::{
    io::{self, IsTerminal, Stderr},
    pin::pin,
    time::Duration,
};

use chrono::Utc;
use tokio::{task::JoinHandle, time::timeout};

use super::{
    context::{Context, refused},
    exit::Exit,
    final_message::{MessageEnd, print_final_message},
    interrupts::Interrupts,
    live_area::{LiveArea, Redraw, Size},
    output::{error_text, print_line, print_text, write_error},
    task_options::RunMode,
};
use crate::{
    broker::{Broker, Cancelled, NewTask, Refusal, TaskNews},
    present::{
        json_output::Output,
        terminal::{self, Screen},
        terminal_refusals,
    },
    task::{LiveTask, ResultText, TaskId, TaskSummary, TimelineEntry, TimelineEvent, TreeUse},
};

/// How long the second Ctrl-C waits for the ID of a task that is being submitted.
const SUBMIT_GRACE: Duration = Duration::from_secs(1);

/// Submits the task, and follows it unless it is detached.
pub(super) async fn run_task(
    context: &Context<'_>,
    broker: &Broker,
    task: NewTask,
    mode: RunMode,
) -> Result<Exit, Exit> {
    let tree = broker.tree_use(&task);
    let mut interrupts = Interrupts::watched()?;
    let (id, was_interrupted) = submit(broker, task, &mut interrupts).await?;
    let summary = broker.summary(&id).await.map_err(|refusal| refused(broker, &refusal))?;
    if mode.is_json {
        print_line(&Output::started(&summary, Utc::now()).line())?;
    }
    if mode.is_detached && !was_interrupted {
        return Ok(announce(&id, mode));
    }
    let mut view = RunView::new(context, summary, mode)?;
    view.begin(tree);
    let mut followed = broker.follow_from_start(&id);
    let mut is_cancelled = was_interrupted;
    let mut cancelling = is_cancelled.then(|| cancel(broker, &id));
    let record = loop {
        tokio::select! {
            news = followed.next_entries() => match news {
                Ok(TaskNews::Entries(entries)) => view.show(&entries)?,
                Ok(TaskNews::Ended(record)) => break *record,
                Err(refusal) => {
                    view.leave();
                    return Err(refused(broker, &refusal));
                }
            },
            () = interrupts.next() => {
                if is_cancelled {
                    view.leave();
                    // The first request may not have been written yet.
                    broker.request_cancel(&id).await.map_err(|refusal| refused(broker, &refusal))?;
                    return Ok(Exit::Cancelled);
                }
                view.note(&terminal_refusals::cancelling(Some(&id)));
                is_cancelled = true;
                cancelling = Some(cancel(broker, &id));
            }
            failed = failure(&mut cancelling) => {
                view.leave();
                return Err(refused(broker, &failed));
            }
            () = view.redraw_due() => view.draw(),
        }
    };
    let exit = if is_cancelled { Exit::Cancelled } else { Exit::of_task(&record) };
    let result = broker.result(&record).await.ok().flatten();
    view.task.end(record);
    view.end(broker, result.as_ref()).await.map(|()| exit)
}

/// Submits the task, even if Ctrl-C is pressed meanwhile; returns whether it was. The second Ctrl-C leaves at once.
async fn submit(broker: &Broker, task: NewTask, interrupts: &mut Interrupts) -> Result<(TaskId, bool), Exit> {
    let mut submitting = pin!(broker.submit(task));
    let mut was_interrupted = false;
    loop {
        tokio::select! {
            id = &mut submitting => {
                return id.map(|id| (id, was_interrupted)).map_err(|refusal| refused(broker, &refusal));
            }
            () = interrupts.next() => {
                if was_interrupted {
                    // The task may exist already, and would be interrupted instead of cancelled.
                    if let Ok(Ok(id)) = timeout(SUBMIT_GRACE, submitting).await {
                        broker.request_cancel(&id).await.map_err(|refusal| refused(broker, &refusal))?;
                    }
                    return Err(Exit::Cancelled);
                }
                was_interrupted = true;
                error_text(&terminal_refusals::cancelling(None));
            }
        }
    }
}

/// Prints the ID of a detached task.
fn announce(id: &TaskId, mode: RunMode) -> Exit {
    let exit = if mode.is_json { Exit::Completed } else { print_text(&format!("{id}\n")) };
    if io::stderr().is_terminal() {
        error_text(&terminal_refusals::runs_in_background(id));
    }
    exit
}

fn cancel(broker: &Broker, id: &TaskId) -> JoinHandle<Result<Cancelled, Refusal>> {
    let (broker, id) = (broker.clone(), id.clone());
    tokio::spawn(async move { broker.cancel(&id).await })
}

/// Waits until cancelling fails. If it succeeds, the task's end is reported by its follower.
async fn failure(cancelling: &mut Option<JoinHandle<Result<Cancelled, Refusal>>>) -> Refusal {
    if let Some(handle) = cancelling {
        let done = handle.await;
        *cancelling = None;
        if let Ok(Err(refusal)) = done {
            return refusal;
        }
    }
    std::future::pending().await
}

/// The output about the task, for a person or a program.
struct RunView {
    task: LiveTask,
    display: Display,
    /// The screen that stdout is, for the result.
    result_screen: Screen,
    /// The agent's newest message, which is not shown yet: if it is the result, it would be shown twice.
    held: Option<String>,
}

enum Display {
    /// Stderr is a terminal.
    Live { area: LiveArea<Stderr>, redraw: Redraw, screen: Screen },
    /// One line per step on stderr.
    Lines { screen: Screen },
    /// One JSON object per event on stdout.
    Json,
}

impl RunView {
    fn new(context: &Context<'_>, summary: TaskSummary, mode: RunMode) -> Result<Self, Exit> {
        let screen = context.error_screen();
        let display = match mode.is_json {
            true => Display::Json,
            false if screen.is_terminal() && context.can_redraw() => {
                let redraw = Redraw::new().map_err(|_| Exit::Failed)?;
                Display::Live { area: LiveArea::new(io::stderr()), redraw, screen }
            }
            false => Display::Lines { screen: Screen { width: None, ..screen } },
        };
        Ok(Self { task: LiveTask::new(summary), display, result_screen: context.screen(), held: None })
    }

    fn begin(&mut self, tree: TreeUse) {
        match &self.display {
            Display::Live { screen, .. } => {
                let screen = resized(*screen);
                write_error(&(terminal::begin_line(&self.task.summary, tree, screen) + "\n"));
                self.draw();
            }
            Display::Lines { .. } | Display::Json => {}
        }
    }

    /// Shows new entries.
    fn show(&mut self, entries: &[TimelineEntry]) -> Result<(), Exit> {
        let id = self.task.summary.record.id.clone();
        for entry in entries {
            self.task.apply(entry);
            match &mut self.display {
                Display::Json => print_line(&Output::event(&id, entry).line())?,
                Display::Lines { screen } => {
                    if let Some(line) = terminal::step_line(&id, entry, *screen) {
                        write_error(&line);
                    }
                }
                Display::Live { redraw, screen, .. } => {
                    redraw.request();
                    let screen = resized(*screen);
                    let (message, remark) = match &entry.event {
                        TimelineEvent::Message { text } => (self.held.replace(text.clone()), None),
                        TimelineEvent::Usage { .. }
                        | TimelineEvent::Session { .. }
                        | TimelineEvent::Changes { .. }
                        | TimelineEvent::Ended { .. } => (None, None),
                        event => (self.held.take(), terminal::remark(event, screen)),
                    };
                    let mut above = message.map_or(String::new(), |text| terminal::agent_words(&text, screen));
                    above.extend(remark.map(|line| line + "\n"));
                    self.print_above(&above);
                }
            }
        }
        Ok(())
    }

    /// Prints one of our own sentences.
    fn note(&mut self, text: &str) {
        match &self.display {
            Display::Live { .. } => self.print_above(&format!("{text}\n")),
            Display::Lines { .. } | Display::Json => error_text(text),
        }
    }

    fn print_above(&mut self, text: &str) {
        if let Display::Live { area, .. } = &mut self.display
            && !text.is_empty()
        {
            // A terminal that is gone ends this process with a signal.
            let _ = area.print_above(text, Size::of(io::stderr()));
        }
    }

    fn draw(&mut self) {
        if let Display::Live { area, screen, .. } = &mut self.display {
            let line = terminal::live_line(&self.task, resized(*screen), Utc::now());
            let _ = area.draw(vec![line], Size::of(io::stderr()));
        }
    }

    async fn redraw_due(&mut self) {
        match &mut self.display {
            Display::Live { redraw, .. } => redraw.next().await,
            Display::Lines { .. } | Display::Json => std::future::pending().await,
        }
    }

    /// Leaves the terminal in order.
    fn leave(&mut self) {
        if let Display::Live { area, .. } = &mut self.display {
            let _ = area.clear(Size::of(io::stderr()));
        }
    }

    /// Prints the end of the task and its result.
    async fn end(&mut self, broker: &Broker, result: Option<&ResultText>) -> Result<(), Exit> {
        let now = Utc::now();
        match &self.display {
            Display::Json => {
                return print_line(&Output::ended(&self.task.summary, result, now).line());
            }
            Display::Lines { screen } => {
                write_error(&terminal::end_row(&self.task.summary, *screen));
                write_error(&terminal::explanation_lines(&self.task.summary.record, *screen));
            }
            Display::Live { screen, .. } => {
                let screen = resized(*screen);
                let is_shown_below = self.result_screen.is_terminal();
                if let Some(message) = self.held.take()
                    && !(is_shown_below && result.is_some_and(|result| terminal::repeats(&message, result)))
                {
                    self.print_above(&terminal::agent_words(&message, screen));
                }
                self.leave();
                write_error(&terminal::end_lines(&self.task, screen, now));
                if result.is_some() && is_shown_below {
                    write_error("\n");
                }
            }
        }
        print_final_message(broker, &self.task.summary.record, self.result_screen, MessageEnd::Newline).await.map(drop)
    }
}

/// The screen with the present width of the terminal on stderr.
fn resized(screen: Screen) -> Screen {
    Screen { width: Some(Size::of(io::stderr()).columns), ..screen }
}
