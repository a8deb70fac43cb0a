//! Installs pinned versions of agents from npm, once for all test processes.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Time limit for npm to install one version; the newest are 400 MB.
const NPM_DEADLINE: Duration = Duration::from_secs(600);
/// How often npm's status is checked.
const INTERVAL: Duration = Duration::from_millis(50);

/// The reason why an agent could not be installed. Each message says what to do. A test fails with it and is never
/// skipped.
#[derive(Debug, thiserror::Error)]
pub enum InstallProblem {
    /// npm could not be run.
    #[error("cannot run `npm`: {source}\nnext: install Node.js with npm (https://nodejs.org) and put both on PATH")]
    NoNpm {
        /// The system's error.
        source: io::Error,
    },
    /// npm ran and failed.
    #[error(
        "`npm install {package}` ended with {status}:\n{npm_output}\nnext: make the npm registry reachable, or set one with `npm config set registry URL`, and run the tests again"
    )]
    NpmFailed {
        /// The package that was to be installed.
        package: String,
        /// npm's exit status.
        status: ExitStatus,
        /// The last lines of npm's output.
        npm_output: String,
    },
    /// npm did not finish in time.
    #[error(
        "`npm install {package}` did not end within {NPM_DEADLINE:?}\nnext: check that the npm registry is reachable, and run the tests again"
    )]
    NpmTooSlow {
        /// The package that was to be installed.
        package: String,
    },
    /// The installed program is not the version that was requested.
    #[error(
        "{package} was installed, but `--version` answered {answer:?}\nnext: check that npm installs optional packages (`npm config get omit`) and that there is a build for this platform"
    )]
    WrongProgram {
        /// The package that was to be installed.
        package: String,
        /// The answer to `--version`, or the reason why the program did not run.
        answer: String,
    },
    /// No directory to install into was found.
    #[error("cannot find cargo's target directory from {}\nnext: set CARGO_TARGET_DIR to an absolute path", program.display())]
    NoTargetDirectory {
        /// The running program, above which the directory was sought.
        program: PathBuf,
    },
    /// A file or directory could not be created.
    #[error("cannot install into {}: {source}\nnext: free some space there, or set CARGO_TARGET_DIR to another directory", path.display())]
    Directory {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// The path of `codex` from `@openai/codex@version`. If it is missing, it is installed into
/// `<target>/agents/codex-<version>`. `version` is a plain version such as `0.169.0`.
///
/// If several processes ask at the same time, the others wait for the first.
///
/// # Errors
///
/// Fails if it is missing and cannot be installed.
pub fn install(version: &str) -> Result<PathBuf, InstallProblem> {
    install_into(&target_directory()?.join("agents"), &CODEX, version)
}

/// The path of `program` from this version of another agent's npm package, installed like Codex.
///
/// # Errors
///
/// Fails if it is missing and cannot be installed.
pub fn install_other(package: &str, version: &str, program: &str) -> Result<PathBuf, InstallProblem> {
    let finish = FINISHES.iter().find(|(finished, _)| *finished == package).map(|(_, script)| *script);
    let package = Package { npm: package, program, says: None, finish };
    install_into(&target_directory()?.join("agents"), &package, version)
}

/// An agent on npm.
struct Package<'a> {
    npm: &'a str,
    /// The program in the package, which also gives the directory its name.
    program: &'a str,
    /// The text before the version in the answer to `--version`, if the answer is to be checked.
    says: Option<&'a str>,
    /// The package's install script, if the program does not exist until it has run.
    finish: Option<&'a str>,
}

const FINISHES: [(&str, &str); 2] = [("@anthropic-ai/claude-code", "install.cjs"), ("opencode-ai", "postinstall.mjs")];

const CODEX: Package<'_> = Package { npm: "@openai/codex", program: "codex", says: Some("codex-cli "), finish: None };

fn install_into(agents: &Path, package: &Package<'_>, version: &str) -> Result<PathBuf, InstallProblem> {
    let home = agents.join(format!("{}-{version}", package.program));
    let program = program_in(&home, package);
    if program.exists() {
        return Ok(program);
    }
    make(agents, fs::create_dir_all(agents))?;
    let _lock = lock(&agents.join(format!("{}-{version}.lock", package.program)))?;
    // Another process may have installed it while this one waited for the lock.
    if !program.exists() {
        let unfinished = make(agents, tempfile::Builder::new().prefix("unfinished-").tempdir_in(agents))?;
        let name = format!("{}@{version}", package.npm);
        run_npm(&unfinished, &name)?;
        finish(unfinished.path(), package)?;
        check(unfinished.path(), package, version, name)?;
        make(&home, fs::rename(unfinished.keep(), &home))?;
    }
    Ok(program)
}

fn program_in(directory: &Path, package: &Package<'_>) -> PathBuf {
    directory.join("node_modules/.bin").join(package.program)
}

/// The lock is released when the file is closed or this process exits.
fn lock(path: &Path) -> Result<File, InstallProblem> {
    let file = make(path, File::create(path))?;
    make(path, file.lock())?;
    Ok(file)
}

fn run_npm(directory: &TempDir, package: &str) -> Result<(), InstallProblem> {
    let path = directory.path();
    let log = path.join("npm.log");
    let output = make(&log, File::create(&log))?;
    let errors = make(&log, output.try_clone())?;
    let mut npm = Command::new("npm")
        .args(["install", "--prefix", ".", "--no-save", "--no-package-lock", "--include=optional"])
        .args(["--ignore-scripts", "--no-audit", "--no-fund", package])
        .current_dir(path)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|source| InstallProblem::NoNpm { source })?;
    let end = Instant::now() + NPM_DEADLINE;
    let status = loop {
        match make(path, npm.try_wait())? {
            Some(status) => break status,
            None if Instant::now() < end => thread::sleep(INTERVAL),
            None => {
                make(path, npm.kill())?;
                make(path, npm.wait())?;
                return Err(InstallProblem::NpmTooSlow { package: package.to_owned() });
            }
        }
    };
    if status.success() {
        return Ok(());
    }
    let npm_output = last_lines(&fs::read(&log).unwrap_or_default());
    Err(InstallProblem::NpmFailed { package: package.to_owned(), status, npm_output })
}

/// Runs the package's script that installs the program for this platform.
fn finish(directory: &Path, package: &Package<'_>) -> Result<(), InstallProblem> {
    let Some(script) = package.finish else { return Ok(()) };
    let path = directory.join("node_modules").join(package.npm);
    let ran = make(&path, Command::new("node").arg(script).current_dir(&path).env("HOME", directory).output())?;
    match ran.status.success() {
        true => Ok(()),
        false => {
            let (package, npm_output) = (package.npm.to_owned(), last_lines(&ran.stderr));
            Err(InstallProblem::NpmFailed { package, status: ran.status, npm_output })
        }
    }
}

/// Checks the installed program. npm reports no error if it cannot get the optional package that contains the program.
fn check(directory: &Path, what: &Package<'_>, version: &str, package: String) -> Result<(), InstallProblem> {
    let Some(says) = what.says else {
        let there = program_in(directory, what).exists();
        let answer = format!("npm installed no program named {}", what.program);
        return if there { Ok(()) } else { Err(InstallProblem::WrongProgram { package, answer }) };
    };
    let mut codex = Command::new(program_in(directory, what));
    // Codex 0.47.0 writes into its home even for `--version`, so it gets this directory instead of the user's home.
    codex.arg("--version").env("HOME", directory).env("CODEX_HOME", directory).stdin(Stdio::null());
    let answer = match codex.output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Ok(output) => last_lines(&output.stderr),
        Err(problem) => problem.to_string(),
    };
    match answer == format!("{says}{version}") {
        true => Ok(()),
        false => Err(InstallProblem::WrongProgram { package, answer }),
    }
}

fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// `CARGO_TARGET_DIR`, or the directory above this program that cargo marked as its target directory.
fn target_directory() -> Result<PathBuf, InstallProblem> {
    // A relative path is relative to the directory in which cargo was started, which this program does not know.
    if let Some(named) = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).filter(|path| path.is_absolute()) {
        return Ok(named);
    }
    let program = env::current_exe().unwrap_or_default();
    target_directory_above(&program).ok_or(InstallProblem::NoTargetDirectory { program })
}

fn target_directory_above(program: &Path) -> Option<PathBuf> {
    let marked = program.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file());
    // If no directory is marked: <target>/<profile>/deps/program, or examples instead of deps.
    let nested = program.parent().filter(|directory| directory.ends_with("deps") || directory.ends_with("examples"));
    Some(marked.or_else(|| nested?.parent()?.parent())?.to_owned())
}

fn make<T>(path: &Path, result: io::Result<T>) -> Result<T, InstallProblem> {
    result.map_err(|source| InstallProblem::Directory { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_target_directory_is_found_by_its_tag_or_by_cargos_layout() {
        let target = tempfile::tempdir().expect("a temporary directory");
        let program = target.path().join("x86_64-unknown-linux-gnu/debug/deps/test");
        fs::write(target.path().join("CACHEDIR.TAG"), "").expect("a file in our own directory");
        assert_eq!(target_directory_above(&program).as_deref(), Some(target.path()));
        assert_eq!(target_directory_above(Path::new("/t/debug/examples/demo")), Some("/t".into()));
        assert_eq!(target_directory_above(Path::new("/usr/bin/demo")), None);
    }

    /// A directory of agents in which the `codex` of version 1.2.3 is `echo`.
    fn installed() -> TempDir {
        let agents = tempfile::tempdir().expect("a temporary directory");
        let program = program_in(&agents.path().join("codex-1.2.3"), &CODEX);
        fs::create_dir_all(program.parent().expect("it has a parent")).expect("a directory in our own");
        symlink("/bin/echo", &program).expect("a link in our own directory");
        agents
    }

    #[test]
    fn an_installed_version_needs_no_npm() {
        let agents = installed();
        let program = install_into(agents.path(), &CODEX, "1.2.3").expect("it is installed");
        assert_eq!(program, program_in(&agents.path().join("codex-1.2.3"), &CODEX));
    }

    #[test]
    fn a_program_that_is_not_the_version_asked_for_is_refused() {
        let agents = installed();
        let package = "@openai/codex@1.2.3".to_owned();
        let problem = check(&agents.path().join("codex-1.2.3"), &CODEX, "1.2.3", package).expect_err("it is not Codex");
        assert!(matches!(problem, InstallProblem::WrongProgram { .. }), "{problem}");
    }

    #[test]
    fn an_installation_error_gives_advice() {
        let problem = InstallProblem::NoNpm { source: io::ErrorKind::NotFound.into() };
        assert!(problem.to_string().contains("\nnext: install Node.js"), "{problem}");
    }
}
