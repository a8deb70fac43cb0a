//! The backend kinds of this binary.

use std::{collections::BTreeMap, sync::Arc};

use connector_api::{AgentBackend, BackendKind, BackendName, SettingsProblem};
use serde_json::Value;

use crate::task::FrozenBackend;

/// All backend kinds by name. Filled once, in `main`, and shared by all roles of the binary.
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
    /// Adds a kind. If it has the name of an earlier one, it replaces that kind.
    pub fn add<K: BackendKind>(&mut self) {
        let build = |name, settings| Ok(Arc::new(K::build(name, settings)?) as Arc<dyn AgentBackend>);
        self.kinds.insert(K::KIND, RegisteredKind { needs: K::NEEDS, schema: K::schema, build });
    }

    /// The names of the kinds, as values of the key `kind`, in alphabetical order.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.keys().copied()
    }

    /// The JSON Schema of a kind's settings, or `None` if the kind is unknown.
    pub fn schema(&self, kind: &str) -> Option<Value> {
        self.kinds.get(kind).map(|kind| (kind.schema)())
    }

    /// The environment variables that agents of a kind need, even if the common rules remove them.
    pub fn needs(&self, kind: &str) -> &'static [&'static str] {
        self.kinds.get(kind).map_or(&[], |kind| kind.needs)
    }

    /// Builds the backend that `frozen` describes. Fails if its kind is unknown or rejects the settings.
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

/// Why a backend cannot be built from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum BuildProblem {
    /// This binary does not have the kind.
    #[error("unknown kind `{kind}`; this binary supports `{known}`")]
    UnknownKind {
        /// The configured kind.
        kind: String,
        /// The kinds of this binary.
        known: String,
    },
    /// The kind rejects the settings.
    #[error(transparent)]
    Settings(SettingsProblem),
}
