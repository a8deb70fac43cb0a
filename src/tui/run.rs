//! The loop: keys, news and signals change the state; the state says what to read and what to draw.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    future::{Future, pending},
    io,
    path::PathBuf,
};

use chrono::Utc;
use connector_api::BackendName;
use rustix::process::{Signal, kill_current_process_group};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Duration, Instant, sleep_until, timeout},
};

use super::{
    act::Actions,
    draw::draw,
    key::KeyParser,
    load::Loader,
    query::{ListQuery, PaneQuery},
    signals::{Keyboard, Signals, TopEnd, Wake},
    state::{Effect, News, State, Surroundings},
    terminal::Screen,
};
use crate::{
    broker::Broker,
    present::terminal::{LocalTime, Symbols, top},
    process::run_in_foreground,
    store::{Filter, Listener},
    task::TaskId,
};

/// Minimum time between two redraws.
const MIN_REDRAW: Duration = Duration::from_millis(100);

/// How often the screen is redrawn while nothing happens, because of the times on it.
const IDLE_REDRAW: Duration = Duration::from_secs(1);

/// After which time a lone Escape is a key.
const ESCAPE_DELAY: Duration = Duration::from_millis(50);

/// How long it may take until this process is stopped.
const STOP_TIMEOUT: Duration = Duration::from_millis(200);

/// How long to wait for actions at the end. Stopping a task continues without this process, and an operation that is
/// interrupted is finished by the next one.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of news that may wait. Loaders then wait too.
const MAX_NEWS: usize = 64;

/// Everything that the terminal UI needs.
#[derive(Debug)]
pub(crate) struct TopOptions {
    /// The broker.
    pub(crate) broker: Broker,
    /// Selects the tasks of the repository of the current directory.
    pub(crate) here: Filter,
    /// That repository, as a person would write it.
    pub(crate) here_name: String,
    /// Whether to begin with the tasks of all repositories.
    pub(crate) is_everywhere: bool,
    /// The top of the current work tree, if there is one.
    pub(crate) work_tree: Option<PathBuf>,
    /// The symbols that the terminal can show.
    pub(crate) symbols: Symbols,
    /// Whether to use colors.
    pub(crate) has_color: bool,
    /// Converts times to the user's time zone.
    pub(crate) zone: LocalTime,
    /// This program, for commands.
    pub(crate) program: PathBuf,
    /// The flags that commands get too.
    pub(crate) flags: Vec<OsString>,
    /// To whom the end of a cancelled task is reported.
    pub(crate) asker: Listener,
}

/// Shows tasks on the whole terminal until a person quits. Must be called inside a runtime, with a terminal as stdin and
/// stdout. Fails if the terminal cannot be used.
pub(crate) async fn run(options: TopOptions) -> io::Result<TopEnd> {
    let mut signals = Signals::new()?;
    let keyboard = Keyboard::open()?;
    let screen = Screen::enter(options.has_color)?;
    let (sender, news) = mpsc::channel(MAX_NEWS);
    let mut top = Top::new(options, screen, &sender)?;
    let end = use_keys(&mut top, &keyboard, &mut signals, (sender, news)).await;
    top.finish().await;
    end
}

/// Reacts to keys, news and signals until the end.
async fn use_keys(
    top: &mut Top,
    keyboard: &Keyboard,
    signals: &mut Signals,
    (sender, mut news): (mpsc::Sender<News>, mpsc::Receiver<News>),
) -> io::Result<TopEnd> {
    let (mut parser, mut escape_at) = (KeyParser::default(), None::<Instant>);
    loop {
        top.draw_if_due()?;
        let mut bytes = [0; 1024];
        let effects = tokio::select! {
            wake = signals.next() => match wake {
                Wake::End(end) => return Ok(end),
                Wake::Resized => Vec::new(),
                Wake::Continued => {
                    top.needs_redraw = true;
                    Vec::new()
                }
            },
            read = keyboard.read(&mut bytes) => {
                let Ok(count) = read else { return Ok(TopEnd::HungUp) };
                let keys = parser.push(&bytes[..count]);
                escape_at = parser.is_waiting().then(|| Instant::now() + ESCAPE_DELAY);
                keys.into_iter().flat_map(|key| top.state.press(key, Utc::now())).collect()
            }
            () = at(escape_at) => {
                escape_at = None;
                parser.flush().into_iter().flat_map(|key| top.state.press(key, Utc::now())).collect()
            }
            Some(first) = news.recv() => {
                top.state.receive(first);
                while let Ok(more) = news.try_recv() {
                    top.state.receive(more);
                }
                Vec::new()
            }
            () = sleep_until(top.due()) => {
                top.is_changed = true;
                continue;
            }
        };
        top.is_changed = true;
        for effect in effects {
            if effect == Effect::Quit {
                return Ok(TopEnd::Quit);
            }
            if let Some(end) = top.run(effect, keyboard, signals, &sender).await? {
                return Ok(end);
            }
        }
    }
}

/// Waits until this time; forever without one.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// The screen, its state, and the loaders that read for it.
struct Top {
    state: State,
    screen: Screen,
    loader: Loader,
    actions: Actions,
    program: PathBuf,
    flags: Vec<OsString>,
    list: Option<(ListQuery, AbortHandle)>,
    pane: Option<(PaneQuery, AbortHandle)>,
    live: BTreeMap<TaskId, AbortHandle>,
    /// Ends all loaders when it is dropped.
    tasks: JoinSet<()>,
    /// Actions that have begun.
    acting: JoinSet<()>,
    drawn_at: Option<Instant>,
    is_changed: bool,
    /// Whether the terminal may be in any state.
    needs_redraw: bool,
}

impl Top {
    fn new(options: TopOptions, screen: Screen, sender: &mpsc::Sender<News>) -> io::Result<Self> {
        let TopOptions { broker, here, here_name, is_everywhere, work_tree, symbols, has_color, zone, .. } = options;
        let resumable: Vec<BackendName> =
            broker.config().backends.keys().filter(|name| broker.can_resume(name)).cloned().collect();
        let surroundings = Surroundings { here: here_name, symbols, has_color, zone, resumable: resumable.clone() };
        let state = State::new(surroundings, screen.size()?, is_everywhere);
        let actions = Actions { broker: broker.clone(), symbols, work_tree, asker: options.asker };
        Ok(Self {
            state,
            screen,
            loader: Loader { broker, sender: sender.clone(), here, symbols, zone, resumable },
            actions,
            program: options.program,
            flags: options.flags,
            list: None,
            pane: None,
            live: BTreeMap::new(),
            tasks: JoinSet::new(),
            acting: JoinSet::new(),
            drawn_at: None,
            is_changed: true,
            needs_redraw: false,
        })
    }

    /// Gives the terminal back, and waits for actions that have begun.
    async fn finish(mut self) {
        self.screen.leave();
        self.tasks.abort_all();
        let acting = async { while self.acting.join_next().await.is_some() {} };
        let _ = timeout(FINISH_TIMEOUT, acting).await;
    }

    /// When to draw next.
    fn due(&self) -> Instant {
        let wait = if self.is_changed { MIN_REDRAW } else { IDLE_REDRAW };
        self.drawn_at.map_or_else(Instant::now, |at| at + wait)
    }

    /// Draws if something has changed and the last time was long enough ago, and starts reading what is missing.
    fn draw_if_due(&mut self) -> io::Result<()> {
        if !self.is_changed || self.drawn_at.is_some() && Instant::now() < self.due() {
            return Ok(());
        }
        if std::mem::take(&mut self.needs_redraw) {
            self.screen.resume()?;
        }
        let now = Utc::now();
        self.state.resize(self.screen.size()?, now);
        self.read_what_is_missing();
        let state = &self.state;
        self.screen.terminal.draw(|frame| draw(frame, state, now))?;
        (self.drawn_at, self.is_changed) = (Some(Instant::now()), false);
        Ok(())
    }

    fn read_what_is_missing(&mut self) {
        while self.tasks.try_join_next().or_else(|| self.acting.try_join_next()).is_some() {}
        let list = self.state.wanted_list();
        if self.list.as_ref().is_none_or(|(query, _)| *query != list) {
            let handle = self.spawn(|loader| loader.list(list.clone()));
            if let Some((_, old)) = self.list.replace((list, handle)) {
                old.abort();
            }
        }
        let pane = self.state.wanted_pane();
        if self.pane.as_ref().map(|(query, _)| query) != pane.as_ref() {
            let next = pane.map(|query| (query.clone(), self.spawn(|loader| loader.pane(query))));
            if let Some((_, old)) = std::mem::replace(&mut self.pane, next) {
                old.abort();
            }
        }
        let live = self.state.wanted_live();
        self.live.retain(|id, handle| {
            let is_wanted = live.contains(id);
            if !is_wanted {
                handle.abort();
            }
            is_wanted
        });
        for id in live {
            if !self.live.contains_key(&id) {
                let handle = self.spawn(|loader| loader.live(id.clone()));
                self.live.insert(id, handle);
            }
        }
    }

    fn spawn<F>(&mut self, load: impl FnOnce(Loader) -> F) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let loading = load(self.loader.clone());
        self.tasks.spawn(loading)
    }

    /// Does what a key asks for. Returns why the program has to end, if it has to.
    async fn run(
        &mut self,
        effect: Effect,
        keyboard: &Keyboard,
        signals: &mut Signals,
        sender: &mpsc::Sender<News>,
    ) -> io::Result<Option<TopEnd>> {
        let (actions, sender) = (self.actions.clone(), sender.clone());
        match effect {
            Effect::Quit => return Ok(Some(TopEnd::Quit)),
            Effect::Redraw => self.screen.redraw()?,
            Effect::Suspend => {
                self.screen.leave();
                // This process is stopped now, or a moment later, until it is continued. Without a shell that could
                // continue it, it is not stopped.
                let _ = kill_current_process_group(Signal::TSTP);
                let _ = timeout(STOP_TIMEOUT, signals.resume.recv()).await;
                self.screen.resume()?;
            }
            Effect::Check(request) => {
                self.tasks.spawn(async move { drop(sender.send(actions.check(request).await).await) });
            }
            Effect::Act(request) => {
                self.acting.spawn(async move { drop(sender.send(actions.act(request).await).await) });
            }
            Effect::Run(words) => {
                self.screen.leave();
                let end = self.run_command(words, keyboard, signals).await;
                self.screen.resume()?;
                return Ok(end);
            }
        }
        Ok(None)
    }

    /// Runs a command in the foreground, and waits for Enter.
    async fn run_command(&mut self, words: Vec<String>, keyboard: &Keyboard, signals: &mut Signals) -> Option<TopEnd> {
        let arguments: Vec<_> = self.flags.iter().cloned().chain(words.into_iter().map(OsString::from)).collect();
        let status = tokio::select! {
            status = run_in_foreground(&self.program, &arguments) => status,
            end = signals.end() => return Some(end),
        };
        let text = match status {
            Ok(status) => top::press_enter(status.code()),
            Err(error) => top::not_run(&error),
        };
        rustix::io::write(io::stdout(), text.as_bytes()).ok()?;
        let mut bytes = [0; 1024];
        loop {
            tokio::select! {
                read = keyboard.read(&mut bytes) => match read {
                    Ok(count) if bytes[..count].contains(&b'\n') => return None,
                    Ok(_) => {}
                    Err(_) => return Some(TopEnd::HungUp),
                },
                wake = signals.next() => match wake {
                    Wake::End(TopEnd::Quit) => return None,
                    Wake::End(end) => return Some(end),
                    Wake::Resized | Wake::Continued => {}
                },
            }
        }
    }
}
