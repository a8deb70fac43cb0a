//! `codex-connector check`: would a task run here?

use std::{
    env,
    fmt::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use connector_api::{AgentBackend, Login, Sandbox, sandbox_failure};

use super::{
    output::{fail, print},
    serve::other_data_dir,
};
use crate::{
    agent_environment::{LeftOut, Project, environment},
    config::Config,
    directory::check_repository,
    exposure::{Exposure, trusted_files},
    probing::{Freshness, installed},
    process::{check_proc, parent_group, probe},
    registry::Registry,
    store::{ProbeCache, Upkeep},
    task::CgroupUse,
};

/// Checks everything and prints what was found. Succeeds when a task could run with the default backend.
pub(super) fn check(config: &Config, registry: &Registry) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    let mut report = Report::default();
    runtime.block_on(report.everything(config, registry));
    let printed = print(&report.text());
    if report.is_usable { printed } else { ExitCode::FAILURE }
}

struct Report {
    lines: Vec<Line>,
    is_usable: bool,
}

/// One finding. `text` may have several lines.
struct Line {
    label: String,
    finding: String,
    text: String,
}

impl Default for Report {
    fn default() -> Self {
        Self { lines: vec![], is_usable: true }
    }
}

impl Report {
    async fn everything(&mut self, config: &Config, registry: &Registry) {
        let there = if config.file.exists() { "" } else { " (not there: everything has its default)" };
        self.line("configuration", "ok", &format!("{}{there}", config.file.display()));
        if !config.foreign_variables.is_empty() {
            let names = config.foreign_variables.join(", ");
            self.line(
                "environment",
                "ignored",
                &format!("{names}\nnot settings; a setting of a section has two underscores"),
            );
        }
        if let Err(problem) = check_proc() {
            self.problem("processes", &format!("{problem}\nnext: {}", problem.next()));
        }
        let opened = Upkeep::open(&config.data_dir, &config.log_dir);
        let upkeep = match opened.and_then(|upkeep| upkeep.check_locks().map(|()| upkeep)) {
            Ok(upkeep) if is_writable(&config.data_dir) && is_writable(&config.log_dir) => {
                self.line("data directory", "ok", &config.data_dir.display().to_string());
                Some(upkeep)
            }
            Ok(_) => {
                self.problem("data directory", &format!("{} cannot be written to", config.data_dir.display()));
                None
            }
            Err(error) => {
                self.problem("data directory", &format!("{error}\nnext: {}", other_data_dir(config, &error)));
                None
            }
        };
        self.process_trees(config.policy.cgroup);
        self.limits(config);
        for (name, frozen) in &config.backends {
            let label = format!("backend {name}");
            match (registry.build(frozen), &upkeep) {
                (Err(problem), _) => self.problem(&label, &problem.to_string()),
                (Ok(_), None) => self.line(&label, "?", "not looked at without a data directory"),
                (Ok(backend), Some(upkeep)) => self.backend(&label, &*backend, upkeep, (config, registry)).await,
            }
        }
    }

    /// How everything that an agent starts is found when it is to be stopped.
    fn process_trees(&mut self, wanted: CgroupUse) {
        let text = match parent_group().filter(|_| wanted == CgroupUse::Auto) {
            Some(parent) => format!(
                "a cgroup for each task, in {}; finds everything but a process that moves itself to another cgroup",
                parent.display()
            ),
            None if cfg!(target_os = "linux") => "no cgroup for each task; found by parents and by their environment\n\
                 a process that hides from both is only found while its task's supervisor lives"
                .to_owned(),
            None => "process groups; a process that leaves its group is not found".to_owned(),
        };
        self.line("process trees", "ok", &text);
    }

    /// What is forbidden, or removed, if anything is.
    fn limits(&mut self, config: &Config) {
        if config.max_running > 0 {
            self.line("limit", "set", &format!("{} tasks run at once, and others wait", config.max_running));
        }
        let retention = config.retention.told();
        if !retention.is_empty() {
            self.line("retention", "set", &format!("removed are {}", retention.join("\n")));
        }
        for (name, ceiling) in &config.ceilings {
            let gone = ceiling.roots.iter().filter(|root| !root.exists());
            let gone = gone.map(|root| format!("{} is not there, and so admits nothing", root.display()));
            let sandbox = (config.default_sandbox > ceiling.sandbox)
                .then(|| "`tasks.default_sandbox` is above it: a call has to name a `sandbox`".to_owned());
            let timeout = config.policy.timeout;
            let timeout = ceiling
                .timeout
                .filter(|most| timeout.is_none_or(|timeout| timeout > *most))
                .map(|_| "`tasks.default_timeout` is above it: a call has to give a `timeoutMs`".to_owned());
            let rules: Vec<_> = ceiling.told().into_iter().chain(gone).chain(sandbox).chain(timeout).collect();
            if !rules.is_empty() {
                self.line(&format!("ceiling {name}"), "set", &rules.join("\n"));
            }
        }
    }

    async fn backend(
        &mut self,
        label: &str,
        backend: &dyn AgentBackend,
        upkeep: &Upkeep,
        (config, registry): (&Config, &Registry),
    ) {
        let is_default = *backend.name() == config.default_backend;
        let here = directory_of_tasks(backend);
        let project = here.as_ref().and_then(|here| Project::of(Sandbox::ReadOnly, here));
        let cache = ProbeCache::of(upkeep);
        let (program, installed) = match installed(backend, &cache, Freshness::Fresh, project.as_ref()).await {
            Ok(found) => found,
            Err(problem) => {
                let text = format!("{problem}\nnext: {}", problem.next(backend));
                if is_default {
                    self.problem(label, &text)
                } else {
                    self.line(label, "missing", &text)
                }
                return;
            }
        };
        let sandboxes: Vec<&str> = installed.sandboxes.iter().map(|sandbox: &Sandbox| sandbox.as_str()).collect();
        let (environment, left_out) = environment(backend.environment(), env::vars_os(), project.as_ref());
        let login = match backend.login_probe() {
            Some(question) => {
                probe(&program, &question, &environment).await.map(|answer| backend.understand_login(&answer))
            }
            None => Ok(Login::Unknown),
        };
        let login = match login {
            Ok(Login::Yes(how)) => how,
            Ok(Login::No { said, advice }) => format!("{said}\nnext: {advice}"),
            Ok(Login::Unknown) => "not known".to_owned(),
            Err(error) => error.to_string(),
        };
        let broken = match backend.sandbox_probe() {
            // A program without this command may still have a working sandbox.
            Some(question) => probe(&program, &question, &environment).await.ok(),
            None => None,
        };
        let broken =
            broken.and_then(|answer| sandbox_failure(&answer.stderr).or_else(|| sandbox_failure(&answer.stdout)));
        let broken = broken.map(|found| format!("\n{}\nnext: {}", found.message, found.advice.unwrap_or_default()));
        let has_sandbox = installed.sandboxes.iter().any(|sandbox| *sandbox < Sandbox::DangerFullAccess);
        let left_out: Vec<String> = left_out.iter().filter(|_| has_sandbox).map(LeftOut::to_string).collect();
        let left_out = (!left_out.is_empty()).then(|| {
            format!("\nnot passed on in weaker sandboxes, as it leads into the project: {}", left_out.join(", "))
        });
        let programs = config.backends.values().filter_map(|frozen| registry.build(frozen).ok());
        let programs: Vec<String> = programs.map(|backend| backend.program().to_owned()).collect();
        let trusted = trusted_files(config.file.clone(), programs.iter().map(String::as_str));
        let exposure = Exposure::of_backend(backend, upkeep.reader(), &trusted);
        let open = installed.sandboxes.contains(&Sandbox::WorkspaceWrite);
        let open = open.then(|| exposed(&exposure, here.as_deref())).flatten();
        let default = if is_default { " (the default)" } else { "" };
        let text = format!(
            "{} at {}{default}\nsandboxes: {}{}{}{}\nlogin: {login}",
            installed.version,
            program.display(),
            sandboxes.join(", "),
            broken.unwrap_or_default(),
            open.unwrap_or_default(),
            left_out.unwrap_or_default()
        );
        self.line(label, "ok", &text);
    }

    fn problem(&mut self, label: &str, text: &str) {
        self.is_usable = false;
        self.line(label, "PROBLEM", text);
    }

    fn line(&mut self, label: &str, finding: &str, text: &str) {
        self.lines.push(Line { label: label.to_owned(), finding: finding.to_owned(), text: text.trim().to_owned() });
    }

    /// Everything, in columns as wide as they need to be. Further lines of a text are indented below its first.
    fn text(&self) -> String {
        let width = |column: fn(&Line) -> &str| self.lines.iter().map(|line| column(line).chars().count()).max();
        let labels = width(|line| &line.label).unwrap_or_default();
        let findings = width(|line| &line.finding).unwrap_or_default();
        let indent = format!("\n{}", " ".repeat(labels + findings + 4));
        let mut text = format!("codex-connector {}\n", env!("CARGO_PKG_VERSION"));
        for line in &self.lines {
            let lines = line.text.replace('\n', &indent);
            writeln!(text, "{:<labels$}  {:<findings$}  {lines}", line.label, line.finding)
                .expect("a string takes all text");
        }
        text
    }
}

/// The directory in which this runs, unless no task of the backend could run there in any sandbox, as in a home directory
/// that is not a repository.
fn directory_of_tasks(backend: &dyn AgentBackend) -> Option<PathBuf> {
    let needs_git = backend.capabilities().requires_git;
    env::current_dir().ok().filter(|here| !needs_git || check_repository(here).is_ok())
}

/// Why tasks in `workspace-write` are refused `here`, if they are. Without a directory only the other places count.
fn exposed(exposure: &Exposure, here: Option<&Path>) -> Option<String> {
    let (place, checked) = match here {
        Some(here) => (format!("in {}, ", here.display()), exposure.check(here)),
        None => (String::new(), exposure.check_anywhere()),
    };
    let exposed = checked.err()?;
    Some(format!("\n{place}`workspace-write` is refused: {exposed}\nnext: {}", exposed.next()))
}

fn is_writable(dir: &Path) -> bool {
    tempfile::Builder::new().prefix(".check-").tempfile_in(dir).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_as_wide_as_the_longest_name() {
        let mut report = Report::default();
        report.line("limit", "set", "2 tasks");
        report.problem("backend with-a-long-name", "first\nsecond");
        let text = report.text();
        let lines: Vec<_> = text.lines().skip(1).collect();
        let [limit, first, second] = lines.as_slice() else { panic!("{text}") };
        let columns = [limit.find("2 tasks"), first.find("first"), second.find("second")];
        assert!(columns.iter().all(|column| column.is_some() && *column == columns[0]), "{text}");
    }
}
