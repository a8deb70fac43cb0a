//! `config show`: the settings in force.

use std::path::Path;

use super::{
    Line, Screen, Tone,
    table::{Column, table},
};
use crate::present::json_parts::{SettingObject, SourceKind};

const COLUMNS: [Column; 3] = [
    Column { title: "KEY", is_flexible: false, is_number: false, rank: 0 },
    Column { title: "VALUE", is_flexible: true, is_number: false, rank: 0 },
    Column { title: "FROM", is_flexible: false, is_number: false, rank: 1 },
];

/// The settings, one per row. On a terminal, the path of the file is above them.
///
/// In a pipe, the columns are: key, value as JSON, source.
pub(crate) fn settings(file: Option<&Path>, exists: bool, settings: &[SettingObject], screen: Screen) -> String {
    let mut text = String::new();
    if let Some(file) = file.filter(|_| screen.is_terminal()) {
        let note = if exists { "" } else { " (does not exist)" };
        let line = Line::of(Tone::Faint, "Configuration file: ")
            .with(Tone::Plain, &*file.to_string_lossy())
            .with(Tone::Faint, note);
        text.push_str(&(line.render(screen) + "\n\n"));
    }
    text + &table(&COLUMNS, settings.iter().map(|setting| row(setting, screen)).collect(), screen)
}

fn row(setting: &SettingObject, screen: Screen) -> Vec<Line> {
    let tone = if setting.source == SourceKind::Default { Tone::Plain } else { Tone::Strong };
    let value = if setting.hidden { "(hidden)".to_owned() } else { setting.value.to_string() };
    let name = setting.name.as_deref().unwrap_or_default();
    let source = match (setting.source, screen.is_terminal()) {
        (SourceKind::Default, _) => "default".to_owned(),
        (SourceKind::File, true) => "file".to_owned(),
        (SourceKind::Flag | SourceKind::Variable | SourceKind::File, _) => name.to_owned(),
    };
    vec![Line::of(tone, &setting.key), Line::of(tone, &value), Line::of(Tone::Faint, &source)]
}
