//! The inotify instance of a process, and the receivers of its reports.

use std::{
    collections::HashMap,
    io,
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::fs::inotify::{CreateFlags, ReadFlags, WatchFlags, add_watch, init, remove_watch};
use tokio::{
    net::unix::pipe::Receiver,
    sync::Notify,
    task::{JoinHandle, spawn},
};

/// This process's inotify instance.
#[derive(Debug)]
pub(super) struct Instance {
    state: Mutex<WatcherState>,
    max: usize,
}

#[derive(Debug, Default)]
struct WatcherState {
    running: Option<RunningWatcher>,
    /// Whether the system refused to create an instance. It is not asked again.
    is_refused: bool,
}

/// An instance whose reports are being forwarded.
#[derive(Debug)]
struct RunningWatcher {
    events: Arc<OwnedFd>,
    targets: Arc<Mutex<WatchTargets>>,
    forwarder: JoinHandle<()>,
}

/// The receivers for each watch. Several followers of one file share a watch.
type WatchTargets = HashMap<i32, Vec<Arc<Notify>>>;

/// A subscription to reports about one file. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    events: Arc<OwnedFd>,
    targets: Arc<Mutex<WatchTargets>>,
    watch: i32,
    target: Arc<Notify>,
}

impl Instance {
    pub(super) fn new(max: usize) -> Self {
        Self { state: Mutex::default(), max }
    }

    /// Starts forwarding reports, unless that is running already.
    pub(super) fn begin(&self) {
        let mut state = locked(&self.state);
        // The runtime on which it was started may have ended.
        let is_running = state.running.as_ref().is_some_and(|running| !running.forwarder.is_finished());
        if !is_running && !state.is_refused {
            state.running = RunningWatcher::begin();
            state.is_refused = state.running.is_none();
        }
    }

    /// Subscribes `target` to writes to the file with this name, or to changes of files in the directory with this name. Returns `None` if that is not possible, or if too many
    /// files are watched.
    pub(super) fn register(&self, path: &Path, target: &Arc<Notify>) -> Option<Registration> {
        let (events, targets) = {
            let state = locked(&self.state);
            let running = state.running.as_ref()?;
            (Arc::clone(&running.events), Arc::clone(&running.targets))
        };
        if locked(&targets).values().map(Vec::len).sum::<usize>() >= self.max {
            return None;
        }
        // When a file loses its last name, that is reported as a change of its attributes.
        let of_file = WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::DELETE_SELF;
        let of_directory = WatchFlags::CREATE | WatchFlags::MOVED_TO;
        let wanted = of_file | of_directory | WatchFlags::DONT_FOLLOW;
        let watch = add_watch(&*events, path, wanted).ok()?;
        locked(&targets).entry(watch).or_default().push(Arc::clone(target));
        Some(Registration { events, targets, watch, target: Arc::clone(target) })
    }

    #[cfg(test)]
    pub(super) fn refused() -> Self {
        Self { state: Mutex::new(WatcherState { running: None, is_refused: true }), max: 1 }
    }

    #[cfg(test)]
    pub(super) fn watched(&self) -> usize {
        locked(&self.state).running.as_ref().map_or(0, |running| locked(&running.targets).len())
    }
}

impl RunningWatcher {
    fn begin() -> Option<Self> {
        let instance = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(io::Error::from);
        // An inotify descriptor can be read like a pipe.
        let opened = instance.and_then(|events| {
            let reports = Receiver::from_owned_fd_unchecked(events.try_clone()?)?;
            Ok((Arc::new(events), reports))
        });
        let (events, reports) = opened
            .inspect_err(|error| tracing::debug!(%error, "inotify is unavailable; timelines are polled once a second"))
            .ok()?;
        let targets = Arc::<Mutex<WatchTargets>>::default();
        let forwarder = spawn(forward(reports, Arc::clone(&targets)));
        Some(Self { events, targets, forwarder })
    }
}

impl Drop for RunningWatcher {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut targets = locked(&self.targets);
        let Some(of_watch) = targets.get_mut(&self.watch) else { return };
        of_watch.retain(|target| !Arc::ptr_eq(target, &self.target));
        if of_watch.is_empty() {
            targets.remove(&self.watch);
            // Fails if the file is gone, because then its watch has ended.
            let _ = remove_watch(&*self.events, self.watch);
        }
    }
}

/// Notifies followers of writes to their files, as long as the instance exists.
async fn forward(reports: Receiver, targets: Arc<Mutex<WatchTargets>>) {
    let mut buffer = [0; 4096];
    loop {
        if let Err(error) = reports.readable().await {
            return tracing::debug!(%error, "files are no longer watched");
        }
        match reports.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => reported(&buffer[..count])
                .for_each(|(watch, events)| notify_targets(&mut locked(&targets), watch, events)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return tracing::debug!(%error, "files are no longer watched"),
        }
    }
}

/// Parses reports into watches and events. Each report consists of four 32-bit numbers (watch, events, cookie, length
/// of the name) and the name.
fn reported(mut bytes: &[u8]) -> impl Iterator<Item = (i32, ReadFlags)> {
    std::iter::from_fn(move || {
        let (watch, rest) = bytes.split_first_chunk()?;
        let (events, rest) = rest.split_first_chunk()?;
        let (_cookie, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk()?;
        bytes = rest.get(usize::try_from(u32::from_ne_bytes(*length)).ok()?..)?;
        Some((i32::from_ne_bytes(*watch), ReadFlags::from_bits_retain(u32::from_ne_bytes(*events))))
    })
}

fn notify_targets(targets: &mut WatchTargets, watch: i32, events: ReadFlags) {
    if events.contains(ReadFlags::QUEUE_OVERFLOW) {
        // Reports were lost, so any file may have been written to.
        targets.values().flatten().for_each(|target| target.notify_one());
    }
    let Some(of_watch) = targets.get(&watch) else { return };
    of_watch.iter().for_each(|target| target.notify_one());
    if events.contains(ReadFlags::IGNORED) {
        // The file is gone, and another watch may get its number.
        targets.remove(&watch);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
