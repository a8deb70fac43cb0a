//! The web UI, as the verbs `web` and `serve` serve it.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use super::{check, context::Context, opening::open_data_dir};
use crate::{
    broker::Broker,
    config::Config,
    http::{ListenOptions, RequestGuard},
    present::{
        Refused,
        refusals::{self, TokenProblem},
        web::answers,
    },
    store::HttpToken,
    web::Web,
};

/// Whether the pages contain actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActionUse {
    /// They do.
    Allowed,
    /// They are read-only.
    Refused,
}

/// How to listen on this address, and the path of the file with the token. Fails if the token cannot be read or made.
pub(super) fn listen_options(config: &Config, address: SocketAddr) -> Result<(ListenOptions, PathBuf), Refused> {
    let token = HttpToken::of(&open_data_dir(config)?);
    let secret = token.read_or_make().map_err(|problem| {
        let kind = match problem.source.kind() {
            ErrorKind::InvalidData => TokenProblem::Invalid,
            ErrorKind::TimedOut => TokenProblem::Locked,
            _ => TokenProblem::Inaccessible,
        };
        refusals::bad_token(&problem, kind)
    })?;
    let serving = &config.serving;
    let (hosts, origins) = (serving.http_hosts.clone(), serving.http_origins.clone());
    Ok((ListenOptions { address, token: secret, hosts, origins }, token.path()))
}

/// The web UI of a broker.
pub(super) fn web_ui(context: &Context<'_>, broker: Broker, options: &ListenOptions, actions: ActionUse) -> Web {
    let (config, given, registry) = (broker.config().clone(), context.given.clone(), context.registry.clone());
    let common = Arc::new((config, given, registry));
    let checker = move || {
        let common = Arc::clone(&common);
        let checking = async move { check::findings(&common.0, &common.1, &common.2).await };
        Box::pin(checking) as _
    };
    let guard = Arc::new(RequestGuard::new(options));
    Web::new(broker, guard, actions == ActionUse::Allowed, Box::new(checker))
}

/// The line about the web UI of a server that listens on `address`.
pub(super) fn web_ui_address(web: &Web, address: SocketAddr) -> String {
    let local = match address.ip() {
        ip if ip.is_loopback() => Some(address),
        ip if ip.is_unspecified() => Some((Ipv4Addr::LOCALHOST, address.port()).into()),
        _ => None,
    };
    match local {
        Some(local) => answers::serves_web_ui(local, &web.one_time_path()),
        None => answers::serves_remote_web_ui(address),
    }
}
