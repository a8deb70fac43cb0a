//! Notifications about writes to files.
//!
//! On Linux, all followers of a process share one inotify instance, because a user may have only 128 by default. The
//! number of files that one process watches is limited too. If a limit is reached, and on other systems, a [`Watch`]
//! reports nothing, and its follower polls instead.
//!
//! A watch belongs to a file, not to its name. When a timeline is replaced, the old file loses its name, which is
//! reported like a write. The follower then watches the new file.

use std::{path::Path, sync::Arc};

use tokio::sync::Notify;

#[cfg(target_os = "linux")]
use super::inotify::{Instance, Registration};

/// Maximum number of files that one process watches.
#[cfg(target_os = "linux")]
const MAX_WATCHES: usize = 256;

/// Watches files for the followers of one process.
#[derive(Debug, Clone)]
pub struct Watches {
    #[cfg(target_os = "linux")]
    instance: Option<Arc<Instance>>,
}

/// Watches one file, or none. Clones share the same watch, which ends when the last of them is dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch(Arc<WatchedFile>);

#[derive(Debug, Default)]
struct WatchedFile {
    reported: Arc<Notify>,
    #[cfg(target_os = "linux")]
    registration: std::sync::Mutex<Option<Registration>>,
}

impl Watch {
    /// Waits for a write to the file. Several writes may be reported as one.
    pub(super) async fn reported(&self) {
        self.0.reported.notified().await;
    }
}

impl Watches {
    /// Reports writes if the system supports that.
    pub fn new() -> Self {
        #[cfg(target_os = "linux")]
        return Self::with_limit(MAX_WATCHES);
        #[cfg(not(target_os = "linux"))]
        return Self {};
    }

    /// Reports nothing, so followers poll once a second.
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

    /// Starts forwarding reports on the caller's runtime.
    pub(super) fn begin(&self) {
        #[cfg(target_os = "linux")]
        if let Some(instance) = &self.instance {
            instance.begin();
        }
    }

    /// Makes `watch` watch the file with this name instead of its previous file. Accesses the file system.
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
    /// Watches at most `max` files.
    pub(super) fn limited(max: usize) -> Self {
        #[cfg(target_os = "linux")]
        return Self::with_limit(max);
        #[cfg(not(target_os = "linux"))]
        return Self::polling();
    }

    /// Behaves as if the user had no inotify instance left.
    #[cfg(target_os = "linux")]
    pub(super) fn refused() -> Self {
        Self { instance: Some(Arc::new(Instance::refused())) }
    }

    /// The number of watched files.
    pub(super) fn watched(&self) -> usize {
        #[cfg(target_os = "linux")]
        return self.instance.as_ref().map_or(0, |instance| instance.watched());
        #[cfg(not(target_os = "linux"))]
        return 0;
    }
}
