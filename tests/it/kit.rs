//! The conformance kit, `check --deep NAME --whole`, with real agents and a scripted model.

use std::path::Path;

use connector_testing::{ScriptedModel, agents, agents::Agent, codex, codex::InstallProblem, kit};

/// Runs the kit, and holds what it finds against what is known: every case is `yes`, but for those that are named.
fn hold(agent: impl FnOnce(&ScriptedModel) -> Result<Agent, InstallProblem>, others: &[(&str, &str)]) {
    let model = ScriptedModel::start();
    let agent = agent(&model).unwrap_or_else(|problem| panic!("{problem}"));
    let program = Path::new(env!("CARGO_BIN_EXE_codex-connector"));
    let report = kit::run(program, &agent, Path::new(env!("CARGO_TARGET_TMPDIR")));
    assert_eq!(report.findings.len(), 17, "{report:#?}");
    for finding in &report.findings {
        let expected = others.iter().find(|(case, _)| *case == finding.case).map_or("yes", |(_, verdict)| verdict);
        assert_eq!(finding.verdict, expected, "{}: {finding:?} of {report:#?}", agent.title);
    }
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
