//! The conformance kit, `check --deep NAME --whole`, with real agents and a scripted model, and with the fake agent in every
//! dialect.

use std::path::Path;

use connector_testing::{ScriptedModel, agents, agents::Agent, codex, codex::InstallProblem, kit};

/// Runs the kit, and holds what it finds against what is known: every case is `yes`, but for those that are named.
fn hold(agent: impl FnOnce(&ScriptedModel) -> Result<Agent, InstallProblem>, others: &[(&str, &str)]) {
    let model = ScriptedModel::start();
    let agent = agent(&model).unwrap_or_else(|problem| panic!("{problem}"));
    let report = report(&agent);
    assert_eq!(report.findings.len(), 17, "{report:#?}");
    for finding in &report.findings {
        let expected = others.iter().find(|(case, _)| *case == finding.case).map_or("yes", |(_, verdict)| verdict);
        assert_eq!(finding.verdict, expected, "{}: {finding:?} of {report:#?}", agent.title);
    }
}

fn report(agent: &Agent) -> kit::Report {
    let program = Path::new(env!("CARGO_BIN_EXE_codex-connector"));
    kit::run(program, agent, Path::new(env!("CARGO_TARGET_TMPDIR")))
}

/// The same with the fake agent.
fn hold_fake(kind: &str, settings: &str, others: &[(&str, &str)]) {
    let dialect = if kind == "command" { "text" } else { kind };
    let fake = Path::new(env!("CARGO_BIN_EXE_fake-agent"));
    hold(|_| Ok(Agent::fake(kind, dialect, fake, settings)), others);
}

const REFUSED: [(&str, &str); 2] = [("read_only", "no"), ("workspace_write", "no")];

#[test]
fn the_kit_passes_codexs_dialect() {
    hold_fake("codex", "", &[]);
}

#[test]
fn the_kit_passes_claudes_dialect() {
    hold_fake("claude", "", &[]);
}

#[test]
fn the_kit_passes_geminis_dialect() {
    hold_fake("gemini", "", &REFUSED);
}

#[test]
fn the_kit_passes_opencodes_dialect() {
    hold_fake("opencode", "", &REFUSED);
}

#[test]
fn the_kit_passes_acp() {
    let settings = "model_args = [\"-m\", \"{model}\"]\nmodes = { danger-full-access = \"full-access\" }\n";
    hold_fake("acp", settings, &REFUSED);
}

#[test]
fn the_kit_passes_a_program_that_prints_text() {
    let settings = "model_args = [\"--model\", \"{model}\"]\nsandboxes = { danger-full-access = [] }\n";
    let others = ["session", "tokens", "resume", "unknown_session", "read_only", "workspace_write"];
    hold_fake("command", settings, &others.map(|case| (case, "no")));
}

#[test]
fn the_newest_codex_keeps_every_promise() {
    hold(|model| Agent::codex(codex::NEWEST, model), &[]);
}

#[test]
fn claude_code_keeps_every_promise() {
    hold(|model| Agent::claude(agents::CLAUDE, model), &[]);
}

#[test]
fn codex_acp_keeps_what_it_promises() {
    let others = [("tokens", "no"), ("unknown_model", "no"), ("read_only", "no"), ("workspace_write", "no")];
    hold(Agent::codex_acp, &others);
}
