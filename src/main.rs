//! The codex-connector program: the library, and the kinds of backend that it comes with. The examples that play its part have
//! this file as a module.

use std::process::ExitCode;

use codex_connector::App;

pub(crate) fn main() -> ExitCode {
    App::new()
        .backend::<connector_codex::Codex>()
        .backend::<connector_command::Command>()
        .backend::<connector_acp::Acp>()
        .backend::<connector_claude::Claude>()
        .backend::<connector_gemini::Gemini>()
        .backend::<connector_opencode::OpenCode>()
        .main()
}
