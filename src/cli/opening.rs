//! Opens the data directory, and creates a broker for it.

use std::{io::ErrorKind, path::PathBuf, sync::Arc};

use crate::{
    broker::Broker,
    config::Config,
    executor::LocalExecutor,
    present::{
        Refused,
        refusals::{self, DataDirProblem},
    },
    process::check_proc,
    registry::Registry,
    store::{StoreError, UntrustedDirectory, Upkeep},
};

/// A configuration, perhaps with problems, or only the problems; see [`Config::load_lenient`].
pub(super) type LenientConfig = Result<(Config, Vec<Refused>), Vec<Refused>>;

/// Opens the data directory and creates a broker for it.
pub(super) fn open(registry: &Registry, supervisor: Option<PathBuf>, config: Config) -> Result<Broker, Refused> {
    check_proc().map_err(|problem| Refused::new(problem.to_string(), problem.next()))?;
    let upkeep = open_data_dir(&config)?;
    let executor = Arc::new(LocalExecutor::new(supervisor, upkeep.clone(), config.index));
    Broker::new(config, registry, upkeep, executor).map_err(|problem| Refused::without_advice(problem.to_string()))
}

/// Opens the data directory.
pub(super) fn open_data_dir(config: &Config) -> Result<Upkeep, Refused> {
    let opened = Upkeep::open(&config.data_dir, &config.log_dir);
    opened.and_then(|upkeep| upkeep.check_locks().map(|()| upkeep)).map_err(|error| unusable_data_dir(config, &error))
}

/// Explains why the data directory cannot be used.
pub(super) fn unusable_data_dir(config: &Config, error: &StoreError) -> Refused {
    let kind = match UntrustedDirectory::of(error) {
        Some(UntrustedDirectory::OtherOwner { .. }) => DataDirProblem::OtherOwner,
        Some(UntrustedDirectory::WritableByAll) => DataDirProblem::WritableByAll(&error.path),
        None if error.source.kind() == ErrorKind::Unsupported => DataDirProblem::NoLocks,
        None => DataDirProblem::Inaccessible,
    };
    refusals::data_directory(error, kind, &config.file)
}
