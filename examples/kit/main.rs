//! What every agent can do, and what it does when it is put through things, as tables.
//!
//!     cargo run --example kit                            all agents and versions, from npm; the tables on stdout
//!     cargo run --example kit -- --only claude           those whose title has this word in it
//!     cargo run --example kit -- --write docs/agents.md  the tables in this file
//!
//! The agents are real, their models are scripted, and what is run for each is `codex-connector check --deep NAME --whole`.
//! It takes about a quarter of an hour. It fails when a promise is broken anywhere.

mod table;

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use codex_connector::App;
use connector_testing::{
    ScriptedModel, agents,
    agents::Agent,
    codex::InstallProblem,
    kit::{self, Report},
};

use table::{Column, Table};

/// The versions of Codex that are looked at: the oldest that runs, some on the way, and the newest there are.
const CODEX: [&str; 11] = [
    "0.44.0", "0.47.0", "0.63.0", "0.80.0", "0.105.0", "0.125.0", "0.142.0", "0.155.0", "0.169.0", "0.170.0", "0.171.0",
];
const CLAUDE: [&str; 2] = ["2.1.197", agents::CLAUDE];

/// Tries every agent, and makes tables of what was found.
#[derive(Debug, Parser)]
struct Options {
    /// Try only agents whose title has this in it, whatever the case of its letters
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write the tables into this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// How an agent is got ready.
type Ready = Box<dyn Fn(&ScriptedModel) -> Result<Agent, InstallProblem>>;

fn main() -> ExitCode {
    // The kit runs this program as codex-connector, and that as its supervisors.
    if env::args().nth(1).is_some_and(|first| ["--config", "--data-dir", "supervise"].contains(&first.as_str())) {
        return App::new()
            .backend::<connector_codex::Codex>()
            .backend::<connector_command::Command>()
            .backend::<connector_acp::Acp>()
            .backend::<connector_claude::Claude>()
            .main();
    }
    let options = Options::parse();
    let own = match env::current_exe() {
        Ok(own) => own,
        Err(problem) => return fail(&format!("cannot find this program: {problem}")),
    };
    let versions: Vec<(String, Ready)> = CODEX.map(|version| (format!("Codex {version}"), codex(version))).into();
    let mut others: Vec<(String, Ready)> =
        CLAUDE.map(|version| (format!("Claude Code {version}"), claude(version))).into();
    others.extend(agents());
    let mut tables = [
        Table::new("Agents", "The newest of each, and an older Claude Code."),
        Table::new("Versions of Codex", "From the oldest that can be driven to the newest there is."),
    ];
    for (table, agents) in tables.iter_mut().zip([others, versions]) {
        for (title, ready) in agents {
            let wanted = options.only.as_ref().is_none_or(|only| title.to_lowercase().contains(&only.to_lowercase()));
            if wanted {
                match column(&own, &title, &ready) {
                    Ok(column) => table.columns.push(column),
                    Err(problem) => return fail(&format!("{title}: {problem}")),
                }
            }
        }
    }
    let text = tables.iter().filter(|table| !table.columns.is_empty()).map(Table::markdown).collect::<String>();
    let text = format!("{}{text}", table::HEAD);
    if let Some(file) = &options.write {
        if let Err(problem) = fs::write(file, &text) {
            return fail(&format!("cannot write {}: {problem}", file.display()));
        }
    } else {
        say(&text);
    }
    match tables.iter().any(Table::has_broken) {
        true => fail("a promise is broken; see above"),
        false => ExitCode::SUCCESS,
    }
}

fn codex(version: &'static str) -> Ready {
    Box::new(move |model| Agent::codex(version, model))
}

fn claude(version: &'static str) -> Ready {
    Box::new(move |model| Agent::claude(version, model))
}

fn agents() -> Vec<(String, Ready)> {
    vec![
        (format!("Gemini CLI {} by ACP", agents::GEMINI), Box::new(|model| Agent::gemini("acp", model))),
        (format!("OpenCode {} by ACP", agents::OPENCODE), Box::new(|model| Agent::opencode("acp", model))),
        (format!("codex-acp {}", agents::CODEX_ACP), Box::new(Agent::codex_acp)),
        (format!("claude-code-acp {}", agents::CLAUDE_CODE_ACP), Box::new(Agent::claude_code_acp)),
    ]
}

fn column(own: &Path, title: &str, ready: &Ready) -> Result<Column, InstallProblem> {
    let model = ScriptedModel::start();
    let agent = ready(&model)?;
    let scratch = own.parent().unwrap_or(own).join("kit-scratch");
    let Report { findings, .. } = kit::run(own, &agent, &scratch);
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
