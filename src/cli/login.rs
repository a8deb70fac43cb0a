//! Whether an agent is logged in, and whether it has to be.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::Path,
};

use connector_api::{AgentBackend, Login};

use crate::process::{ProbeError, probe};

/// Maximum number of bytes of an agent's own settings that are read.
const MAX_SETTINGS_BYTES: u64 = 1 << 20;

/// Asks the program whether it is logged in.
pub(super) async fn login(
    backend: &dyn AgentBackend,
    program: &Path,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Login, ProbeError> {
    match backend.login_probe() {
        Some(question) => probe(program, &question, environment).await.map(|answer| backend.understand_login(&answer)),
        None => Ok(Login::Unknown),
    }
}

/// Whether the backend cannot work before somebody logs in.
pub(super) fn needs_login(
    backend: &dyn AgentBackend,
    login: &Result<Login, ProbeError>,
    environment: &BTreeMap<OsString, OsString>,
) -> bool {
    let own_settings = || {
        let file = backend.own_settings_file(environment)?;
        // Opening a pipe would wait for a writer.
        let text = File::open(Some(file).filter(|file| file.is_file())?)
            .and_then(|file| io::read_to_string(file.take(MAX_SETTINGS_BYTES)));
        text.ok()
    };
    matches!(login, Ok(Login::No { .. }))
        && !backend.works_without_login(environment, &own_settings().unwrap_or_default())
}
