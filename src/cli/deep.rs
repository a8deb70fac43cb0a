//! `codex-connector check --deep NAME`: runs the conformance kit on an installed agent and reports its capabilities.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use connector_api::{AgentBackend, Login};
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    output::{error_text, fail, print, refuse},
    runtime::runtime,
};
use crate::{
    agent_environment::environment,
    config::Config,
    kit::{CaseFinding, CaseVerdict, Kit, KitNews, KitScope},
    present::{
        Refused, check as texts,
        json_output::Output,
        json_parts::{DeepCheckObject, DeepFindingObject},
        refusals,
    },
    probing::LoginState,
    registry::Registry,
};

/// The arguments of `check --deep`.
#[derive(Debug)]
pub(super) struct DeepCheck {
    pub(super) backend: String,
    pub(super) scope: KitScope,
    pub(super) limit: Duration,
    pub(super) format: OutputFormat,
    /// Whether to keep the files of the tasks if the check fails.
    pub(super) keep: bool,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputFormat {
    /// One line per finding, as soon as it is known.
    Text,
    /// One JSON object at the end.
    Json,
}

/// Tests the backend and prints the findings. Fails if a promise is broken or the first task gave no answer.
pub(super) fn check(config: Config, registry: &Registry, supervisor: Option<PathBuf>, deep: &DeepCheck) -> ExitCode {
    match runtime() {
        Ok(runtime) => runtime.block_on(run_kit(config, registry, supervisor, deep)),
        Err(error) => fail(error.to_string()),
    }
}

async fn run_kit(config: Config, registry: &Registry, supervisor: Option<PathBuf>, deep: &DeepCheck) -> ExitCode {
    let mut signals = match Signals::watched() {
        Ok(signals) => signals,
        Err(error) => return fail(error.to_string()),
    };
    let kit = tokio::select! {
        kit = Kit::new(config, registry, supervisor, &deep.backend, deep.scope, deep.limit) => kit,
        () = signals.next() => return refuse(refusals::stopped()),
    };
    let mut kit = match kit {
        Ok(kit) => kit,
        Err(problem) => return refuse(problem.explain()),
    };
    let (version, program) = (kit.version().to_owned(), kit.program().to_owned());
    if let Some(problem) = missing_login(kit.backend(), &program).await {
        kit.clean_up().await;
        return refuse(problem);
    }
    if deep.format == OutputFormat::Text {
        print(&texts::deep_heading(&deep.backend, &version, &program));
    }
    let report = |news: KitNews<'_>| match news {
        KitNews::Begins { case, number, count } => error_text(&texts::deep_progress(number, count, case.title())),
        KitNews::Found(finding) => {
            if deep.format == OutputFormat::Text {
                print(&line(finding));
            }
        }
    };
    let findings = tokio::select! {
        findings = kit.run(report) => Some(findings),
        () = signals.next() => None,
    };
    let Some(findings) = findings else {
        let stopped = async {
            kit.stop().await;
            kit.clean_up().await;
        };
        tokio::select! {
            () = stopped => {}
            // A second signal ends the wait. Supervisors notice when this process ends, and stop their agents.
            () = signals.next() => {}
        }
        return refuse(refusals::stopped());
    };
    let is_broken = findings.iter().any(|finding| finding.verdict == CaseVerdict::Broken);
    let answered = findings.first().is_some_and(|finding| finding.verdict == CaseVerdict::Yes);
    let has_failed = is_broken || !answered;
    let kept = if has_failed && deep.keep {
        Some(kit.keep_files())
    } else {
        kit.clean_up().await;
        None
    };
    match (deep.format, &kept) {
        (OutputFormat::Text, Some(kept)) => {
            print(&texts::logs_kept(&kept.join("data/logs"), kept));
        }
        (OutputFormat::Text, None) if has_failed => drop(print(&texts::logs_removed())),
        (OutputFormat::Text, None) => {}
        (OutputFormat::Json, _) => {
            let text = |path: &Path| path.to_string_lossy().into_owned();
            let report = DeepCheckObject {
                backend: deep.backend.clone(),
                version,
                program: text(&program),
                findings: findings.iter().map(object).collect(),
                kept: kept.as_deref().map(text),
            };
            print(&Output::DeepCheck(report).pretty());
        }
    }
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Why the agent would not answer any task: nobody is logged in.
async fn missing_login(backend: &dyn AgentBackend, program: &Path) -> Option<Refused> {
    let (environment, _) = environment(backend.environment(), env::vars_os(), None);
    let login = LoginState::of(backend, program, &environment).await;
    match (login.is_missing, login.answer) {
        (true, Ok(Login::No { said, advice })) => Some(refusals::not_logged_in(backend.name(), &said, advice)),
        (true | false, Ok(Login::No { .. } | Login::Yes(_) | Login::Unknown) | Err(_)) => None,
    }
}

/// The signals that ask this process to end.
struct Signals([Signal; 3]);

impl Signals {
    /// Replaces the default action of each signal, which would end the process at once.
    fn watched() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

fn object(finding: &CaseFinding) -> DeepFindingObject {
    let word = |value: serde_json::Result<Value>| value.ok().and_then(|word| word.as_str().map(str::to_owned));
    DeepFindingObject {
        case: word(serde_json::to_value(finding.case)).unwrap_or_default(),
        verdict: word(serde_json::to_value(finding.verdict)).unwrap_or_default(),
        words: finding.words.clone(),
    }
}

fn line(finding: &CaseFinding) -> String {
    let verdict = match finding.verdict {
        CaseVerdict::Yes => "yes",
        CaseVerdict::No => "no",
        CaseVerdict::Broken => "BROKEN",
        CaseVerdict::Unknown => "unknown",
    };
    texts::deep_finding(finding.case.title(), verdict, &finding.words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::Case;

    #[test]
    fn columns_of_a_finding_are_separated() {
        let named = object(&CaseFinding { case: Case::ReadOnly, verdict: CaseVerdict::Broken, words: "x".to_owned() });
        assert_eq!((&*named.case, &*named.verdict), ("read_only", "broken"));
        for case in Case::ALL {
            for verdict in [CaseVerdict::Yes, CaseVerdict::No, CaseVerdict::Broken, CaseVerdict::Unknown] {
                let line = line(&CaseFinding { case, verdict, words: "words".to_owned() });
                let columns: Vec<_> = line.trim_end().split("  ").filter(|column| !column.is_empty()).collect();
                assert_eq!(columns.len(), 3, "{line:?}");
                assert_eq!((columns[0], columns[2].trim()), (case.title(), "words"));
            }
        }
    }
}
