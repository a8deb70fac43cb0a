//! `web`: shows tasks in a browser.

use std::{net::Ipv4Addr, process::ExitCode};

use clap::Args;

use super::{
    context::Context,
    exit::Exit,
    opening::open,
    output::{error_text, print, refuse},
    web_ui::{ActionUse, listen_options, web_ui},
};
use crate::{logging, present::web::answers, process::open_in_browser, web};

const EXAMPLES: &str = "\
Examples:
  codex-connector web
  codex-connector web --open
  codex-connector web --actions --port 8182

It prints one line, an address that works once, for 10 minutes, and signs one browser in until the server stops. Only
programs on this machine can connect. Ctrl-C stops the server, but no task.

To see the pages on another machine, open a tunnel there: ssh -L 8182:127.0.0.1:8182 HOST

Exit codes: 0 stopped with Ctrl-C, 1 if the port is in use.";

/// The arguments of `web`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Open the address in a browser
    #[arg(long)]
    open: bool,
    /// Let the pages cancel, resume, undo, redo and apply tasks
    #[arg(long)]
    actions: bool,
    /// The port; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
}

/// Serves the web UI until a signal arrives.
pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    let config = match arguments.actions {
        // A task that is started needs a valid configuration.
        true => context.config(),
        false => context.viewing_config(),
    };
    let config = match config {
        Ok(config) => config,
        Err(exit) => return exit.into(),
    };
    logging::to_stderr(&config.log_level);
    let opened = listen_options(&config, (Ipv4Addr::LOCALHOST, arguments.port).into())
        .and_then(|(options, _)| Ok((options, open(context.registry, context.supervisor.clone(), config)?)));
    let (options, broker) = match opened {
        Ok(opened) => opened,
        Err(problem) => {
            refuse(problem);
            return Exit::Failed.into();
        }
    };
    let actions = if arguments.actions { ActionUse::Allowed } else { ActionUse::Refused };
    let web = web_ui(context, broker, &options, actions);
    let announce = |address| {
        let address = answers::sign_in_address(address, &web.one_time_path());
        print(&format!("{address}\n"));
        error_text(answers::HOW_TO_STOP);
        if arguments.open {
            open_in_browser(&address, || {
                refuse(answers::no_browser());
            });
        }
    };
    web::serve(&web, options.address, announce).unwrap_or_else(refuse)
}
