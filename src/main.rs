//! The codex-connector program: the library with the built-in backend kinds. Examples that act as this program include
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
