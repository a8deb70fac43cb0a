//! Asks an installed agent whether it is logged in.

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

/// The login of an installed agent.
#[derive(Debug)]
pub struct LoginState {
    /// The agent's answer.
    pub answer: Result<Login, ProbeError>,
    /// Whether the agent cannot work before somebody logs in.
    pub is_missing: bool,
}

impl LoginState {
    /// Asks the program. An agent that is not logged in can still work if the environment or its own settings have a key
    /// or a provider.
    pub async fn of(backend: &dyn AgentBackend, program: &Path, environment: &BTreeMap<OsString, OsString>) -> Self {
        let answer = match backend.login_probe() {
            Some(question) => {
                probe(program, &question, environment).await.map(|answer| backend.understand_login(&answer))
            }
            None => Ok(Login::Unknown),
        };
        let is_missing = matches!(answer, Ok(Login::No { .. }))
            && !backend.works_without_login(environment, &own_settings(backend, environment).unwrap_or_default());
        Self { answer, is_missing }
    }
}

/// The content of the agent's own settings file.
fn own_settings(backend: &dyn AgentBackend, environment: &BTreeMap<OsString, OsString>) -> Option<String> {
    // Opening a pipe would wait for a writer.
    let file = backend.own_settings_file(environment).filter(|file| file.is_file())?;
    File::open(file).and_then(|file| io::read_to_string(file.take(MAX_SETTINGS_BYTES))).ok()
}
