//! `schema`: prints a JSON Schema.

use std::process::ExitCode;

use clap::Args;

use super::{context::Context, output::print};
use crate::{config, present::json_output};

const EXAMPLES: &str = "\
Examples:
  codex-connector schema > config.schema.json
  codex-connector schema --output";

/// The arguments of `schema`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Print the JSON Schema of the output of --json instead
    #[arg(long)]
    output: bool,
}

/// Prints the schema.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let schema = if arguments.output { json_output::schema() } else { config::schema(context.registry) };
    print(&format!("{schema:#}\n"))
}
