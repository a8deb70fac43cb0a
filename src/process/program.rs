//! Finds an agent's program.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
};

/// Finds `program`, which is a bare name to be looked up in `path` (the value of `PATH`), a path that begins with `~/`,
/// or an absolute path.
///
/// Fails if there is no such program, or if it cannot be executed.
pub fn find_program(program: &str, path: Option<&OsStr>, home: Option<&OsStr>) -> Result<PathBuf, ProgramProblem> {
    let program_path = match (program.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        (Some(_) | None, _) => PathBuf::from(program),
    };
    if !program.contains('/') {
        return which::which_in(program, path, "/").map_err(|_| {
            let candidates = env::split_paths(path.unwrap_or_default()).map(|dir| dir.join(program));
            let dangling = candidates.filter_map(|candidate| dangling_link(&candidate)).next();
            dangling.unwrap_or_else(|| ProgramProblem::NotOnPath { program: program.to_owned() })
        });
    }
    if program_path.is_relative() {
        return Err(ProgramProblem::Relative { program: program_path });
    }
    if !program_path.exists() {
        let dangling = dangling_link(&program_path);
        return Err(dangling.unwrap_or(ProgramProblem::NotFound { program: program_path }));
    }
    which::which_in(&program_path, path, "/").map_err(|_| ProgramProblem::NotExecutable { program: program_path })
}

/// The problem, if `program` or a directory above it is a symbolic link whose target does not exist.
fn dangling_link(program: &Path) -> Option<ProgramProblem> {
    let dangles = |path: &&Path| path.is_symlink() && !path.exists();
    let link = program.ancestors().filter(|path| path.is_absolute()).find(dangles)?.to_owned();
    Some(ProgramProblem::Dangling { link })
}

/// The reason why a program cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramProblem {
    /// A bare name that was not found on `PATH`.
    #[error("`{program}` not found on PATH")]
    NotOnPath {
        /// The name.
        program: String,
    },
    /// A program in the project. In the sandboxes `read-only` and `workspace-write`, the project must not choose the
    /// agent.
    #[error("{} is inside the project, and tasks in `read-only` and `workspace-write` never run an agent from the project", program.display())]
    InProject {
        /// The program.
        program: PathBuf,
    },
    /// A path that does not exist.
    #[error("{} does not exist", program.display())]
    NotFound {
        /// The path.
        program: PathBuf,
    },
    /// The program, or a directory above it, is a symbolic link whose target does not exist. This happens briefly
    /// while a package manager updates an agent.
    #[error("{} is a symbolic link whose target does not exist", link.display())]
    Dangling {
        /// The link.
        link: PathBuf,
    },
    /// A file or directory that cannot be executed.
    #[error("{} is not an executable file", program.display())]
    NotExecutable {
        /// The path.
        program: PathBuf,
    },
    /// A relative path, which would depend on the current directory.
    #[error("`{}` is a relative path; use a bare name, an absolute path, or one that begins with `~/`", program.display())]
    Relative {
        /// The path.
        program: PathBuf,
    },
}

impl ProgramProblem {
    /// The errno name that fits the problem best.
    pub fn errno(&self) -> &'static str {
        match self {
            Self::NotOnPath { .. } | Self::NotFound { .. } | Self::Dangling { .. } | Self::Relative { .. } => "ENOENT",
            Self::NotExecutable { .. } | Self::InProject { .. } => "EACCES",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_name_by_path_and_under_home() {
        let path = Some(OsStr::new("/bin:/usr/bin"));
        assert!(find_program("sh", path, None).is_ok_and(|found| found.is_absolute()));
        assert_eq!(find_program("/bin/sh", path, None), Ok("/bin/sh".into()));
        assert_eq!(find_program("~/sh", path, Some(OsStr::new("/bin"))), Ok("/bin/sh".into()));
    }

    #[test]
    fn each_problem_has_its_own_variant() {
        let path = Some(OsStr::new("/bin"));
        let problem = |program| find_program(program, path, None).expect_err("it cannot be used");
        assert!(matches!(problem("no-such-program"), ProgramProblem::NotOnPath { .. }));
        assert!(matches!(problem("/no/such/program"), ProgramProblem::NotFound { .. }));
        assert!(matches!(problem("/bin"), ProgramProblem::NotExecutable { .. }));
        assert!(matches!(problem("/etc/passwd"), ProgramProblem::NotExecutable { .. }));
        assert!(matches!(problem("./sh"), ProgramProblem::Relative { .. }));
    }

    #[test]
    fn a_dangling_link_differs_from_a_missing_program() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let (link, path) = (dir.path().join("agent"), Some(dir.path().as_os_str()));
        let problem = |program: &str| find_program(program, path, None).expect_err("it cannot be used");
        let link_path = link.to_string_lossy().into_owned();
        assert!(matches!(problem(&link_path), ProgramProblem::NotFound { .. }));
        std::os::unix::fs::symlink("not-there", &link).expect("the directory is writable");
        let dangling = ProgramProblem::Dangling { link: link.clone() };
        for program in ["agent", &link_path, &format!("{link_path}/bin/agent")] {
            assert_eq!(problem(program), dangling, "{program}");
        }
        assert!(matches!(problem("another"), ProgramProblem::NotOnPath { .. }));
        std::fs::remove_file(&link).expect("it exists");
        std::os::unix::fs::symlink("/bin/sh", &link).expect("the directory is writable");
        assert_eq!(find_program("agent", path, None), Ok(link));
    }
}
