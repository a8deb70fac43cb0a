//! The conformance kit, `check --deep NAME --whole`, with real agents and a scripted model, and with the fake agent in every
//! dialect.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use connector_testing::{ScriptedModel, agents, agents::Agent, codex, codex::InstallProblem, eventually, kit};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::world::{PATIENCE, World};

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
    let others = ["session", "tokens", "resume", "read_only", "workspace_write"];
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
    let others = [("tokens", "no"), ("read_only", "no"), ("workspace_write", "no")];
    hold(Agent::codex_acp, &others);
}

#[test]
fn a_kit_that_is_interrupted_leaves_neither_a_process_nor_a_file() {
    let world = World::with_fake_agent();
    let mut kit = world.command(&["check", "--deep", "codex", "--whole"]);
    let mut kit = kit.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it is built");
    let kits = || {
        let entries = fs::read_dir(world.data_dir()).expect("there is a data directory").flatten();
        let paths = entries.map(|entry| entry.path());
        paths.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("kit-"))).collect()
    };
    let agent = eventually("a command that runs until it is stopped", PATIENCE, || {
        let kits: Vec<PathBuf> = kits();
        let pid = fs::read_to_string(kits.first()?.join("project/timed-out.pid")).ok()?;
        pid.trim().parse::<i32>().ok().and_then(Pid::from_raw)
    });
    kill_process(Pid::from_child(&kit), Signal::INT).expect("it is our child");
    let status = eventually("the end of the kit", PATIENCE, || kit.try_wait().expect("it is our child"));
    assert_eq!(status.code(), Some(1));
    let is_gone = test_kill_process(agent).is_err();
    assert!(is_gone, "its command still runs");
    assert_eq!(kits(), Vec::<PathBuf>::new());
}
