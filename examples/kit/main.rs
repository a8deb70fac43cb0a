//! What every agent can do, and what it does when it is put through things, as tables.
//!
//!     cargo run --example kit                    all agents and versions, from npm; the tables on stdout
//!     cargo run --example kit -- --only claude   those whose title has this word in it
//!     cargo run --example kit -- --write         the tables in docs/backends.md and docs/drift.md
//!
//! The agents are real, their models are scripted, and what is run for each is `codex-connector check --deep NAME --whole`.
//! It takes about a quarter of an hour. It fails when a promise is broken anywhere.

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

/// The versions of Codex that are looked at: the oldest that runs, some on the way, and the newest there are.
const CODEX: [&str; 10] =
    ["0.44.0", "0.47.0", "0.63.0", "0.80.0", "0.105.0", "0.125.0", "0.142.0", "0.155.0", "0.169.0", "0.171.0"];
/// The oldest that is tested, and the newest.
const CLAUDE: [&str; 2] = ["2.1.197", agents::CLAUDE];

/// Where the tables go.
const BACKENDS: &str = "docs/backends.md";
const DRIFT: &str = "docs/drift.md";

/// Tries every agent, and makes tables of what was found.
#[derive(Debug, Parser)]
struct KitOptions {
    /// Try only agents whose title has this in it, whatever the case of its letters
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write the tables into the documentation, below the current directory
    #[arg(long, conflicts_with = "only")]
    write: bool,
}

/// How an agent is got ready.
type Ready = Box<dyn Fn(&ScriptedModel) -> Result<TestAgent, InstallProblem>>;

fn main() -> ExitCode {
    // The kit runs this program as codex-connector, and that as its supervisors.
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
        true => fail("a promise is broken; see above"),
        false => ExitCode::SUCCESS,
    }
}

fn codex(version: &'static str) -> Ready {
    Box::new(move |model| TestAgent::codex(version, model))
}

fn claude(version: &'static str) -> Ready {
    Box::new(move |model| TestAgent::claude(version, model))
}

/// The newest of each, as a backend of each kind that it can be, and an older Claude Code.
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
    let around = |around: AcpAdapter, ready: fn(AcpAdapter, &ScriptedModel) -> _| -> (String, Ready) {
        (format!("`acp`: {}", around.title()), Box::new(move |model| ready(around, model)))
    };
    agents.extend(others);
    agents.extend([agents::CODEX_ACP, agents::EARLIER_CODEX_ACP].map(|codex| around(codex, TestAgent::around_codex)));
    agents.extend(
        [agents::CLAUDE_AGENT_ACP, agents::CLAUDE_CODE_ACP].map(|claude| around(claude, TestAgent::around_claude)),
    );
    agents
}

/// Tries those of `agents` that are wanted.
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
    say(&format!("{title}: tried{}\n", problems.concat()));
    Ok(Column { title: title.to_owned(), findings })
}

fn say(text: &str) {
    // Nobody may be listening any more.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn fail(problem: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{problem}");
    ExitCode::FAILURE
}
