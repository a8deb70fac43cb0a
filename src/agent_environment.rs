//! Builds an agent's environment variables, without those that would let a project escape from the sandbox.
//!
//! Even in `read-only` and `workspace-write`, an agent runs some programs outside of its sandbox: `node` for its own
//! script, `git`, a shell. If `PATH` or a similar variable contains a path inside the project, the project determines
//! which program runs. Relative paths always lead into the project, because the agent starts in the working directory.
//! So do empty entries of a search path, which mean the working directory.
//!
//! ```text
//! PATH=/usr/bin:node_modules/.bin::/src/app/bin     becomes     PATH=/usr/bin     in the project /src/app
//! ```
//!
//! In these two sandboxes, such entries are omitted, unless the user configured the variable in `set`. In
//! `danger-full-access`, nothing is omitted, because the agent may run the project's programs anyway.
//!
//! These checks read the file system, so they block.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use connector_api::{EnvRules, Sandbox};

use crate::directory::{Route, is_repository};

/// Variables with a list of directories in which programs, libraries or modules are found.
const SEARCH_PATHS: [&str; 12] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DYLD_FRAMEWORK_PATH",
    "DYLD_FALLBACK_FRAMEWORK_PATH",
    "GCONV_PATH",
    "NODE_PATH",
    "PYTHONPATH",
    "PERL5LIB",
    "PERLLIB",
    "RUBYLIB",
];

/// Variables with a list of libraries that are loaded into every program. Bare names are found in the library
/// directories.
const PRELOAD_LISTS: [&str; 3] = ["LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES"];

/// Variables with one file or directory from which a program loads code or names of programs: shells (`BASH_ENV`,
/// `ENV`), Python, git and OpenSSL.
const CODE_PATHS: [&str; 11] = [
    "BASH_ENV",
    "ENV",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
    "GIT_TEMPLATE_DIR",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
];

/// Variables that name one program. Bare names are found on `PATH`.
const PROGRAMS: [&str; 5] = ["GIT_ASKPASS", "GIT_PROXY_COMMAND", "GIT_SSH", "SHELL", "SSH_ASKPASS"];

/// Variables with options of JavaScript runtimes, some of which load modules.
const RUNTIME_OPTIONS: [&str; 2] = ["NODE_OPTIONS", "BUN_OPTIONS"];

/// The runtime options that load their value, given as a path or as a name that is searched for from the working
/// directory.
const LOADING_OPTIONS: [&str; 9] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "--preload",
    "--env-file",
    "--openssl-config",
    "--snapshot-blob",
];

/// Variables with a directory for temporary files. In `workspace-write`, Codex lets its agent write to `TMPDIR`, and
/// `..` would be the parent of the project.
const TEMPORARY_DIRECTORIES: [&str; 3] = ["TMPDIR", "TMP", "TEMP"];

/// git settings that prevent a repository's configuration from starting programs during read-only commands.
const GIT_SETTINGS: [&str; 2] = ["'core.fsmonitor=false'", "'core.hooksPath=/dev/null'"];

/// The variable with settings for git. `GIT_CONFIG_COUNT` would not work: it needs `GIT_CONFIG_KEY_…`, which Codex
/// removes from the environment of its commands because of `KEY` in the name, and git then fails.
const GIT_PARAMETERS: &str = "GIT_CONFIG_PARAMETERS";

/// The directories whose files must not determine which programs an agent runs outside of its sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    roots: Vec<PathBuf>,
}

/// A part of a variable that is not passed on to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OmittedEntry {
    variable: &'static str,
    entry: OsString,
}

impl fmt::Display for OmittedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of {}", self.entry.display(), self.variable)
    }
}

impl Project {
    /// The project that contains a working directory, or `None` in `danger-full-access`.
    pub fn of(sandbox: Sandbox, working_directory: &Path) -> Option<Self> {
        match sandbox {
            Sandbox::DangerFullAccess => None,
            Sandbox::ReadOnly | Sandbox::WorkspaceWrite => {
                Some(Self::enclosing(working_directory, env::var_os("HOME").as_deref().map(Path::new)))
            }
        }
    }

    /// The working directory and its repository. A directory that contains the home directory does not count as a
    /// project, because it contains all of the user's programs.
    fn enclosing(working_directory: &Path, home: Option<&Path>) -> Self {
        let working = Route::of(working_directory).end().to_owned();
        let repository = working.ancestors().find(|dir| is_repository(dir)).map(Path::to_owned);
        let home = home.map(|home| Route::of(home).end().to_owned());
        let contains_home = |root: &PathBuf| home.as_ref().is_some_and(|home| home.starts_with(root));
        Self { roots: std::iter::once(working).chain(repository).filter(|root| !contains_home(root)).collect() }
    }

    /// Whether the project determines, now or later, what is at `path`.
    pub fn controls(&self, path: &Path) -> bool {
        path.is_relative() || {
            let route = Route::of(path);
            self.roots.iter().any(|root| route.path_in(root).is_some())
        }
    }

    /// A search path without the entries in the project, or `None` if no entry is left.
    pub fn without_project_entries(&self, search_path: &OsStr) -> Option<OsString> {
        self.split(search_path, b":").0
    }

    /// Splits a list into the entries outside the project, joined again, and those in the project.
    fn split(&self, list: &OsStr, separators: &[u8]) -> (Option<OsString>, Vec<OsString>) {
        let entries = list.as_bytes().split(|byte| separators.contains(byte)).map(OsStr::from_bytes);
        let (omitted, kept): (Vec<_>, Vec<_>) = entries.partition(|entry| self.controls(Path::new(entry)));
        let kept = (!kept.is_empty()).then(|| kept.join(OsStr::new(":")));
        (kept, omitted.into_iter().map(OsStr::to_owned).collect())
    }

    /// Removes everything from the environment that leads into the project, except the variables in `rules.set`.
    /// Returns the removed parts.
    pub fn confine(&self, environment: &mut BTreeMap<OsString, OsString>, rules: &EnvRules) -> Vec<OmittedEntry> {
        let mut omitted = vec![];
        let names =
            [&SEARCH_PATHS[..], &PRELOAD_LISTS, &CODE_PATHS, &PROGRAMS, &RUNTIME_OPTIONS, &TEMPORARY_DIRECTORIES]
                .concat();
        for variable in names.into_iter().filter(|name| !rules.set.contains_key(*name)) {
            let Some(value) = environment.remove(OsStr::new(variable)) else { continue };
            let (kept, removed) = self.without_project(variable, &value);
            if let Some(kept) = kept {
                environment.insert(variable.into(), kept);
            }
            omitted.extend(removed.into_iter().map(|entry| OmittedEntry { variable, entry }));
        }
        let parameters = environment.remove(OsStr::new(GIT_PARAMETERS)).into_iter();
        let parameters: Vec<OsString> = parameters.chain(GIT_SETTINGS.map(OsString::from)).collect();
        environment.insert(GIT_PARAMETERS.into(), parameters.join(OsStr::new(" ")));
        omitted
    }

    /// The part of a variable's value that an agent gets, and the omitted parts.
    fn without_project(&self, variable: &str, value: &OsStr) -> (Option<OsString>, Vec<OsString>) {
        let path = Path::new(value);
        let is_bare = |path: &Path| !path.as_os_str().as_bytes().contains(&b'/');
        let is_omitted = match variable {
            name if SEARCH_PATHS.contains(&name) => {
                // The dynamic linker accepts both separators.
                let separators: &[u8] = if name == "LD_LIBRARY_PATH" { b":;" } else { b":" };
                return self.split(value, separators);
            }
            name if PRELOAD_LISTS.contains(&name) => {
                let mut libraries = value.as_bytes().split(|byte| b": ".contains(byte)).map(OsStr::from_bytes);
                libraries.any(|library| !is_bare(Path::new(library)) && self.controls(Path::new(library)))
            }
            name if RUNTIME_OPTIONS.contains(&name) => self.loads(&value.to_string_lossy()),
            name if PROGRAMS.contains(&name) => !is_bare(path) && self.controls(path),
            name if TEMPORARY_DIRECTORIES.contains(&name) => path.is_relative(),
            _ => !value.is_empty() && self.controls(path),
        };
        if is_omitted { (None, vec![value.to_owned()]) } else { (Some(value.to_owned()), vec![]) }
    }

    /// Whether one of these options loads something from the project.
    fn loads(&self, options: &str) -> bool {
        let mut is_next_loaded = false;
        options.split_ascii_whitespace().any(|word| {
            let word = word.trim_matches('"');
            let (option, value) = match word.split_once('=') {
                Some((option, value)) if word.starts_with('-') => (option, Some(value)),
                Some(_) | None => (word, None),
            };
            let is_loaded =
                std::mem::replace(&mut is_next_loaded, value.is_none() && LOADING_OPTIONS.contains(&option))
                    || value.is_some() && LOADING_OPTIONS.contains(&option);
            let value = value.unwrap_or(word);
            let path = Path::new(value.strip_prefix("file://").unwrap_or(value));
            let is_built_in = value.starts_with("node:") || value.starts_with("data:");
            let is_path = path.is_absolute() || path.starts_with(".") || path.starts_with("..");
            (is_loaded && !is_built_in || is_path) && self.controls(path)
        })
    }
}

/// The agent's environment, made from the server's variables `ours`, and the parts that are omitted because of the
/// project.
pub fn environment(
    rules: &EnvRules,
    ours: impl IntoIterator<Item = (OsString, OsString)>,
    project: Option<&Project>,
) -> (BTreeMap<OsString, OsString>, Vec<OmittedEntry>) {
    let mut environment = rules.apply(ours);
    let omitted = project.map(|project| project.confine(&mut environment, rules)).unwrap_or_default();
    (environment, omitted)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// A repository `repo` with the working directory `repo/project`, and next to it `safe`, `home`, and a `link` to
    /// the project.
    fn scratch() -> (tempfile::TempDir, PathBuf, Project) {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let root = dir.path().canonicalize().expect("the directory exists");
        for sub in ["repo/.git", "repo/project/bin", "safe", "home/x"] {
            fs::create_dir_all(root.join(sub)).expect("the temporary directory is writable");
        }
        fs::write(root.join("repo/.git/HEAD"), "ref: refs/heads/main\n").expect("the temporary directory is writable");
        symlink(root.join("repo/project"), root.join("link")).expect("the temporary directory is writable");
        symlink(root.join("safe"), root.join("repo/project/out")).expect("the temporary directory is writable");
        let project = Project::enclosing(&root.join("repo/project"), Some(&root.join("home")));
        (dir, root, project)
    }

    /// The variable's value in the agent's environment, with `@` for the test's directory.
    fn agent_value(variable: &str, value: &str) -> Option<String> {
        let (_dir, root, project) = scratch();
        let root = root.to_string_lossy().into_owned();
        let ours = [(variable.into(), value.replace('@', &root).into())];
        let (environment, omitted) = environment(&EnvRules::default(), ours, Some(&project));
        let agent_value =
            environment.get(OsStr::new(variable)).map(|value| value.to_string_lossy().replace(&root, "@"));
        assert_eq!(omitted.is_empty(), agent_value.as_deref() == Some(value), "{variable}: {omitted:?}");
        agent_value
    }

    #[test]
    fn directories_of_the_project_are_removed_from_search_paths() {
        for variable in SEARCH_PATHS {
            for (value, kept) in [
                ("/usr/bin:@/safe", Some("/usr/bin:@/safe")),
                ("./node_modules/.bin:/usr/bin", Some("/usr/bin")),
                (":/usr/bin", Some("/usr/bin")),
                ("/usr/bin:", Some("/usr/bin")),
                ("/usr/bin::.:..:x:~/x", Some("/usr/bin")),
                ("@/repo/project/bin:/usr/bin", Some("/usr/bin")),
                ("@/repo/project/not-there:/usr/bin", Some("/usr/bin")),
                ("@/repo/node_modules/.bin:/usr/bin", Some("/usr/bin")),
                ("@/link/bin:/usr/bin", Some("/usr/bin")),
                ("@/repo/project/out:/usr/bin", Some("/usr/bin")),
                ("@/safe/../repo/project/bin:/usr/bin", Some("/usr/bin")),
                ("", None),
                ("@/repo/project/bin", None),
            ] {
                assert_eq!(agent_value(variable, value).as_deref(), kept, "{variable}={value}");
            }
        }
        assert_eq!(agent_value("LD_LIBRARY_PATH", "/usr/lib;.").as_deref(), Some("/usr/lib"));
    }

    #[test]
    fn other_variables_are_kept_or_removed_entirely() {
        for (variable, kept, omitted) in [
            ("LD_PRELOAD", &["libx.so", "/usr/lib/x.so", "/a.so:/b.so"][..], &["./x.so", "/a.so @/repo/x.so"][..]),
            ("BASH_ENV", &["@/safe/env"], &["env.sh", "./env", "@/link/env"]),
            ("GIT_CONFIG_GLOBAL", &["/dev/null", ""], &[".gitconfig", "@/repo/.gitconfig"]),
            ("SHELL", &["/bin/sh", "bash"], &["./sh", "@/repo/project/bin/sh"]),
            ("TMPDIR", &["/var/tmp", "@/repo"], &["..", "", "tmp"]),
            ("TEMP", &["/var/tmp"], &["../outside"]),
            (
                "NODE_OPTIONS",
                &[
                    "--max-old-space-size=4096",
                    "--require /x.js",
                    "--import=file:///x.mjs",
                    "--import data:x",
                    "-r node:fs",
                ],
                &[
                    "-r ./x.js",
                    "--require=x",
                    "--import x.mjs",
                    "-r @/repo/x",
                    "--import \"file://@/repo/x\"",
                    "--a=../x",
                ],
            ),
            ("CDPATH", &[".", "@/repo"], &[]),
        ] {
            for value in kept {
                assert_eq!(agent_value(variable, value).as_deref(), Some(*value), "{variable}={value}");
            }
            for value in omitted {
                assert_eq!(agent_value(variable, value), None, "{variable}={value}");
            }
        }
    }

    #[test]
    fn values_set_by_the_user_are_kept() {
        let (_dir, _, project) = scratch();
        let rules: EnvRules = serde_json::from_str(r#"{"set": {"PATH": "./bin:/bin"}}"#).expect("the rules are valid");
        let (environment, omitted) = environment(&rules, [("PATH".into(), "/usr/bin".into())], Some(&project));
        assert_eq!(environment.get(OsStr::new("PATH")), Some(&OsString::from("./bin:/bin")));
        assert_eq!(omitted, []);
    }

    #[test]
    fn nothing_is_removed_without_a_sandbox() {
        assert_eq!(Project::of(Sandbox::DangerFullAccess, Path::new("/")), None);
        let (environment, omitted) = environment(&EnvRules::default(), [("PATH".into(), ".:".into())], None);
        assert_eq!(environment.get(OsStr::new("PATH")), Some(&OsString::from(".:")));
        assert!(omitted.is_empty() && !environment.contains_key(OsStr::new(GIT_PARAMETERS)));
    }

    #[test]
    fn programs_in_the_home_directory_do_not_belong_to_a_project() {
        let (_dir, root, _) = scratch();
        let path = root.join("home/bin").into_os_string();
        for (working, is_kept) in [("home", true), ("", true), ("home/bin", false)] {
            let project = Project::enclosing(&root.join(working), Some(&root.join("home")));
            assert_eq!(project.without_project_entries(&path).is_some(), is_kept, "{working}");
        }
    }

    #[test]
    fn git_ignores_the_monitor_and_hooks_of_a_repository() {
        let (_dir, root, project) = scratch();
        let (repo, trace) = (root.join("watched"), root.join("trace"));
        let git = |environment: Option<&BTreeMap<OsString, OsString>>, args: &[&str]| {
            let mut git = std::process::Command::new("git");
            git.args(args).current_dir(&repo).env_remove("GIT_DIR").envs(environment.into_iter().flatten());
            git.output().expect("git is installed").stdout
        };
        fs::create_dir_all(&repo).expect("the temporary directory is writable");
        let script = format!("touch '{}'; false", trace.display());
        git(None, &["init", "-q"]);
        git(None, &["config", "core.fsmonitor", &script]);
        git(None, &["config", "x.y", "theirs"]);
        git(None, &["status"]);
        assert!(trace.exists(), "git runs the monitor without these settings, so the test can fail");
        fs::remove_file(&trace).expect("the file exists");
        let parameters = (GIT_PARAMETERS.into(), "'x.y=users'".into());
        let rules: EnvRules = serde_json::from_str(r#"{"pass": ["GIT_*", "PATH"]}"#).expect("the rules are valid");
        let (environment, _) = environment(&rules, env::vars_os().chain([parameters]), Some(&project));
        git(Some(&environment), &["status"]);
        assert!(!trace.exists());
        assert_eq!(git(Some(&environment), &["config", "core.hooksPath"]), b"/dev/null\n");
        assert_eq!(git(Some(&environment), &["config", "x.y"]), b"users\n");
    }
}
