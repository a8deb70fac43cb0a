//! Carries out a plan.

use std::path::Path;

use super::{
    claude::{ClaudeCode, ClaudeProblem},
    config_toml::{InvalidToml, with_changes},
    found::Found,
    plan::{MarketplaceAction, Plan, PluginAction, PluginStep, Step},
    record::{RecordProblem, RecordedFile, SetupRecord},
    settings_json::{InvalidSettings, with_rules},
    user_file::{UserFile, UserFileProblem},
};
use crate::plugin::{PluginProblem, check_destination, unpack};

/// Why a plan was not carried out completely.
#[derive(Debug, thiserror::Error)]
pub enum SetupProblem {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] UserFileProblem),
    /// A file may not be written.
    #[error("{} is read-only", path.display())]
    ReadOnly {
        /// The file.
        path: std::path::PathBuf,
    },
    /// `settings.json` cannot be edited.
    #[error("{} cannot be edited: {source}", path.display())]
    Settings {
        /// The file.
        path: std::path::PathBuf,
        /// The problem.
        source: InvalidSettings,
    },
    /// `config.toml` cannot be edited.
    #[error("{} cannot be edited: {source}", path.display())]
    Toml {
        /// The file.
        path: std::path::PathBuf,
        /// The problem.
        source: InvalidToml,
    },
    /// The record cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordProblem),
    /// Claude Code cannot be asked, or refused a change.
    #[error(transparent)]
    Claude(#[from] ClaudeProblem),
    /// The plugin cannot be written.
    #[error(transparent)]
    Plugin(#[from] PluginProblem),
    /// Another process is setting up Claude Code, or undoing it.
    #[error("another `codex-connector init` has been running for {} s", waited.as_secs())]
    Locked {
        /// How long this process has waited.
        waited: std::time::Duration,
    },
    /// Claude Code is not installed any more, so its part cannot be undone.
    #[error("`claude` not found on PATH")]
    NoClaude,
}

/// Carries out a plan. If a step fails, the ones before it stay, and the record lets `undo` revert them.
///
/// Every file is checked before the first step.
pub async fn apply(plan: &Plan, found: &Found, data_dir: &Path) -> Result<(), SetupProblem> {
    check_files(plan, found, data_dir)?;
    let mut record = SetupRecord::read(data_dir)?.unwrap_or_default();
    record.choices = plan.choices;
    let claude = found.claude.as_ref().map(|claude| &claude.settings);
    if let Some(settings) = claude {
        // Claude Code writes the file too while it installs the plugin.
        RecordedFile::begin(&mut record.settings, settings);
        keep_copy(settings, data_dir)?;
    }
    for step in &plan.steps {
        let done = carry_out(step, found, data_dir, &mut record).await;
        if let (Some(settings), Some(recorded)) = (claude, &mut record.settings) {
            recorded.after = UserFile::read(&settings.path)?.text;
        }
        record.write(data_dir)?;
        done?;
    }
    Ok(())
}

fn check_files(plan: &Plan, found: &Found, data_dir: &Path) -> Result<(), SetupProblem> {
    for step in &plan.steps {
        if matches!(step, Step::Plugin(_)) {
            check_destination(data_dir)?;
        }
        let file = match step {
            Step::Config(_) => Some(&found.config.file),
            Step::Rules(_) | Step::Plugin(_) => found.claude.as_ref().map(|claude| &claude.settings),
            Step::RemoveServer(_) | Step::AddServer => None,
        };
        if let Some(file) = file.filter(|file| !file.is_writable) {
            return Err(SetupProblem::ReadOnly { path: file.path.clone() });
        }
    }
    Ok(())
}

/// Keeps the content of a file in the data directory, unless an earlier copy is there.
fn keep_copy(file: &UserFile, data_dir: &Path) -> Result<(), UserFileProblem> {
    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
    let copy = UserFile::read(&data_dir.join("init").join(format!("{name}.before")))?;
    match (&file.text, &copy.text) {
        (Some(text), None) => copy.write(Some(text)),
        (None, _) | (Some(_), Some(_)) => Ok(()),
    }
}

/// Carries out a step. Its effect is recorded first, so that `undo` also reverts a step that was interrupted. `undo`
/// checks the files and the plugin before it reverts anything.
async fn carry_out(step: &Step, found: &Found, data_dir: &Path, record: &mut SetupRecord) -> Result<(), SetupProblem> {
    let claude = || ClaudeCode::find().ok_or(SetupProblem::NoClaude);
    match step {
        Step::Config(changes) => {
            let file = UserFile::read(&found.config.file.path)?;
            let text = with_changes(file.text.as_deref(), changes)
                .map_err(|source| SetupProblem::Toml { path: file.path.clone(), source })?;
            RecordedFile::begin(&mut record.config, &file);
            keep_copy(&file, data_dir)?;
            record
                .changes
                .retain(|old| !changes.iter().any(|new| (&old.section, &old.key) == (&new.section, &new.key)));
            record.changes.extend(changes.iter().cloned());
            if let Some(recorded) = &mut record.config {
                recorded.after = Some(text.clone());
            }
            record.write(data_dir)?;
            file.write(Some(&text))?;
        }
        Step::RemoveServer(server) => {
            // An entry that `init` added itself is not restored.
            if !record.server && record.removed_server.is_none() {
                record.removed_server = Some(server.entry.clone());
            }
            record.write(data_dir)?;
            claude()?.remove_server().await?;
            record.server = false;
        }
        Step::AddServer => {
            record.server = true;
            record.write(data_dir)?;
            claude()?.add_server(&found.program.program.to_string_lossy(), &found.program.arguments).await?;
        }
        Step::Plugin(step) => install_plugin(*step, &claude()?, found, data_dir, record).await?,
        Step::Rules(rules) => {
            let Some(claude) = &found.claude else { return Err(SetupProblem::NoClaude) };
            let file = UserFile::read(&claude.settings.path)?;
            let text = with_rules(file.text.as_deref(), rules)
                .map_err(|source| SetupProblem::Settings { path: file.path.clone(), source })?;
            record.rules.extend(rules.iter().filter(|rule| !record.rules.contains(rule)).cloned().collect::<Vec<_>>());
            if let Some(recorded) = &mut record.settings {
                recorded.after = Some(text.clone());
            }
            record.write(data_dir)?;
            file.write(Some(&text))?;
        }
    }
    Ok(())
}

async fn install_plugin(
    step: PluginStep,
    claude: &ClaudeCode,
    found: &Found,
    data_dir: &Path,
    record: &mut SetupRecord,
) -> Result<(), SetupProblem> {
    record.write(data_dir)?;
    unpack(data_dir, &found.program)?;
    match step.marketplace {
        MarketplaceAction::Keep => {}
        MarketplaceAction::Replace => {
            // Until the other marketplace is gone, there is nothing to undo.
            claude.remove_marketplace().await?;
            record.marketplace = true;
            record.write(data_dir)?;
            claude.add_marketplace(&found.marketplace).await?;
        }
        MarketplaceAction::Add => {
            record.marketplace = true;
            record.write(data_dir)?;
            claude.add_marketplace(&found.marketplace).await?;
        }
    }
    match step.plugin {
        PluginAction::Keep => {}
        PluginAction::Install => {
            record.plugin = true;
            record.write(data_dir)?;
            claude.install_plugin().await?;
        }
        PluginAction::Update => claude.update_plugin().await?,
        PluginAction::Enable => claude.enable_plugin().await?,
    }
    Ok(())
}
