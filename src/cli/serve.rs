//! The server's role: on stdin and stdout, or over HTTP.

use std::{
    io::{self, IsTerminal},
    net::{Ipv4Addr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;

use super::{
    context::Context,
    opening::{LenientConfig, open},
    output::{fail, print, refuse, refuse_all},
    web_ui::{ActionUse, listen_options, web_ui, web_ui_address},
};
use crate::{
    broker::Broker,
    config::Config,
    http::ENDPOINT_PATH,
    logging,
    mcp::{self, ServerState, StartProblem},
    present::{EXPECTED_ADDRESS, WAITS_FOR_CLIENT, listening, refusals},
    process::run_as_init,
    registry::Registry,
};

const EXAMPLES: &str = "\
Examples:
  codex-connector serve                           what Claude Code runs
  codex-connector serve --http 127.0.0.1:8181     for clients that use HTTP";

/// The arguments of `serve`.
#[derive(Debug, Default, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Listen on this address, e.g. 127.0.0.1:8181, or on this port of this machine, e.g. 8181; clients must send the
    /// token from ~/.codex-connector/http-token
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listening_address)]
    http: Option<SocketAddr>,
    /// Allow an address that other machines can reach; traffic is not encrypted
    #[arg(long, requires = "http")]
    allow_remote: bool,
}

/// Serves until the client disconnects or a signal arrives.
pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    if let Some(code) = run_as_init() {
        return code;
    }
    let (registry, supervisor) = (context.registry, context.supervisor.clone());
    let Some(address) = arguments.http else {
        if let Some(hint) = interactive_hint(io::stdin().is_terminal(), io::stdout().is_terminal()) {
            fail(hint);
        }
        return over_stdio(registry, supervisor, context.lenient_config());
    };
    match context.load_config() {
        Ok(config) => over_http(context, config, address, arguments.allow_remote),
        Err(problems) => refuse_all(problems.explain()),
    }
}

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
fn over_stdio(registry: &Registry, supervisor: Option<PathBuf>, config: LenientConfig) -> ExitCode {
    mcp::serve(|| server_state(registry, supervisor, config)).unwrap_or_else(|problem| start_failed(&problem))
}

fn start_failed(problem: &StartProblem) -> ExitCode {
    refuse(problem.explain())
}

/// Serves over HTTP until a signal ends it. Prints its address as one line on stdout.
fn over_http(context: &Context<'_>, config: Config, address: SocketAddr, allow_remote: bool) -> ExitCode {
    if !address.ip().is_loopback() && !allow_remote {
        return refuse(refusals::not_loopback(address));
    }
    let (options, token_file) = match listen_options(&config, address) {
        Ok(found) => found,
        Err(problem) => return refuse(problem),
    };
    let has_web_ui = config.serving.web_ui;
    let state = server_state(context.registry, context.supervisor.clone(), Ok((config, vec![])));
    let web = match &state {
        ServerState::Ready(broker) if has_web_ui => {
            Some(web_ui(context, Broker::clone(broker), &options, ActionUse::Refused))
        }
        ServerState::Ready(_) | ServerState::Misconfigured { .. } => None,
    };
    let site = web.clone();
    let announce = move |address| {
        print(&listening(address, ENDPOINT_PATH, &token_file));
        if let Some(web) = web {
            print(&web_ui_address(&web, address));
        }
    };
    mcp::http::serve(state, options, site, announce).unwrap_or_else(|problem| start_failed(&problem))
}

/// The value of `--http`: an address, a name with a port, or only a port, which means this machine.
fn listening_address(text: &str) -> Result<SocketAddr, &'static str> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let found: Vec<_> = text.to_socket_addrs().map_err(|_| EXPECTED_ADDRESS)?.collect();
    // `localhost` often has two addresses. Clients try both.
    found.iter().find(|address| address.is_ipv4()).or(found.first()).copied().ok_or(EXPECTED_ADDRESS)
}

/// The hint for a person who started the server without a client.
fn interactive_hint(stdin_is_terminal: bool, stdout_is_terminal: bool) -> Option<&'static str> {
    (stdin_is_terminal && stdout_is_terminal).then_some(WAITS_FOR_CLIENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_is_shown_only_at_a_terminal() {
        assert!(interactive_hint(true, true).is_some_and(|hint| hint.contains("--help")));
        for (stdin, stdout) in [(true, false), (false, true), (false, false)] {
            assert_eq!(interactive_hint(stdin, stdout), None);
        }
    }

    #[test]
    fn an_invalid_address_is_answered_with_an_example() {
        for local in ["127.0.0.1:8181", "localhost:8181", ":8181", "8181"] {
            assert_eq!(listening_address(local), Ok((Ipv4Addr::LOCALHOST, 8181).into()), "{local}");
        }
        assert!(listening_address("[::1]:8181").is_ok_and(|address| address.is_ipv6()));
        for wrong in ["", ":", "127.0.0.1", "70000", ":x", "127.0.0.1:70000"] {
            assert!(listening_address(wrong).is_err_and(|error| error.contains("127.0.0.1:8181")), "{wrong}");
        }
    }
}
