//! Runs a task with its backend, or with a fallback.
//!
//! | | the first backend | a fallback |
//! |---|---|---|
//! | cannot work at all | the next one gets the task | the next one gets the task |
//! | cannot do what the task asks, or its ceiling forbids it | the task fails | is skipped |
//!
//! If the last fallback is skipped, the task fails with the first backend's reason. The sandbox is never widened.

use super::{
    Task,
    ending::{Obstacle, RunEnd},
    external::ExternalEvents,
    journal::Journal,
};
use crate::{
    registry::Registry,
    task::{Fallback, FrozenBackend, Untrusted, first_line},
};

/// The task's original backend, after it turned out to be unable to work.
struct FirstBackend {
    end: RunEnd,
    backend: FrozenBackend,
    model: Option<Untrusted>,
}

impl Task {
    /// Runs the task until it ends. If a backend cannot work at all, the next one gets the task.
    pub(super) async fn run(
        &mut self,
        registry: &Registry,
        journal: &mut Journal,
        external: &mut ExternalEvents,
    ) -> RunEnd {
        if let Err(cause) = self.wait_for_turn(journal, external).await {
            journal.header(&self.spec, None);
            return RunEnd::stop_requested(cause, self.started.elapsed());
        }
        let mut first = None;
        loop {
            let end = self.run_backend(registry, journal, external).await;
            let Some(obstacle) = end.obstacle() else { return end };
            if journal.has_worked() || self.is_stop_requested(external) || self.files.is_cancel_requested() {
                return end;
            }
            let is_last = self.spec.fallbacks.is_empty();
            match (obstacle, first.take()) {
                (Obstacle::Unsuitable(_), None) => return end,
                (Obstacle::Unable(_), _) if is_last => return end,
                (Obstacle::Unsuitable(why), Some(first)) if is_last => return self.fail_as(first, &why, journal),
                (Obstacle::Unable(why) | Obstacle::Unsuitable(why), earlier) => {
                    let (backend, model) = (self.spec.backend.clone(), self.record.progress.model.clone());
                    first = Some(earlier.unwrap_or(FirstBackend { end, backend, model }));
                    self.fall_back(&why, journal);
                }
            }
        }
    }

    /// Gives the task to the next backend.
    fn fall_back(&mut self, why: &str, journal: &mut Journal) {
        let Fallback { backend, ceiling } = self.spec.fallbacks.remove(0);
        let why = self.record_obstacle(why);
        journal.fallback(&why, Some(&backend.name));
        self.record.progress.backend = Some(backend.name.clone());
        self.record.progress.model = None;
        self.record.progress.attempt += 1;
        // The model name is not valid for another agent.
        self.spec.request.model = None;
        self.spec.backend = backend;
        self.spec.ceiling = ceiling;
    }

    /// The end of a task that no fallback can do either: the first backend's.
    fn fail_as(&mut self, first: FirstBackend, why: &str, journal: &mut Journal) -> RunEnd {
        let why = self.record_obstacle(why);
        journal.fallback(&why, None);
        self.record.progress.backend = Some(first.backend.name.clone());
        self.record.progress.model = first.model;
        self.spec.backend = first.backend;
        first.end
    }

    /// Records why the current backend does not do the task, and returns the reason in one line.
    fn record_obstacle(&mut self, why: &str) -> String {
        let why = first_line(why);
        let why = format!("{}: {}", self.spec.backend.name, self.redactor.text(&why));
        self.record.progress.fell_back.push(why.as_str().into());
        why
    }
}
