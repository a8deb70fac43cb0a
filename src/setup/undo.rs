//! Undoes what `init` did.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    apply::SetupProblem,
    claude::{ClaudeCode, ClaudeProblem},
    config_toml::without_changes,
    found::FoundClaude,
    record::{RecordedFile, SetupRecord},
    settings_json::{is_empty, without_rules},
    user_file::{UserFile, UserFileProblem},
};
use crate::plugin;

/// One thing that was undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// A file has its earlier content again, byte for byte.
    Restored(PathBuf),
    /// Only our entries were removed from a file, because others have changed it since.
    EntriesRemoved(PathBuf),
    /// The plugin was uninstalled.
    Plugin,
    /// The server was removed from Claude Code.
    Server,
    /// The server that was there before was added again.
    ServerRestored,
}

/// A part that could not be undone without Claude Code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remaining {
    /// The plugin is installed in Claude Code, or its marketplace is known there.
    Plugin,
    /// The server is registered in Claude Code.
    Server,
    /// The server that was there before is still removed.
    EarlierServer,
}

/// Undoes everything in the record, and removes the record. Returns `None` if there is no record.
///
/// Without Claude Code, undoes the changes to files, and returns what remains. The record keeps that for the next time.
pub async fn undo(data_dir: &Path) -> Result<Option<(Vec<Undone>, Vec<Remaining>)>, SetupProblem> {
    let Some(mut record) = SetupRecord::read(data_dir)? else { return Ok(None) };
    let mut undone = vec![];
    // Claude Code changes `settings.json` while it uninstalls the plugin, so its content is compared before that.
    let restorable = match &record.settings {
        Some(recorded) => recorded.restorable(UserFile::read(&recorded.path)?.text.as_deref()).is_some(),
        None => false,
    };
    check_writable([&record.settings, &record.config].into_iter().flatten())?;
    let mut remaining = parts_in_claude(&record);
    if !remaining.is_empty()
        && let Some((claude, known)) = claude_code().await?
    {
        undo_in_claude(&claude, &known, &mut record, data_dir, &mut undone).await?;
        remaining.clear();
    }
    if let Some(recorded) = &record.settings {
        let file = UserFile::read(&recorded.path)?;
        let before = recorded.before.as_deref();
        if restorable {
            restore(&file, before)?;
            undone.push(Undone::Restored(file.path.clone()));
        } else if let Some(now) = file.text.as_deref() {
            let text = without_rules(now, before, &record.rules)
                .map_err(|source| SetupProblem::Settings { path: file.path.clone(), source })?;
            restore(&file, Some(&text).filter(|text| before.is_some() || !is_empty(text)).map(String::as_str))?;
            undone.push(Undone::EntriesRemoved(file.path.clone()));
        }
    }
    if let Some(recorded) = &record.config {
        undone.extend(undo_config(recorded, &record)?);
    }
    if !remaining.is_empty() {
        keep_remaining(&mut record, data_dir)?;
        return Ok(Some((undone, remaining)));
    }
    plugin::remove(data_dir)?;
    let directory = data_dir.join("init");
    match fs::remove_dir_all(&directory) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(UserFileProblem::Inaccessible { action: "remove", path: directory, source }.into())
        }
        Ok(()) | Err(_) => Ok(Some((undone, remaining))),
    }
}

fn check_writable<'a>(files: impl Iterator<Item = &'a RecordedFile>) -> Result<(), SetupProblem> {
    for recorded in files {
        let file = UserFile::read(&recorded.path)?;
        if !file.is_writable {
            return Err(SetupProblem::ReadOnly { path: file.path });
        }
    }
    Ok(())
}

/// Claude Code and what it knows about us; `None` if it is not on `PATH` or does not run.
async fn claude_code() -> Result<Option<(ClaudeCode, FoundClaude)>, SetupProblem> {
    let Some(claude) = ClaudeCode::find() else { return Ok(None) };
    match claude.look().await {
        Ok(known) => Ok(known.map(|known| (claude, known))),
        Err(ClaudeProblem::Program(_)) => Ok(None),
        Err(problem) => Err(problem.into()),
    }
}

/// The parts that only Claude Code can undo.
fn parts_in_claude(record: &SetupRecord) -> Vec<Remaining> {
    let parts = [
        (record.plugin || record.marketplace, Remaining::Plugin),
        (record.server, Remaining::Server),
        (record.removed_server.is_some(), Remaining::EarlierServer),
    ];
    parts.into_iter().filter(|(is_there, _)| *is_there).map(|(_, part)| part).collect()
}

/// Makes the record forget the changes to files, which were undone. `settings.json` stays in it, because Claude Code
/// changes that file again when it uninstalls the plugin.
fn keep_remaining(record: &mut SetupRecord, data_dir: &Path) -> Result<(), SetupProblem> {
    if let Some(recorded) = &mut record.settings {
        recorded.after = UserFile::read(&recorded.path)?.text;
    }
    record.rules.clear();
    record.config = None;
    record.changes.clear();
    Ok(record.write(data_dir)?)
}

/// Undoes what Claude Code did. The record forgets each part that is undone, so that a second attempt continues there.
async fn undo_in_claude(
    claude: &ClaudeCode,
    known: &FoundClaude,
    record: &mut SetupRecord,
    data_dir: &Path,
    undone: &mut Vec<Undone>,
) -> Result<(), SetupProblem> {
    if record.plugin && known.plugin.is_some() {
        claude.uninstall_plugin().await?;
        undone.push(Undone::Plugin);
    }
    record.plugin = false;
    record.write(data_dir)?;
    if record.marketplace && known.marketplace.is_some() {
        claude.remove_marketplace().await?;
    }
    record.marketplace = false;
    record.write(data_dir)?;
    if record.server && known.server.is_some() {
        claude.remove_server().await?;
        undone.push(Undone::Server);
    }
    let has_other = !record.server && known.server.is_some();
    record.server = false;
    record.write(data_dir)?;
    if let Some(entry) = record.removed_server.as_ref().filter(|_| !has_other) {
        claude.restore_server(entry).await?;
        undone.push(Undone::ServerRestored);
    }
    record.removed_server = None;
    Ok(record.write(data_dir)?)
}

fn undo_config(recorded: &RecordedFile, record: &SetupRecord) -> Result<Option<Undone>, SetupProblem> {
    let file = UserFile::read(&recorded.path)?;
    let Some(now) = file.text.as_deref() else { return Ok(None) };
    if let Some(before) = recorded.restorable(Some(now)) {
        restore(&file, before)?;
        return Ok(Some(Undone::Restored(file.path)));
    }
    let before = recorded.before.as_deref();
    let text = without_changes(now, before, &record.changes)
        .map_err(|source| SetupProblem::Toml { path: file.path.clone(), source })?;
    restore(&file, Some(&*text).filter(|text| before.is_some() || !text.trim().is_empty()))?;
    Ok(Some(Undone::EntriesRemoved(file.path)))
}

fn restore(file: &UserFile, text: Option<&str>) -> Result<(), UserFileProblem> {
    if file.text.as_deref() == text { Ok(()) } else { file.write(text) }
}
