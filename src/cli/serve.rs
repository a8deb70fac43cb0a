//! The server's role: on stdin and stdout, or over HTTP.

use std::{io::ErrorKind, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use super::output::{print, refuse};
use crate::{
    broker::Broker,
    config::Config,
    executor::LocalExecutor,
    http::{ENDPOINT_PATH, ListenOptions},
    logging,
    mcp::{self, ServerState, StartProblem},
    present::{
        Refused, listening,
        refusals::{self, DataDirProblem, TokenProblem},
    },
    process::check_proc,
    registry::Registry,
    store::{HttpToken, StoreError, UntrustedDirectory, Upkeep},
};

/// A configuration, perhaps with problems, or only the problems; see [`Config::load_lenient`].
pub(super) type LenientConfig = Result<(Config, Vec<Refused>), Vec<Refused>>;

/// The state of a server with this configuration. With an invalid one it still runs: it shows and cancels tasks, and
/// reports the problems.
fn server_state(registry: &Registry, supervisor: Option<PathBuf>, config: LenientConfig) -> ServerState {
    let (config, problems) = match config {
        Ok(found) => found,
        Err(problems) => return ServerState::Misconfigured { problems, viewer: None },
    };
    logging::to_stderr(&config.log_level);
    // An invalid configuration may be meant for another directory, so none is created.
    if !problems.is_empty() && !config.data_dir.is_dir() {
        return ServerState::Misconfigured { problems, viewer: None };
    }
    match open(registry, supervisor, config) {
        Ok(broker) if problems.is_empty() => ServerState::Ready(Box::new(broker)),
        Ok(viewer) => ServerState::Misconfigured { problems, viewer: Some(Box::new(viewer)) },
        Err(problem) if problems.is_empty() => ServerState::Misconfigured { problems: vec![problem], viewer: None },
        Err(_) => ServerState::Misconfigured { problems, viewer: None },
    }
}

/// Serves on stdin and stdout until the client disconnects.
pub(super) fn over_stdio(registry: &Registry, supervisor: Option<PathBuf>, config: LenientConfig) -> ExitCode {
    mcp::serve(|| server_state(registry, supervisor, config)).unwrap_or_else(|problem| start_failed(&problem))
}

fn start_failed(problem: &StartProblem) -> ExitCode {
    refuse(problem.explain())
}

/// Serves over HTTP until a signal ends it. Prints its address as one line on stdout.
pub(super) fn over_http(
    registry: &Registry,
    supervisor: Option<PathBuf>,
    config: Config,
    address: SocketAddr,
    allow_remote: bool,
) -> ExitCode {
    if !address.ip().is_loopback() && !allow_remote {
        return refuse(refusals::not_loopback(address));
    }
    let token = open_data_dir(&config).and_then(|upkeep| {
        let token = HttpToken::of(&upkeep);
        token.read_or_make().map(|secret| (secret, token.path())).map_err(|problem| {
            let kind = match problem.source.kind() {
                ErrorKind::InvalidData => TokenProblem::Invalid,
                ErrorKind::TimedOut => TokenProblem::Locked,
                _ => TokenProblem::Inaccessible,
            };
            refusals::bad_token(&problem, kind)
        })
    });
    let (token, token_file) = match token {
        Ok(found) => found,
        Err(problem) => return refuse(problem),
    };
    let serving = &config.serving;
    let options =
        ListenOptions { address, token, hosts: serving.http_hosts.clone(), origins: serving.http_origins.clone() };
    let announce = move |address| {
        print(&listening(address, ENDPOINT_PATH, &token_file));
    };
    mcp::http::serve(server_state(registry, supervisor, Ok((config, vec![]))), options, announce)
        .unwrap_or_else(|problem| start_failed(&problem))
}

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
