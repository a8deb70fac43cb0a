//! `codex-connector check --deep NAME`: what can this agent do, and what does it do when it is put through things?

use std::{error::Error, fmt::Write, io, path::PathBuf, process::ExitCode, time::Duration};

use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output::{fail, print};
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
    /// Where the records and logs of the tasks are, if they were kept.
    kept: Option<PathBuf>,
}

/// Tries the backend and prints what was found. Fails when a promise is broken, or the first task came to nothing.
pub(super) fn check(config: Config, registry: &Registry, supervisor: Option<PathBuf>, deep: &Deep) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(try_all(config, registry, supervisor, deep)),
        Err(error) => fail(&error.to_string()),
    }
}

async fn try_all(config: Config, registry: &Registry, supervisor: Option<PathBuf>, deep: &Deep) -> ExitCode {
    let mut signals = match Signals::watched() {
        Ok(signals) => signals,
        Err(error) => return fail(&error.to_string()),
    };
    let kit = tokio::select! {
        kit = Kit::new(config, registry, supervisor, &deep.backend, deep.extent, deep.limit) => kit,
        () = signals.next() => return fail("stopped"),
    };
    let mut kit = match kit {
        Ok(kit) => kit,
        Err(problem) => return fail(&told(&problem)),
    };
    let (version, program) = (kit.version().to_owned(), kit.program().to_owned());
    if deep.format == Format::Text {
        print(&format!("{} {version} at {}\n", deep.backend, program.display()));
    }
    let tell = |finding: &Finding| {
        if deep.format == Format::Text {
            print(&line(finding));
        }
    };
    let findings = tokio::select! {
        findings = kit.run(tell) => Some(findings),
        () = signals.next() => None,
    };
    let Some(findings) = findings else {
        let stopped = async {
            kit.stop().await;
            kit.clean_up().await;
        };
        tokio::select! {
            () = stopped => {}
            // Whoever insists is not kept waiting: what runs ends with this process.
            () = signals.next() => {}
        }
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
    match (deep.format, &kept) {
        (Format::Text, Some(kept)) => {
            let logs = kept.join("data/logs");
            print(&format!(
                "\nthe logs of these tasks are in {}\nremove {} when you no longer need them\n",
                logs.display(),
                kept.display()
            ));
        }
        (Format::Text, None) => {}
        (Format::Json, _) => {
            let report = Report { backend: &deep.backend, version, program, findings, kept };
            let text = serde_json::to_string_pretty(&report).expect("a report is plain data");
            print(&format!("{text}\n"));
        }
    }
    if is_broken || !answered { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A problem with its causes, what happened first.
fn told(problem: &dyn Error) -> String {
    let mut text = problem.to_string();
    let mut cause = problem.source();
    while let Some(error) = cause {
        text.push_str(&format!("\nbecause: {error}"));
        cause = error.source();
    }
    text
}

/// What ends a program from outside.
struct Signals([Signal; 3]);

impl Signals {
    /// From here on each is waited for, and does nothing else.
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

fn line(finding: &Finding) -> String {
    let verdict = match finding.verdict {
        Verdict::Yes => "yes",
        Verdict::No => "no",
        Verdict::Broken => "BROKEN",
        Verdict::Unknown => "unknown",
    };
    let mut line = String::new();
    let title = finding.case.title();
    writeln!(line, "{title:<TITLE_WIDTH$}  {verdict:<7}  {}", finding.words).expect("a string takes all text");
    line
}

/// Width of the column of titles, in characters. The longest title is wider, and stands out.
const TITLE_WIDTH: usize = 42;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::Case;

    #[test]
    fn the_columns_of_a_finding_are_apart() {
        for case in Case::ALL {
            for verdict in [Verdict::Yes, Verdict::No, Verdict::Broken, Verdict::Unknown] {
                let line = line(&Finding { case, verdict, words: "words".to_owned() });
                let columns: Vec<_> = line.trim_end().split("  ").filter(|column| !column.is_empty()).collect();
                assert_eq!(columns.len(), 3, "{line:?}");
                assert_eq!((columns[0], columns[2].trim()), (case.title(), "words"));
            }
        }
    }
}
