//! The kinds of backend that this binary was built with.

use std::{collections::BTreeMap, sync::Arc};

use connector_api::{AgentBackend, BackendKind, BackendName, SettingsProblem};
use serde_json::Value;

use crate::task::FrozenBackend;

/// Every known kind by its word. Filled once, in `main`, and shared by every role of the binary.
#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, RegisteredKind>,
}

#[derive(Clone, Copy)]
struct RegisteredKind {
    needs: &'static [&'static str],
    schema: fn() -> Value,
    build: fn(BackendName, Value) -> Result<Arc<dyn AgentBackend>, SettingsProblem>,
}

impl Registry {
    /// Adds a kind. A kind added twice replaces the first.
    pub fn add<K: BackendKind>(&mut self) {
        let build = |name, settings| Ok(Arc::new(K::build(name, settings)?) as Arc<dyn AgentBackend>);
        self.kinds.insert(K::KIND, RegisteredKind { needs: K::NEEDS, schema: K::schema, build });
    }

    /// The words for `kind`, in alphabetical order.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.keys().copied()
    }

    /// The JSON schema of a kind's settings.
    pub fn schema(&self, kind: &str) -> Option<Value> {
        self.kinds.get(kind).map(|kind| (kind.schema)())
    }

    /// The environment variables that agents of a kind need, whatever the common rules take away.
    pub fn needs(&self, kind: &str) -> &'static [&'static str] {
        self.kinds.get(kind).map_or(&[], |kind| kind.needs)
    }

    /// The backend that `frozen` describes.
    pub fn build(&self, frozen: &FrozenBackend) -> Result<Arc<dyn AgentBackend>, BuildProblem> {
        let kind = self.kinds.get(frozen.kind.as_str()).ok_or_else(|| BuildProblem::UnknownKind {
            kind: frozen.kind.clone(),
            known: self.kinds().collect::<Vec<_>>().join("`, `"),
        })?;
        (kind.build)(frozen.name.clone(), frozen.settings.clone()).map_err(BuildProblem::Settings)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.kinds()).finish()
    }
}

/// Why a backend cannot be built from what is configured.
#[derive(Debug, thiserror::Error)]
pub enum BuildProblem {
    /// No such kind in this binary.
    #[error("no kind `{kind}`: this binary knows `{known}`")]
    UnknownKind {
        /// The kind found.
        kind: String,
        /// The kinds there are.
        known: String,
    },
    /// The kind does not take the settings.
    #[error(transparent)]
    Settings(SettingsProblem),
}
