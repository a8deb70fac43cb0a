//! `codex-connector check --deep NAME`: what can this agent do, and what does it do when it is put through things?

use std::{fmt::Write, path::PathBuf, process::ExitCode, time::Duration};

use serde::Serialize;

use super::{fail, print};
use crate::{
    config::Config,
    kit::{Extent, Finding, Kit, Verdict},
    registry::Registry,
};

/// What the command line asks for.
#[derive(Debug)]
pub(super) struct Deep {
    pub(super) backend: String,
    pub(super) extent: Extent,
    pub(super) limit: Duration,
    pub(super) format: Format,
}

/// How findings are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A line each, as they come.
    Text,
    /// One JSON object at the end.
    Json,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    backend: &'a str,
    version: String,
    program: PathBuf,
    findings: Vec<Finding>,
}

/// Tries the backend and prints what was found. Fails when a promise is broken, or the agent gave no answer.
pub(super) fn check(config: Config, registry: &Registry, supervisor: Option<PathBuf>, deep: &Deep) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(try_all(config, registry, supervisor, deep)),
        Err(error) => fail(&error.to_string()),
    }
}

async fn try_all(config: Config, registry: &Registry, supervisor: Option<PathBuf>, deep: &Deep) -> ExitCode {
    let kit = Kit::new(config, registry, supervisor, &deep.backend, deep.extent, deep.limit).await;
    let mut kit = match kit {
        Ok(kit) => kit,
        Err(problem) => return fail(&problem.to_string()),
    };
    let (version, program) = (kit.version().to_owned(), kit.program().to_owned());
    if deep.format == Format::Text {
        print(&format!("{} {version} at {}\n", deep.backend, program.display()));
    }
    let told = |finding: &Finding| {
        if deep.format == Format::Text {
            print(&line(finding));
        }
    };
    let findings = tokio::select! {
        findings = kit.run(told) => Some(findings),
        _ = tokio::signal::ctrl_c() => None,
    };
    let Some(findings) = findings else {
        kit.stop().await;
        kit.clean_up().await;
        return fail("stopped");
    };
    let is_broken = findings.iter().any(|finding| finding.verdict == Verdict::Broken);
    let answered = findings.first().is_some_and(|finding| finding.verdict == Verdict::Yes);
    let kept = if is_broken || !answered {
        Some(kit.keep_files())
    } else {
        kit.clean_up().await;
        None
    };
    if let (Some(kept), Format::Text) = (&kept, deep.format) {
        print(&format!("\nthe logs of these tasks are in {}\n", kept.join("data/logs").display()));
    }
    if deep.format == Format::Json {
        let report = Report { backend: &deep.backend, version, program, findings };
        let text = serde_json::to_string_pretty(&report).expect("a report is plain data");
        print(&format!("{text}\n"));
    }
    if is_broken || !answered { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn line(finding: &Finding) -> String {
    let verdict = match finding.verdict {
        Verdict::Yes => "yes",
        Verdict::No => "no",
        Verdict::Broken => "BROKEN",
        Verdict::Unknown => "unknown",
    };
    let mut line = String::new();
    writeln!(line, "{:<44}{verdict:<9}{}", finding.case.title(), finding.words).expect("a string takes all text");
    line
}
