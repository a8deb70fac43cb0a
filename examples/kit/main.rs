//! Tests what every agent can do, and how it behaves in difficult situations, and prints the results as tables.
//!
//!     cargo run --example kit                    all agents and versions, from npm; the tables on stdout
//!     cargo run --example kit -- --only claude   only agents whose title contains this word
//!     cargo run --example kit -- --write         the tables in docs/backends.md and docs/drift.md
//!
//! The agents are real, their models are scripted, and each agent is tested with
//! `codex-connector check --deep NAME --whole`. This takes about a quarter of an hour. It fails if any promise is
//! broken.

#[path = "../../src/main.rs"]
mod program;
mod table;

use std::{env, io::Write, path::Path, process::ExitCode};

use clap::Parser;
use connector_testing::{
    ScriptedModel, agents,
    agents::{AcpAdapter, TestAgent},
    codex::InstallProblem,
    kit::{self, KitReport},
};

use table::{Column, Table};

/// The tested versions of Codex: the oldest that works, some in between, and the newest.
const CODEX: [&str; 10] =
    ["0.44.0", "0.47.0", "0.63.0", "0.80.0", "0.105.0", "0.125.0", "0.142.0", "0.155.0", "0.169.0", "0.171.0"];
/// The oldest version that is tested, and the newest.
const CLAUDE: [&str; 2] = ["2.1.197", agents::CLAUDE];

/// The documents that contain the tables.
const BACKENDS: &str = "docs/backends.md";
const DRIFT: &str = "docs/drift.md";

/// Test every agent, and print the results as tables
#[derive(Debug, Parser)]
struct KitOptions {
    /// Test only agents whose title contains this text, ignoring case
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write the tables to the documentation below the current directory
    #[arg(long, conflicts_with = "only")]
    write: bool,
}

/// Installs and configures an agent.
type Ready = Box<dyn Fn(&ScriptedModel) -> Result<TestAgent, InstallProblem>>;

fn main() -> ExitCode {
    // The kit runs this program as codex-connector, which in turn runs it as its supervisors.
    if env::args().nth(1).is_some_and(|first| ["--config", "--data-dir", "supervise"].contains(&first.as_str())) {
        return program::main();
    }
    let options = KitOptions::parse();
    let own = match env::current_exe() {
        Ok(own) => own,
        Err(problem) => return fail(&format!("cannot find this program: {problem}")),
    };
    let versions = CODEX.map(|version| (format!("Codex CLI {version}"), codex(version))).into();
    let (agents, versions) = match (columns(&own, agents(), &options), columns(&own, versions, &options)) {
        (Ok(agents), Ok(versions)) => (Table { columns: agents }, Table { columns: versions }),
        (Err(problem), _) | (_, Err(problem)) => return fail(&problem),
    };
    let tables = [(BACKENDS, &agents), (DRIFT, &versions)];
    for (file, table) in tables.into_iter().filter(|(_, table)| !table.columns.is_empty()) {
        if !options.write {
            say(&table.markdown());
        } else if let Err(problem) = table.write_into(Path::new(file)) {
            return fail(&problem);
        }
    }
    match agents.has_broken() || versions.has_broken() {
        true => fail("at least one promise is broken; see the results above"),
        false => ExitCode::SUCCESS,
    }
}

fn codex(version: &'static str) -> Ready {
    Box::new(move |model| TestAgent::codex(version, model))
}

fn claude(version: &'static str) -> Ready {
    Box::new(move |model| TestAgent::claude(version, model))
}

/// The newest version of each agent, once per kind of backend that supports it, and an older Claude Code.
fn agents() -> Vec<(String, Ready)> {
    let newest = CODEX[CODEX.len() - 1];
    let mut agents: Vec<(String, Ready)> = vec![(format!("`codex`: Codex CLI {newest}"), codex(newest))];
    agents.extend(CLAUDE.map(|version| (format!("`claude`: Claude Code {version}"), claude(version))));
    let (gemini, opencode) = (agents::GEMINI, agents::OPENCODE);
    let others: [(String, Ready); 7] = [
        (format!("`opencode`: OpenCode {opencode}"), Box::new(|model| TestAgent::opencode("opencode", model))),
        (format!("`gemini`: Gemini CLI {gemini}"), Box::new(|model| TestAgent::gemini("gemini", model))),
        (format!("`acp`: Gemini CLI {gemini}"), Box::new(|model| TestAgent::gemini("acp", model))),
        (format!("`acp`: OpenCode {opencode}"), Box::new(|model| TestAgent::opencode("acp", model))),
        (format!("`acp`: Qwen Code {}", agents::QWEN), Box::new(TestAgent::qwen_by_acp)),
        (format!("`command`: OpenCode {opencode}"), Box::new(TestAgent::opencode_by_rules)),
        (format!("`command`: Qwen Code {}", agents::QWEN), Box::new(TestAgent::qwen_by_rules)),
    ];
    let wrapped = |adapter: AcpAdapter, ready: fn(AcpAdapter, &ScriptedModel) -> _| -> (String, Ready) {
        (format!("`acp`: {}", adapter.title()), Box::new(move |model| ready(adapter, model)))
    };
    agents.extend(others);
    agents
        .extend([agents::CODEX_ACP, agents::EARLIER_CODEX_ACP].map(|codex| wrapped(codex, TestAgent::wrapping_codex)));
    agents.extend(
        [agents::CLAUDE_AGENT_ACP, agents::CLAUDE_CODE_ACP].map(|claude| wrapped(claude, TestAgent::wrapping_claude)),
    );
    agents
}

/// Tests those `agents` that the options select.
fn columns(own: &Path, agents: Vec<(String, Ready)>, options: &KitOptions) -> Result<Vec<Column>, String> {
    let only = options.only.as_deref().unwrap_or_default().to_lowercase();
    let wanted = agents.into_iter().filter(|(title, _)| title.to_lowercase().contains(&only));
    wanted.map(|(title, ready)| column(own, &title, &ready).map_err(|problem| format!("{title}: {problem}"))).collect()
}

fn column(own: &Path, title: &str, ready: &Ready) -> Result<Column, InstallProblem> {
    let model = ScriptedModel::start();
    let agent = ready(&model)?;
    let scratch = own.parent().unwrap_or(own).join("kit-scratch");
    let KitReport { findings, .. } = kit::run(own, &agent, &scratch);
    let problems = findings.iter().filter(|finding| finding.verdict == "broken" || finding.verdict == "unknown");
    let problems: Vec<_> =
        problems.map(|finding| format!("\n  {} {}: {}", finding.case, finding.verdict, finding.words)).collect();
    say(&format!("{title}: tested{}\n", problems.concat()));
    Ok(Column { title: title.to_owned(), findings })
}

fn say(text: &str) {
    // It does not matter if no one reads this any more.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn fail(problem: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{problem}");
    ExitCode::FAILURE
}
