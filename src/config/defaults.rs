//! Reads `config/default.toml`, the only file that contains the defaults and describes the keys.

use std::collections::BTreeMap;

use figment::{
    Figment,
    providers::{Format, Toml},
};
use serde_json::Value;

use super::setting::{Origin, Setting};

/// The content of the file.
pub(super) const TEXT: &str = include_str!("../../config/default.toml");

/// The defaults as a layer.
pub(super) fn figment() -> Figment {
    Figment::from(Toml::string(TEXT))
}

/// The defaults, one setting for each key.
pub(super) fn settings() -> Vec<Setting> {
    let table: Value = figment().extract().expect("default.toml is valid, which the tests check");
    Setting::all_in(&Origin::Defaults, vec![], table)
}

/// The comment before each key and each section, by the dotted key, without indented examples. Keys that are commented
/// out are included.
pub(super) fn comments() -> BTreeMap<String, String> {
    let mut comments = BTreeMap::new();
    let (mut section, mut comment) = (String::new(), Vec::new());
    for line in TEXT.lines() {
        match line.strip_prefix('#') {
            Some(example) if example.is_empty() || example.starts_with("   ") => continue,
            Some(prose) if prose.starts_with(' ') => {
                comment.push(prose.trim());
                continue;
            }
            Some(_) | None => {}
        }
        let code = line.trim_start_matches('#');
        let header = code.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(name) = header {
            section = format!("{name}.");
            comments.insert(name.to_owned(), comment.join(" "));
        } else if let Some((key, _)) = code.split_once(" = ") {
            comments.insert(format!("{section}{key}"), comment.join(" "));
        }
        comment.clear();
    }
    comments
}
