//! `codex-connector check`: checks whether a task could run here, without running one.

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use connector_api::{AgentBackend, Sandbox, sandbox_failure};

use super::{
    config_args::ConfigArgs,
    context::Context,
    deep,
    init::make_plan,
    init_texts::changes,
    opening::unusable_data_dir,
    output::{fail, print, refuse, refuse_all},
    runtime::runtime,
    time::time_limit,
};
use crate::{
    agent_environment::{OmittedEntry, Project, environment},
    broker::UnknownBackend,
    config::Config,
    directory::check_repository,
    exposure::{Exposure, trusted_files},
    kit::KitScope,
    present::{
        Refused,
        check::{self as texts, CheckFinding},
        setup as setup_texts,
    },
    probing::{Freshness, LoginState, installed},
    process::{check_proc, parent_cgroup, probe},
    redact::Redactor,
    registry::Registry,
    setup::SetupRecord,
    store::{ProbeCache, Upkeep, Workspaces},
    task::{CgroupUse, Message, TreeUse},
    workspace::{Deadline, GIT_FOR_MERGES, GIT_FOR_SNAPSHOTS, Git, GitError, TreeSizes, existing_trees},
};

/// How long git may take to report its version.
const GIT_DEADLINE: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  codex-connector check
  codex-connector check codex --json
  codex-connector check --deep codex     runs short tasks with the agent

Exit codes: 0 if tasks can run with the default backend, or with the one that is named; otherwise 1, even
if the reason is an invalid configuration.";

/// The arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Check only this backend
    #[arg(value_name = "BACKEND")]
    backend: Option<String>,
    /// Test the capabilities of this backend with short tasks (uses your account's quota)
    ///
    /// These tasks change no files and run no commands. Each runs in the agent's most restrictive sandbox.
    ///
    /// Exit codes with this option: 0 if the agent answered and nothing is BROKEN, 1 otherwise.
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    deep: Option<Option<String>>,
    /// Also test file changes and commands, in a separate directory and in every sandbox that the ceiling allows
    #[arg(long, requires = "deep")]
    whole: bool,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    /// If the check fails, keep the files and logs of its tasks
    #[arg(long, requires = "deep")]
    keep: bool,
    /// Time limit for each task
    #[arg(long, requires = "deep", value_name = "TIME", value_parser = time_limit, default_value = "3m")]
    limit: Duration,
}

/// Checks everything, or, with `--deep`, one agent.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let config = match context.load_config() {
        Ok(config) => config,
        Err(problems) => return refuse_all(problems.explain()),
    };
    let Arguments { backend, deep, whole, json, keep, limit } = arguments;
    let Some(named) = deep else {
        return check(&config, &context.given, context.registry, backend.as_deref(), json);
    };
    let backend = named.or(backend).unwrap_or_else(|| config.default_backend.to_string());
    let scope = if whole { KitScope::Full } else { KitScope::Safe };
    let format = if json { deep::OutputFormat::Json } else { deep::OutputFormat::Text };
    let check = deep::DeepCheck { backend, scope, limit, format, keep };
    deep::check(config, context.registry, context.supervisor.clone(), &check)
}

/// Checks everything and prints the findings. Succeeds if a task could run with the default backend, or with the one
/// called `backend`.
fn check(whole: &Config, given: &ConfigArgs, registry: &Registry, backend: Option<&str>, is_json: bool) -> ExitCode {
    let mut config = whole.clone();
    if let Some(name) = backend {
        if !config.backends.keys().any(|known| known.as_str() == name) {
            return refuse(UnknownBackend::new(name, config.backends.keys()).explain_for_check("check"));
        }
        config.backends.retain(|known, _| known.as_str() == name);
        config.ceilings.retain(|known, _| known.as_str() == name);
        config.default_backend = config.backends.keys().next().cloned().unwrap_or(config.default_backend);
    }
    let config = &config;
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error.to_string()),
    };
    let report = runtime.block_on(CheckReport::of(config, whole, given, registry));
    let printed = match is_json {
        true => print(&texts::report_as_json(&report.findings, report.is_usable).pretty()),
        false => print(&texts::report(&report.findings)),
    };
    if report.is_usable { printed } else { ExitCode::FAILURE }
}

/// Checks everything, for the web UI.
pub(super) async fn findings(config: &Config, given: &ConfigArgs, registry: &Registry) -> Vec<CheckFinding> {
    CheckReport::of(config, config, given, registry).await.findings
}

struct CheckReport {
    findings: Vec<CheckFinding>,
    is_usable: bool,
    redacts: bool,
    redactor: Redactor,
}

impl CheckReport {
    fn new(config: &Config) -> Self {
        let redacts = config.policy.redact;
        let redactor = if redacts { Redactor::of(env::vars_os()) } else { Redactor::default() };
        let redactor = redactor.sparing(&[&config.data_dir, &config.log_dir, &config.file]);
        Self { findings: vec![], is_usable: true, redacts, redactor }
    }

    /// Checks `config`, which may have fewer backends than the `whole` configuration.
    async fn of(config: &Config, whole: &Config, given: &ConfigArgs, registry: &Registry) -> Self {
        let mut report = Self::new(config);
        let upkeep = report.everything(config, registry).await;
        // `init` concerns all backends, also those that are not checked here.
        report.setup(whole, given, registry, upkeep.as_ref()).await;
        report
    }

    /// Returns the data directory, if it can be used.
    async fn everything(&mut self, config: &Config, registry: &Registry) -> Option<Upkeep> {
        self.line("configuration", "ok", [texts::configuration(&config.file, config.file.exists())]);
        if !config.foreign_variables.is_empty() {
            self.line("environment", "ignored", texts::ignored_variables(&config.foreign_variables));
        }
        if let Err(problem) = check_proc() {
            self.problem("processes", texts::problem(Refused::new(problem.to_string(), problem.next())));
        }
        let opened = Upkeep::open(&config.data_dir, &config.log_dir);
        let upkeep = match opened.and_then(|upkeep| upkeep.check_locks().map(|()| upkeep)) {
            Ok(upkeep) if is_writable(&config.data_dir) && is_writable(&config.log_dir) => {
                self.line("data directory", "ok", [config.data_dir.as_path().into()]);
                Some(upkeep)
            }
            Ok(_) => {
                self.problem("data directory", [texts::not_writable(&config.data_dir)]);
                None
            }
            Err(error) => {
                self.problem("data directory", texts::problem(unusable_data_dir(config, &error)));
                None
            }
        };
        self.process_trees(config.policy.cgroup);
        self.limits(config);
        self.git(config);
        if let Some(upkeep) = &upkeep {
            self.worktrees(upkeep);
        }
        for (name, frozen) in &config.backends {
            let label = texts::backend_label(name);
            match (registry.build(frozen), &upkeep) {
                (Err(problem), _) => self.problem(&label, [problem.to_string().into()]),
                (Ok(_), None) => self.line(&label, "?", [texts::not_checked()]),
                (Ok(backend), Some(upkeep)) => self.backend(&label, &*backend, upkeep, (config, registry)).await,
            }
        }
        upkeep
    }

    /// Reports what `init` would still do, if Claude Code is installed.
    async fn setup(&mut self, config: &Config, given: &ConfigArgs, registry: &Registry, upkeep: Option<&Upkeep>) {
        let Some(upkeep) = upkeep else { return };
        let record = SetupRecord::read(&config.data_dir).ok().flatten();
        let choices = record.map(|record| record.choices).unwrap_or_default();
        match make_plan(config, given, (registry, upkeep), choices).await {
            Ok((found, _)) if found.claude.is_none() => {}
            Ok((_, plan)) if plan.steps.is_empty() => self.line("Claude Code", "ok", [setup_texts::complete()]),
            Ok((found, plan)) => {
                self.line("Claude Code", "todo", [setup_texts::pending(&changes(&plan, &found))]);
            }
            Err(problem) => self.line("Claude Code", "?", texts::problem(problem)),
        }
    }

    /// Reports how the processes of an agent are found when it is stopped.
    fn process_trees(&mut self, wanted: CgroupUse) {
        let parent = parent_cgroup().filter(|_| wanted == CgroupUse::Auto);
        self.line("process trees", "ok", texts::process_trees(parent.as_deref()));
    }

    /// Reports the limit on running tasks, the retention rules and the ceilings, where they are set.
    fn limits(&mut self, config: &Config) {
        if config.max_running > 0 {
            self.line("limit", "set", [texts::limit(config.max_running)]);
        }
        let retention = texts::retention(&config.retention);
        if !retention.is_empty() {
            self.line("retention", "set", retention);
        }
        for (name, ceiling) in &config.ceilings {
            let missing = ceiling.roots.iter().filter(|root| !root.exists()).map(PathBuf::as_path);
            let (sandbox, key) = config.default_sandbox_of(name);
            let sandbox_above = (sandbox > ceiling.sandbox).then_some(key);
            let timeout = config.policy.timeout;
            let is_timeout_above = ceiling.timeout.is_some_and(|most| timeout.is_none_or(|timeout| timeout > most));
            let rules = texts::ceiling(ceiling, missing, sandbox_above, is_timeout_above);
            if !rules.is_empty() {
                self.line(&texts::ceiling_label(name), "set", rules);
            }
        }
    }

    /// Reports whether git can take snapshots and merge changes. Without it, tasks run if they need no worktree.
    fn git(&mut self, config: &Config) {
        let here = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let found = Git::find(&here, Deadline::after(GIT_DEADLINE)).map(|git| git.version());
        let (word, lines) = match found {
            Ok(version) if version >= GIT_FOR_MERGES => {
                self.line("git", "ok", [texts::git(&version)]);
                return;
            }
            Ok(version) if version >= GIT_FOR_SNAPSHOTS => {
                self.line("git", "old", texts::git_cannot_merge(&version, &GIT_FOR_MERGES));
                return;
            }
            Ok(version) => ("old", texts::git_too_old(&version, &GIT_FOR_SNAPSHOTS)),
            Err(GitError::NotInstalled) => ("missing", texts::git_missing()),
            Err(error) => ("?", texts::git_unusable(&error)),
        };
        let settings = config.workspaces.get(&config.default_backend).unwrap_or(&config.workspace);
        match settings.tree {
            TreeUse::Always => self.problem("git", lines),
            TreeUse::Never => self.line("git", word, lines),
        }
    }

    /// Reports the worktrees of tasks, if there are any.
    fn worktrees(&mut self, upkeep: &Upkeep) {
        let found = existing_trees(&Workspaces::of(upkeep), upkeep.reader(), TreeSizes::Measured).unwrap_or_default();
        if found.is_empty() {
            return;
        }
        let trees = found.iter().map(|tree| (&tree.task, tree.path.as_path(), tree.bytes, tree.state()));
        self.line("worktrees", "kept", texts::worktrees(trees.collect()));
    }

    async fn backend(
        &mut self,
        label: &str,
        backend: &dyn AgentBackend,
        upkeep: &Upkeep,
        (config, registry): (&Config, &Registry),
    ) {
        let is_default = *backend.name() == config.default_backend;
        let here = task_directory(backend);
        let project = here.as_ref().and_then(|here| Project::of(Sandbox::ReadOnly, here));
        let cache = ProbeCache::of(upkeep);
        let (program, installed) = match installed(backend, &cache, Freshness::Fresh, project.as_ref()).await {
            Ok(found) => found,
            Err(problem) => {
                let text = texts::problem(Refused::new(problem.to_string(), problem.next(backend)));
                if is_default {
                    self.problem(label, text)
                } else {
                    self.line(label, "missing", text)
                }
                return;
            }
        };
        let (environment, omitted) = environment(backend.environment(), env::vars_os(), project.as_ref());
        let agent_redactor = if self.redacts { Redactor::of(environment.clone()) } else { Redactor::default() };
        let login = LoginState::of(backend, &program, &environment).await;
        let broken = match backend.sandbox_probe() {
            // A program without this command may still have a working sandbox.
            Some(question) => probe(&program, &question, &environment).await.ok(),
            None => None,
        };
        let broken =
            broken.and_then(|answer| sandbox_failure(&answer.stderr).or_else(|| sandbox_failure(&answer.stdout)));
        let has_sandbox = installed.sandboxes.iter().any(|sandbox| *sandbox < Sandbox::DangerFullAccess);
        let omitted: Vec<String> = omitted.iter().filter(|_| has_sandbox).map(OmittedEntry::to_string).collect();
        let programs = config.backends.values().filter_map(|frozen| registry.build(frozen).ok());
        let programs: Vec<String> = programs.map(|backend| backend.program().to_owned()).collect();
        let trusted = trusted_files(config.file.clone(), programs.iter().map(String::as_str));
        let exposure = Exposure::of_backend(backend, upkeep.reader(), &trusted);
        let open = installed.sandboxes.contains(&Sandbox::WorkspaceWrite);
        let open = open.then(|| exposed(&exposure, here.as_deref())).flatten();
        let mut lines = texts::backend(&installed.version, &program, is_default, &installed.sandboxes);
        lines.extend(broken.into_iter().flat_map(|found| texts::broken_sandbox(found.message, found.advice)));
        lines.extend(open.into_iter().flatten());
        lines.extend(texts::omitted(&omitted));
        lines.extend(texts::login(login.answer.map_err(|error| error.to_string()), login.is_missing));
        lines.iter_mut().flat_map(Message::untrusted_texts).for_each(|text| agent_redactor.redact(text));
        match login.is_missing {
            true if is_default => self.problem(label, lines),
            true | false => self.line(label, "ok", lines),
        }
    }

    fn problem(&mut self, label: &str, lines: impl IntoIterator<Item = Message>) {
        self.is_usable = false;
        self.line(label, "PROBLEM", lines);
    }

    /// Adds a finding with redacted secrets.
    fn line(&mut self, label: &str, word: &'static str, lines: impl IntoIterator<Item = Message>) {
        let mut lines: Vec<_> = lines.into_iter().collect();
        lines.iter_mut().flat_map(Message::untrusted_texts).for_each(|text| self.redactor.redact(text));
        self.findings.push(CheckFinding { label: label.to_owned(), word, lines });
    }
}

/// The current directory, unless the backend's tasks cannot run there in any sandbox, as in a home directory that is
/// not a repository.
fn task_directory(backend: &dyn AgentBackend) -> Option<PathBuf> {
    let needs_git = backend.capabilities().requires_git;
    env::current_dir().ok().filter(|here| !needs_git || check_repository(here).is_ok())
}

/// Why tasks in `workspace-write` are refused `here`, if they are. Without a directory, only the areas that are open to
/// every task are checked.
fn exposed(exposure: &Exposure, here: Option<&Path>) -> Option<[Message; 2]> {
    let checked = match here {
        Some(here) => exposure.check(here),
        None => exposure.check_anywhere(),
    };
    let exposed = checked.err()?;
    Some(texts::exposed(here, exposed.to_string(), exposed.next()))
}

fn is_writable(dir: &Path) -> bool {
    tempfile::Builder::new().prefix(".check-").tempfile_in(dir).is_ok()
}
