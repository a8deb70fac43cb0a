//! Keeps a project's own settings out of a sandboxed run.
//!
//! A sandbox flag alone does not confine Codex. If its user trusts a project, Codex also reads that project's `.codex`
//! directory: `sandbox_workspace_write` there widens `workspace-write`, and MCP servers, hooks and rules there run
//! commands outside every sandbox (observed in 0.169.0 and 0.171.0). An untrusted project's settings are ignored, so a
//! sandboxed run marks the project as untrusted. The user's own config.toml for Codex still counts.
//!
//! Codex decides separately for each directory from the project's root down to the working directory, and looks for the
//! directory itself before it looks for the root of its repository. Marking every ancestor covers all of them without
//! knowing which one Codex takes for the root.

use std::{ops::RangeInclusive, path::Path};

use connector_api::{AgentRequest, Installed, Sandbox, Unsupported};

use crate::{probe::major_and_minor, settings::ProjectSettings};

/// Versions that do not ask whether a project is trusted: 0.79.0 to 0.87.0 read all of its settings, and 0.90.0 to
/// 0.94.0 its rules. 0.77.0 reads none, and 0.95.0 asks. (0.78 and 0.88 were not published.)
const VERSIONS_WITHOUT_TRUST: RangeInclusive<(u64, u64)> = (0, 78)..=(0, 94);

/// Upper bound on the argument's length, in bytes. Linux accepts 131,072.
const MAX_ARGUMENT_BYTES: usize = 120_000;

/// Whether this version can be kept from reading a project's settings, or does not have to be.
pub(crate) fn is_enforced(settings: ProjectSettings, version: &str) -> bool {
    match settings {
        ProjectSettings::Trust => true,
        ProjectSettings::Ignore => {
            major_and_minor(version).is_none_or(|version| !VERSIONS_WITHOUT_TRUST.contains(&version))
        }
    }
}

/// The arguments that make Codex ignore the settings of the request's project, if it is to ignore them.
///
/// One argument carries the whole table: a second `-c projects=` would replace the first, and in the dotted form Codex
/// does not find a path with a dot in it.
pub(crate) fn args(
    settings: ProjectSettings,
    request: &AgentRequest,
    installed: &Installed,
) -> Result<Vec<String>, Unsupported> {
    match (settings, request.sandbox) {
        (ProjectSettings::Trust, _) | (_, Sandbox::DangerFullAccess) => Ok(vec![]),
        (ProjectSettings::Ignore, sandbox) if !is_enforced(settings, &installed.version) => Err(Unsupported::Sandbox {
            sandbox,
            found: format!("Codex {}", installed.version),
            why: "versions 0.78 to 0.94 read the settings of any project, and those can widen the sandbox; install a newer \
                  version, or accept that with `project_settings = \"trust\"` for this backend in config.toml"
                .into(),
        }),
        (ProjectSettings::Ignore, Sandbox::ReadOnly | Sandbox::WorkspaceWrite) => {
            Ok(vec!["-c".to_owned(), untrusted(&request.working_directory)?])
        }
    }
}

/// `projects={…}`, with the directory and everything above it.
fn untrusted(directory: &Path) -> Result<String, Unsupported> {
    let refuse = |why: &str| {
        let why = format!("{why}, so Codex cannot be made to ignore the project's own settings there");
        Unsupported::value("workingDirectory", why)
    };
    let mut entries = vec![];
    for ancestor in directory.ancestors() {
        let path = ancestor.to_str().ok_or_else(|| refuse("its path is not valid UTF-8"))?;
        entries.push(format!("{}={{trust_level=\"untrusted\"}}", quoted(path)));
    }
    let table = format!("projects={{{}}}", entries.join(","));
    if table.len() > MAX_ARGUMENT_BYTES { Err(refuse("its path has too many levels")) } else { Ok(table) }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};

    use super::*;

    fn args(settings: ProjectSettings, request: &AgentRequest) -> Result<Vec<String>, Unsupported> {
        super::args(settings, request, &installed("0.171.0"))
    }

    fn installed(version: &str) -> Installed {
        Installed { version: version.into(), sandboxes: Sandbox::ALL.into(), features: Default::default() }
    }

    fn request(directory: impl Into<PathBuf>, sandbox: Sandbox) -> AgentRequest {
        AgentRequest::new("x", directory, sandbox)
    }

    #[test]
    fn a_sandboxed_run_distrusts_its_directory_and_everything_above_it() {
        let expected = r#"projects={"/a/b"={trust_level="untrusted"},"/a"={trust_level="untrusted"},"/"={trust_level="untrusted"}}"#;
        for sandbox in [Sandbox::ReadOnly, Sandbox::WorkspaceWrite] {
            let args = args(ProjectSettings::Ignore, &request("/a/b", sandbox)).expect("an ordinary path");
            assert_eq!(args, ["-c", expected], "{sandbox}");
        }
    }

    #[test]
    fn nothing_is_passed_without_a_sandbox_or_where_the_project_is_trusted() {
        for (settings, sandbox) in [
            (ProjectSettings::Ignore, Sandbox::DangerFullAccess),
            (ProjectSettings::Trust, Sandbox::ReadOnly),
            (ProjectSettings::Trust, Sandbox::WorkspaceWrite),
        ] {
            assert_eq!(args(settings, &request("/a", sandbox)), Ok(vec![]), "{settings:?} {sandbox}");
        }
    }

    #[test]
    fn any_path_survives_a_round_trip_through_the_table() {
        for name in [
            "a b",
            "it's",
            "a\"b",
            "a\\b",
            "a\\\"",
            "a.b",
            "ä日本😀",
            "a\nb\tc\u{1}\u{7f}\u{85}",
            "}={\"",
            "#",
            "$HOME",
            "'''",
        ] {
            let directory = Path::new("/project").join(name);
            let table = untrusted(&directory).expect("a path in UTF-8");
            let read: toml::Table = table.parse().unwrap_or_else(|problem| panic!("{table}: {problem}"));
            let projects = read["projects"].as_table().expect("a table");
            assert_eq!(projects.len(), directory.ancestors().count(), "{table}");
            for ancestor in directory.ancestors() {
                let path = ancestor.to_str().expect("the path is UTF-8");
                assert_eq!(projects[path]["trust_level"].as_str(), Some("untrusted"), "{table}");
            }
        }
    }

    #[test]
    fn a_path_that_cannot_be_passed_is_refused() {
        let deep: PathBuf = std::iter::once("/").chain(std::iter::repeat_n("a", 1_000)).collect();
        for directory in [Path::new(OsStr::from_bytes(b"/a/\xff")).to_owned(), deep] {
            let refused = args(ProjectSettings::Ignore, &request(&directory, Sandbox::ReadOnly));
            let refusal = refused.expect_err("the path cannot be passed");
            assert!(matches!(refusal, Unsupported::Value { parameter: "workingDirectory", .. }), "{refusal}");
            assert!(args(ProjectSettings::Trust, &request(&directory, Sandbox::ReadOnly)).is_ok());
        }
    }

    #[test]
    fn a_version_that_reads_the_settings_of_any_project_is_refused() {
        for version in ["0.79.0", "0.80.0", "0.87.0", "0.90.0", "0.94.0", "0.94.1-alpha.1"] {
            for sandbox in [Sandbox::ReadOnly, Sandbox::WorkspaceWrite] {
                let ask = |settings| super::args(settings, &request("/a", sandbox), &installed(version));
                let refusal = ask(ProjectSettings::Ignore).expect_err("it cannot be enforced");
                assert!(matches!(&refusal, Unsupported::Sandbox { sandbox: refused, .. } if *refused == sandbox));
                assert!(refusal.to_string().contains("project_settings"), "{refusal}");
                assert_eq!(ask(ProjectSettings::Trust), Ok(vec![]), "{version}");
            }
            let free = request("/a", Sandbox::DangerFullAccess);
            assert_eq!(super::args(ProjectSettings::Ignore, &free, &installed(version)), Ok(vec![]), "{version}");
        }
        for version in ["0.44.0", "0.77.0", "0.95.0", "0.171.0", "1.80.0", "0.0.0"] {
            assert!(is_enforced(ProjectSettings::Ignore, version), "{version}");
        }
    }
}
