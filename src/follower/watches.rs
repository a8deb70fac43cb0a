//! Being told when a file is written to.
//!
//! On Linux, all followers of a process share one inotify instance: a machine allows each user only 128 by default. The
//! number of files that one process watches is limited too. Where a limit is reached, and on other systems, a [`Watch`]
//! reports nothing, and its follower looks by itself.
//!
//! A watch belongs to a file and not to its name. When a timeline is replaced, the old file loses its name, which is
//! reported like a write; its follower then watches the new one.

use std::{path::Path, sync::Arc};

use tokio::sync::Notify;

#[cfg(target_os = "linux")]
use super::inotify::{Instance, Registration};

/// The most files that one process watches.
#[cfg(target_os = "linux")]
const MAX_WATCHES: usize = 256;

/// Watches files for the followers of one process.
#[derive(Debug, Clone)]
pub struct Watches {
    #[cfg(target_os = "linux")]
    instance: Option<Arc<Instance>>,
}

/// One file that is watched, or none. Clones are the same watch, which ends with the last of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch(Arc<WatchedFile>);

#[derive(Debug, Default)]
struct WatchedFile {
    reported: Arc<Notify>,
    #[cfg(target_os = "linux")]
    registration: std::sync::Mutex<Option<Registration>>,
}

impl Watch {
    /// Returns after the file was written to, once for any number of writes.
    pub(super) async fn reported(&self) {
        self.0.reported.notified().await;
    }
}

impl Watches {
    /// Reports writes if the system can.
    pub fn new() -> Self {
        #[cfg(target_os = "linux")]
        return Self::with_limit(MAX_WATCHES);
        #[cfg(not(target_os = "linux"))]
        return Self {};
    }

    /// Reports nothing: files are looked at once a second.
    pub fn polling() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            instance: None,
        }
    }

    /// Watches at most `max` files.
    #[cfg(target_os = "linux")]
    fn with_limit(max: usize) -> Self {
        Self { instance: Some(Arc::new(Instance::new(max))) }
    }

    /// Begins to pass on reports, on the runtime of the caller.
    pub(super) fn begin(&self) {
        #[cfg(target_os = "linux")]
        if let Some(instance) = &self.instance {
            instance.begin();
        }
    }

    /// Lets `watch` watch the file with this name, and nothing else. Touches the path.
    pub(super) fn watch(&self, path: &Path, watch: &Watch) {
        #[cfg(target_os = "linux")]
        {
            let new = self.instance.as_ref().and_then(|instance| instance.register(path, &watch.0.reported));
            let mut registration = watch.0.registration.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *registration = new;
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (path, watch);
    }
}

impl Default for Watches {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
impl Watches {
    /// At most `max` files are watched.
    pub(super) fn limited(max: usize) -> Self {
        #[cfg(target_os = "linux")]
        return Self::with_limit(max);
        #[cfg(not(target_os = "linux"))]
        return Self::polling();
    }

    /// As where the system has no instance left.
    #[cfg(target_os = "linux")]
    pub(super) fn refused() -> Self {
        Self { instance: Some(Arc::new(Instance::refused())) }
    }

    /// The number of files that are watched.
    pub(super) fn watched(&self) -> usize {
        #[cfg(target_os = "linux")]
        return self.instance.as_ref().map_or(0, |instance| instance.watched());
        #[cfg(not(target_os = "linux"))]
        return 0;
    }
}
