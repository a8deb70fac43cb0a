//! Reads the settings of Claude Code that concern this program, and runs its commands.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    time::Duration,
};

use connector_api::{Exit, ProbeAnswer, ProbeCommand};
use serde_json::Value;

use super::{
    found::{FoundClaude, InstalledPlugin, KnownMarketplace, RegisteredServer},
    user_file::{UserFile, UserFileProblem},
};
use crate::{
    plugin::NAME,
    process::{ProbeError, find_program, probe, run_within},
};

/// The plugin in its marketplace.
const PLUGIN_ID: &str = "codex-connector@codex-connector";

/// How long a command that changes something may take. It takes a second or two, but killing it halfway would leave a
/// part of its change.
const CHANGE_DEADLINE: Duration = Duration::from_secs(120);

/// The program of Claude Code and its environment.
#[derive(Debug)]
pub(super) struct ClaudeCode {
    pub(super) program: PathBuf,
    environment: BTreeMap<OsString, OsString>,
}

/// A command of Claude Code failed.
#[derive(Debug, thiserror::Error)]
pub enum ClaudeProblem {
    /// The program did not start or did not end.
    #[error(transparent)]
    Program(#[from] ProbeError),
    /// A command failed.
    #[error("`{command}` failed: {said}")]
    Refused {
        /// The command.
        command: String,
        /// The last lines that it printed.
        said: String,
    },
    /// A file of Claude Code cannot be read.
    #[error(transparent)]
    File(#[from] UserFileProblem),
    /// A file of Claude Code is not JSON.
    #[error("{} is not valid JSON: {why}", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// The problem.
        why: String,
    },
}

impl ClaudeCode {
    /// The program `claude` on `PATH`.
    pub(super) fn find() -> Option<Self> {
        let environment: BTreeMap<_, _> = env::vars_os().collect();
        let variable = |name: &str| environment.get(OsStr::new(name)).map(OsString::as_os_str);
        let program = find_program("claude", variable("PATH"), variable("HOME")).ok()?;
        Some(Self { program, environment })
    }

    /// Reads everything that it knows about us. `None` if it is not Claude Code, or only a placeholder for it.
    pub(super) async fn look(&self) -> Result<Option<FoundClaude>, ClaudeProblem> {
        let answer = self.ask(&["--version"]).await?;
        let Some(version) = version(&answer.stdout).filter(|_| answer.exit == Exit::Code(0)) else { return Ok(None) };
        let (plugins, marketplaces) = (self.list(&["plugin", "list"]), self.list(&["plugin", "marketplace", "list"]));
        let (plugins, marketplaces) = (plugins.await, marketplaces.await);
        Ok(Some(FoundClaude {
            program: self.program.clone(),
            version,
            settings: UserFile::read(&self.config_dir().join("settings.json"))?,
            server: self.server()?,
            plugin: plugins.iter().find(|plugin| plugin["id"] == PLUGIN_ID).map(|plugin| InstalledPlugin {
                version: plugin["version"].as_str().unwrap_or_default().to_owned(),
                is_enabled: plugin["enabled"].as_bool().unwrap_or(false),
            }),
            marketplace: marketplaces.iter().find(|known| known["name"] == NAME).map(|known| {
                match (known["source"].as_str(), known["path"].as_str()) {
                    (Some("directory"), Some(path)) if !uses_command(Path::new(path)) => {
                        KnownMarketplace::Directory(path.into())
                    }
                    _ => KnownMarketplace::Other,
                }
            }),
        }))
    }

    /// The directory of `settings.json`.
    fn config_dir(&self) -> PathBuf {
        self.chosen_dir().unwrap_or_else(|| self.home().join(".claude"))
    }

    fn chosen_dir(&self) -> Option<PathBuf> {
        self.environment.get(OsStr::new("CLAUDE_CONFIG_DIR")).filter(|dir| !dir.is_empty()).map(PathBuf::from)
    }

    fn home(&self) -> PathBuf {
        self.environment.get(OsStr::new("HOME")).map(PathBuf::from).unwrap_or_default()
    }

    /// The user's entry for our server. Claude Code has a command that prints it, but that command also starts the server.
    fn server(&self) -> Result<Option<RegisteredServer>, ClaudeProblem> {
        let path = self.chosen_dir().unwrap_or_else(|| self.home()).join(".claude.json");
        let Some(text) = UserFile::read(&path)?.text else { return Ok(None) };
        let state: Value =
            serde_json::from_str(&text).map_err(|error| ClaudeProblem::NotJson { path, why: error.to_string() })?;
        let entry = state["mcpServers"].get(NAME).cloned();
        Ok(entry.map(|entry| RegisteredServer { entry }))
    }

    /// A list that a command prints. Versions without this command have no such list.
    async fn list(&self, command: &[&str]) -> Vec<Value> {
        let command: Vec<_> = command.iter().chain(&["--json"]).copied().collect();
        let answer = self.ask(&command).await.ok();
        answer.and_then(|answer| serde_json::from_str(&answer.stdout).ok()).unwrap_or_default()
    }

    async fn ask(&self, arguments: &[&str]) -> Result<ProbeAnswer, ProbeError> {
        probe(&self.program, &command(arguments), &self.environment).await
    }

    async fn run(&self, arguments: &[&str]) -> Result<(), ClaudeProblem> {
        let answer = run_within(CHANGE_DEADLINE, &self.program, &command(arguments), &self.environment).await?;
        if answer.exit == Exit::Code(0) {
            return Ok(());
        }
        let words = arguments.iter().take_while(|word| !word.starts_with('{')).copied();
        let command = ["claude"].into_iter().chain(words).collect::<Vec<_>>().join(" ");
        let said = [answer.stderr.trim(), answer.stdout.trim()].into_iter().find(|said| !said.is_empty());
        Err(ClaudeProblem::Refused { command, said: said.unwrap_or("it printed nothing").to_owned() })
    }

    /// Adds a server for all projects.
    pub(super) async fn add_server(&self, program: &str, arguments: &[String]) -> Result<(), ClaudeProblem> {
        let command = ["mcp", "add", "--scope", "user", NAME, "--", program];
        let arguments: Vec<_> = command.into_iter().chain(arguments.iter().map(String::as_str)).collect();
        self.run(&arguments).await
    }

    /// Restores the entry of a server.
    pub(super) async fn restore_server(&self, entry: &Value) -> Result<(), ClaudeProblem> {
        self.run(&["mcp", "add-json", "--scope", "user", NAME, &entry.to_string()]).await
    }

    /// Removes the server.
    pub(super) async fn remove_server(&self) -> Result<(), ClaudeProblem> {
        self.run(&["mcp", "remove", "--scope", "user", NAME]).await
    }

    /// Adds a directory as marketplace.
    pub(super) async fn add_marketplace(&self, directory: &Path) -> Result<(), ClaudeProblem> {
        self.run(&["plugin", "marketplace", "add", &directory.to_string_lossy()]).await
    }

    /// Removes the marketplace and its plugin.
    pub(super) async fn remove_marketplace(&self) -> Result<(), ClaudeProblem> {
        self.run(&["plugin", "marketplace", "remove", NAME]).await
    }

    /// Installs the plugin.
    pub(super) async fn install_plugin(&self) -> Result<(), ClaudeProblem> {
        self.run(&["plugin", "install", PLUGIN_ID]).await
    }

    /// Updates the plugin to the version in its marketplace.
    pub(super) async fn update_plugin(&self) -> Result<(), ClaudeProblem> {
        self.run(&["plugin", "marketplace", "update", NAME]).await?;
        self.run(&["plugin", "update", PLUGIN_ID]).await
    }

    /// Enables the plugin.
    pub(super) async fn enable_plugin(&self) -> Result<(), ClaudeProblem> {
        self.run(&["plugin", "enable", PLUGIN_ID]).await
    }

    /// Removes the plugin.
    pub(super) async fn uninstall_plugin(&self) -> Result<(), ClaudeProblem> {
        self.run(&["plugin", "uninstall", PLUGIN_ID]).await
    }
}

/// Whether the marketplace in this directory gets the plugin from a command, like the one in `packaging/marketplace`. Its
/// plugin comes from this program too, so it needs no replacement.
fn uses_command(marketplace: &Path) -> bool {
    let file = UserFile::read(&marketplace.join(".claude-plugin/marketplace.json")).ok();
    let content: Option<Value> = file.and_then(|file| serde_json::from_str(&file.text?).ok());
    content.is_some_and(|content| content["plugins"][0]["source"]["source"] == "command")
}

fn command(arguments: &[&str]) -> ProbeCommand {
    ProbeCommand { args: arguments.iter().map(|argument| (*argument).to_owned()).collect() }
}

/// The version in an answer such as `2.1.332 (Claude Code)`.
fn version(answer: &str) -> Option<[u64; 3]> {
    let mut numbers = answer.trim().strip_suffix("(Claude Code)")?.trim().split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marketplace_that_runs_a_command_differs_from_a_directory_with_the_plugin() {
        let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
        assert!(uses_command(&packaging.join("marketplace")));
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let program = crate::plugin::PluginProgram { program: "/bin/sh".into(), arguments: vec![] };
        let ours = crate::plugin::unpack(dir.path(), &program).expect("the directory is writable").marketplace;
        for other in [ours, packaging, "/no/such/directory".into()] {
            assert!(!uses_command(&other), "{}", other.display());
        }
    }

    #[test]
    fn only_claude_code_has_its_version() {
        assert_eq!(version("2.1.332 (Claude Code)\n"), Some([2, 1, 332]));
        for other in ["", "2.1.332", "2.1 (Claude Code)", "claude native binary not installed", "v2.1.3 (Claude Code)"]
        {
            assert_eq!(version(other), None, "{other}");
        }
    }
}
