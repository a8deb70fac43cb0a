//! A home directory in which Codex is configured for a scripted model.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A temporary `HOME` and `CODEX_HOME`, removed when dropped.
#[derive(Debug)]
pub struct CodexHome {
    directory: TempDir,
}

impl CodexHome {
    /// A home in which Codex uses `model` from the provider at `base_url`.
    ///
    /// Codex offers `apply_patch` to a model that it knows, such as `gpt-5.5`. For an unknown model, the stream begins
    /// with a warning. Codex prints another warning on stderr about homes in temporary directories. Both are harmless.
    pub fn new(base_url: &str, model: &str) -> CodexHome {
        let directory =
            tempfile::Builder::new().prefix("codex-home-").tempdir().expect("a temporary directory can be created");
        CodexHome::in_directory(directory, base_url, model)
    }

    /// Like [`CodexHome::new`], but in a new directory below `parent`, for example to avoid the temporary directories,
    /// which sandboxes leave writable.
    pub fn below(parent: &Path, base_url: &str, model: &str) -> CodexHome {
        let directory = tempfile::Builder::new()
            .prefix("codex-home-")
            .tempdir_in(parent)
            .expect("a temporary directory can be created");
        CodexHome::in_directory(directory, base_url, model)
    }

    /// Like [`CodexHome::new`], but in an existing directory.
    pub(crate) fn in_directory(directory: TempDir, base_url: &str, model: &str) -> CodexHome {
        let home = CodexHome { directory };
        fs::create_dir(home.codex_home()).expect("our own directory is writable");
        fs::write(home.codex_home().join("config.toml"), config(base_url, model))
            .expect("our own directory is writable");
        home
    }

    /// The directory itself. It is removed when the caller drops it.
    pub(crate) fn into_directory(self) -> TempDir {
        self.directory
    }

    /// The home directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The directory with `config.toml` and the sessions.
    pub fn codex_home(&self) -> PathBuf {
        self.directory.path().join(".codex")
    }

    /// Every environment variable that Codex needs: `HOME`, `CODEX_HOME`, and our `PATH`, in which npm's wrapper script
    /// finds `node`.
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("HOME", self.directory.path().into()),
            ("CODEX_HOME", self.codex_home().into()),
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ]
    }

    /// A command that runs `program` with these variables and no others.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.variables());
        command
    }
}

fn config(base_url: &str, model: &str) -> String {
    format!(
        r#"model = "{model}"
model_provider = "mock"

[model_providers.mock]
name = "mock"
base_url = "{base_url}"
wire_api = "responses"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_has_a_configuration_and_is_removed_when_dropped() {
        let home = CodexHome::new("http://127.0.0.1:1/v1", "mock-model");
        let path = home.path().to_owned();
        let config = fs::read_to_string(home.codex_home().join("config.toml")).expect("it was written");
        assert!(config.contains(r#"base_url = "http://127.0.0.1:1/v1""#), "{config}");
        drop(home);
        assert!(!path.exists());
    }

    #[test]
    fn a_command_gets_only_the_variables_of_the_home() {
        let home = CodexHome::new("http://127.0.0.1:1/v1", "mock-model");
        let output = home.command(Path::new("env")).output().expect("env is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        names.sort_unstable();
        assert_eq!(names, ["CODEX_HOME", "HOME", "PATH"]);
    }
}
