//! codex-connector with two backends: Codex and a parrot.

use std::process::ExitCode;

fn main() -> ExitCode {
    codex_connector::App::new().backend::<connector_codex::Codex>().backend::<third_party::Parrot>().main()
}
