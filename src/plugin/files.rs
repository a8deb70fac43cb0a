//! The embedded files of the plugin, and the parts that depend on this program.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{
    problem::PluginProblem,
    tree::{FileTree, PluginFile},
};

/// The version of this program and of its plugin.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name of the plugin and of its marketplace.
pub const NAME: &str = "codex-connector";

/// The name of the MCP server in the plugin. It is short, because it is a part of the names of all tools.
pub const SERVER: &str = "agents";

macro_rules! embedded {
    ($($path:literal),+ $(,)?) => {
        [$(($path, include_bytes!(concat!("../../packaging/plugin/", $path)))),+]
    };
}

/// The files in `packaging/plugin`: path and content.
pub(super) const FILES: [(&str, &[u8]); 13] = embedded![
    ".claude-plugin/icon.png",
    ".claude-plugin/plugin.json",
    ".mcp.json",
    "LICENSE",
    "README.md",
    "bin/codex-connector",
    "commands/delegate.md",
    "commands/review.md",
    "commands/status.md",
    "commands/tasks.md",
    "hooks/hooks.json",
    "monitors/monitors.json",
    "skills/delegate-work/SKILL.md",
];

/// The program that the plugin starts, and arguments that precede all others, such as `--data-dir DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginProgram {
    /// An absolute path, without symbolic links.
    pub program: PathBuf,
    /// The arguments.
    pub arguments: Vec<String>,
}

impl PluginProgram {
    /// The words of the script that starts the program, quoted for a POSIX shell. Fails for a path that is not UTF-8,
    /// which no script could contain reliably.
    fn shell_words(&self) -> Result<(String, String), PluginProblem> {
        let not_quotable = || PluginProblem::Program { program: self.program.clone() };
        let quoted = |word: &str| shlex::try_quote(word).map(|word| word.into_owned()).map_err(|_| not_quotable());
        let program = quoted(self.program.to_str().ok_or_else(not_quotable)?)?;
        let arguments = self.arguments.iter().map(|argument| quoted(argument).map(|word| word + " "));
        Ok((program, arguments.collect::<Result<_, _>>()?))
    }
}

/// The plugin's files for this program.
pub(super) fn rendered(program: &PluginProgram) -> Result<FileTree, PluginProblem> {
    let (word, arguments) = program.shell_words()?;
    let file = |(path, content): (&str, &'static [u8])| {
        let content = match path {
            ".claude-plugin/plugin.json" => text(content).replace("{{VERSION}}", VERSION).into_bytes(),
            "bin/codex-connector" => {
                text(content).replace("{{ARGUMENTS}}", &arguments).replace("{{PROGRAM}}", &word).into_bytes()
            }
            _ => content.to_owned(),
        };
        (Path::new(path).to_owned(), PluginFile { content, is_executable: path.starts_with("bin/") })
    };
    Ok(FileTree(FILES.into_iter().map(file).collect()))
}

fn text(content: &'static [u8]) -> &'static str {
    str::from_utf8(content).expect("the embedded file is text")
}

/// A marketplace whose only plugin is the current version in the same directory.
pub(super) fn marketplace() -> String {
    let marketplace = json!({
        "name": NAME,
        "description": "Delegate coding tasks to the Codex CLI and other coding agents",
        "owner": {"name": "The codex-connector authors"},
        "plugins": [{
            "name": NAME,
            "description": "Delegates coding tasks to the Codex CLI and other coding agents.",
            "category": "development",
            "source": format!("./{VERSION}"),
        }],
    });
    format!("{marketplace:#}\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn program() -> PluginProgram {
        PluginProgram { program: "/opt/it's here/codex-connector".into(), arguments: vec![] }
    }

    fn content(tree: &FileTree, path: &str) -> String {
        String::from_utf8(tree.0[Path::new(path)].content.clone()).expect("the file is text")
    }

    #[test]
    fn the_plugin_has_the_version_of_the_program() {
        let files = rendered(&program()).expect("the path can be quoted");
        let manifest: Value = serde_json::from_str(&content(&files, ".claude-plugin/plugin.json")).expect("JSON");
        assert_eq!(manifest["version"], VERSION);
        assert_eq!(manifest["name"], NAME);
        let marketplace: Value = serde_json::from_str(&marketplace()).expect("JSON");
        assert_eq!(marketplace["plugins"][0]["source"], format!("./{VERSION}"));
        let servers: Value = serde_json::from_str(&content(&files, ".mcp.json")).expect("JSON");
        assert!(servers["mcpServers"][SERVER].is_object(), "{servers}");
    }

    #[test]
    fn the_settings_have_only_keys_that_older_versions_of_claude_code_know() {
        let files = rendered(&program()).expect("the path can be quoted");
        let manifest: Value = serde_json::from_str(&content(&files, ".claude-plugin/plugin.json")).expect("JSON");
        let settings = manifest["userConfig"].as_object().expect("it has settings");
        for (name, setting) in settings {
            // 2.1.197 does not install a plugin with other keys, such as `options`.
            let known = ["type", "title", "description", "required"];
            let keys = setting.as_object().expect("a setting is an object").keys();
            assert_eq!(keys.filter(|key| !known.contains(&key.as_str())).collect::<Vec<_>>(), [""; 0], "{name}");
        }
        assert!(settings.contains_key("sandbox"), "{settings:?}");
    }

    #[test]
    fn every_file_of_the_plugin_is_embedded_and_none_has_a_gap_left() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/plugin");
        let on_disk = FileTree::read(&directory).expect("the directory is readable");
        let files = rendered(&program()).expect("the path can be quoted");
        assert_eq!(files.0.keys().collect::<Vec<_>>(), on_disk.0.keys().collect::<Vec<_>>());
        for (path, file) in &files.0 {
            assert!(!file.content.windows(2).any(|two| two == b"{{"), "{}", path.display());
        }
    }

    #[test]
    fn the_license_is_the_one_of_the_repository() {
        let files = rendered(&program()).expect("the path can be quoted");
        assert_eq!(content(&files, "LICENSE"), include_str!("../../LICENSE"));
    }

    #[test]
    fn a_path_that_no_script_can_contain_is_refused() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        let program = PluginProgram { program: OsStr::from_bytes(b"/opt/\xff").into(), arguments: vec![] };
        assert!(matches!(rendered(&program), Err(PluginProblem::Program { .. })));
    }
}
