//! One command line, described independently of the dialect.

use std::{
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use super::FakeAgentError;

/// One run, as its arguments describe it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// The session to resume.
    pub(crate) resumed: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) sandbox: SandboxLevel,
    /// The directory to change to.
    pub(crate) directory: Option<PathBuf>,
    /// The prompt, if it is an argument.
    pub(crate) prompt: Option<String>,
}

/// The writes that the steps `create` and `run` are allowed. Other steps are not restricted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum SandboxLevel {
    ReadOnly,
    WorkspaceWrite,
    #[default]
    Full,
}

impl SandboxLevel {
    /// Whether an agent that works in `directory` may write `path`.
    pub(crate) fn allows(self, path: &Path, directory: &Path) -> bool {
        match self {
            SandboxLevel::ReadOnly => false,
            SandboxLevel::WorkspaceWrite => plain(&directory.join(path)).starts_with(directory),
            SandboxLevel::Full => true,
        }
    }
}

impl Invocation {
    /// The model, if its name says that no provider has it.
    pub(crate) fn unknown_model(&self) -> Option<&str> {
        let model = self.model.as_deref()?;
        // OpenCode puts the provider's name first.
        let name = model.rsplit('/').next().unwrap_or(model);
        name.starts_with("no-such-model").then_some(model)
    }

    /// Returns the prompt: an argument, or everything on stdin.
    pub(crate) fn take_prompt(&mut self) -> Result<String, FakeAgentError> {
        if let Some(prompt) = self.prompt.take() {
            return Ok(prompt);
        }
        let mut prompt = Vec::new();
        io::stdin().read_to_end(&mut prompt)?;
        Ok(String::from_utf8_lossy(&prompt).into_owned())
    }
}

/// The value of the first option that is one of `names`: the next argument, or the part after `=`.
pub(crate) fn value_of<'a>(args: &[&'a str], names: &[&str]) -> Option<&'a str> {
    options(args).iter().enumerate().find_map(|(at, arg)| {
        if names.contains(arg) {
            return args.get(at + 1).copied();
        }
        let (name, value) = arg.split_once('=')?;
        names.contains(&name).then_some(value)
    })
}

pub(crate) fn has(args: &[&str], name: &str) -> bool {
    options(args).contains(&name)
}

/// Everything after the first `--`.
pub(crate) fn words_after_dashes(args: &[&str]) -> Option<String> {
    let after = &args[options(args).len()..];
    (after.len() > 1).then(|| after[1..].join(" "))
}

fn options<'a, 'b>(args: &'b [&'a str]) -> &'b [&'a str] {
    let end = args.iter().position(|arg| *arg == "--").unwrap_or(args.len());
    &args[..end]
}

/// The path without `.` and `..`; symbolic links are not resolved.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_value_follows_a_space_or_an_equals_sign() {
        for args in [["-m", "large"].as_slice(), &["--model=large"], &["x", "--model", "large", "--", "--model=y"]] {
            assert_eq!(value_of(args, &["-m", "--model"]), Some("large"), "{args:?}");
        }
        assert_eq!(value_of(&["--", "--model=large"], &["--model"]), None);
        assert_eq!(words_after_dashes(&["-p", "--", "--a", "b"]).as_deref(), Some("--a b"));
        assert_eq!(words_after_dashes(&["-p", "--"]), None);
    }

    #[test]
    fn each_sandbox_allows_the_writes_that_its_name_promises() {
        let project = Path::new("/project");
        for (sandbox, path, is_allowed) in [
            (SandboxLevel::ReadOnly, "a", false),
            (SandboxLevel::WorkspaceWrite, "a/../b", true),
            (SandboxLevel::WorkspaceWrite, "/project/a", true),
            (SandboxLevel::WorkspaceWrite, "../a", false),
            (SandboxLevel::WorkspaceWrite, "/projects/a", false),
            (SandboxLevel::Full, "/a", true),
        ] {
            assert_eq!(sandbox.allows(Path::new(path), project), is_allowed, "{sandbox:?} {path}");
        }
    }

    #[test]
    fn an_unknown_model_is_recognized_with_a_provider_prefix() {
        let call = |model: &str| Invocation { model: Some(model.into()), ..Invocation::default() };
        assert_eq!(call("mock/no-such-model-2").unknown_model(), Some("mock/no-such-model-2"));
        assert_eq!(call("some-model").unknown_model(), None);
    }
}
