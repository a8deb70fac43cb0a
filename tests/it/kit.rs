//! The conformance kit, `check --deep NAME --whole`, with real agents and a scripted model, and with the fake agent in
//! every dialect.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use connector_testing::{ScriptedModel, agents, agents::TestAgent, codex, codex::InstallProblem, eventually, kit};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::world::{ANSWER_TIMEOUT, World};

/// The directory in which cargo keeps the temporary files of tests.
const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

/// The expected verdict for Codex's sandbox `workspace-write`, which leaves the system's temporary directories
/// writable.
fn workspace_write_of_codex() -> (&'static str, &'static str) {
    let scratch = Path::new(SCRATCH).canonicalize().expect("cargo made the directory");
    let temporary = [std::env::temp_dir(), "/tmp".into()].map(|dir| dir.canonicalize().unwrap_or(dir));
    let is_open = temporary.iter().any(|dir| scratch.starts_with(dir));
    ("workspace_write", if is_open { "unknown" } else { "yes" })
}

/// Runs the kit and compares the verdicts with the expected ones: `yes` for every case that is not in `others`.
fn assert_verdicts(agent: impl FnOnce(&ScriptedModel) -> Result<TestAgent, InstallProblem>, others: &[(&str, &str)]) {
    let model = ScriptedModel::start();
    let agent = agent(&model).unwrap_or_else(|problem| panic!("{problem}"));
    let report = report(&agent);
    assert_eq!(report.findings.len(), 18, "{report:#?}");
    for finding in &report.findings {
        let expected = others.iter().find(|(case, _)| *case == finding.case).map_or("yes", |(_, verdict)| verdict);
        assert_eq!(finding.verdict, expected, "{}: {finding:?} of {report:#?}", agent.title);
    }
    assert_eq!(report.kept, None, "no logs are kept if all promises are kept");
}

fn report(agent: &TestAgent) -> kit::KitReport {
    let program = Path::new(env!("CARGO_BIN_EXE_codex-connector"));
    kit::run(program, agent, Path::new(SCRATCH))
}

/// The same with the fake agent.
fn assert_fake_verdicts(kind: &str, settings: &str, others: &[(&str, &str)]) {
    let dialect = if kind == "command" { "text" } else { kind };
    let fake = Path::new(env!("CARGO_BIN_EXE_fake-agent"));
    assert_verdicts(|_| Ok(TestAgent::fake(kind, dialect, fake, settings)), others);
}

const REFUSED: [(&str, &str); 3] = [("read_only", "no"), ("workspace_write", "no"), ("project_settings", "no")];

#[test]
fn the_codex_dialect_passes_the_kit() {
    assert_fake_verdicts("codex", "", &[]);
}

#[test]
fn the_claude_dialect_passes_the_kit() {
    assert_fake_verdicts("claude", "", &[]);
}

#[test]
fn the_gemini_dialect_passes_the_kit() {
    assert_fake_verdicts("gemini", "", &REFUSED);
}

#[test]
fn the_opencode_dialect_passes_the_kit() {
    assert_fake_verdicts("opencode", "", &REFUSED);
}

#[test]
fn an_acp_agent_passes_the_kit() {
    let settings = "model_args = [\"-m\", \"{model}\"]\nmodes = { danger-full-access = \"full-access\" }\n";
    assert_fake_verdicts("acp", settings, &REFUSED);
}

#[test]
fn a_text_program_passes_the_kit() {
    let settings = "model_args = [\"--model\", \"{model}\"]\nsandboxes = { danger-full-access = [] }\n";
    let others = ["session", "tokens", "resume", "read_only", "workspace_write", "project_settings"];
    assert_fake_verdicts("command", settings, &others.map(|case| (case, "no")));
}

/// Runs the kit with a fake agent that is started by this shell script, and so may break its promises.
fn report_with_script(script: &str) -> kit::KitReport {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = dir.path().join("agent");
    let agent = env!("CARGO_BIN_EXE_fake-agent");
    fs::write(&program, format!("#!/bin/bash\n{script}\nexec '{agent}' \"$@\"\n")).expect("it is writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("the file is ours");
    report(&TestAgent::fake("codex", "codex", &program, ""))
}

#[test]
fn broken_promises_are_found_and_their_logs_are_kept() {
    let script = "for name in read-only workspace-write; do set -- \"${@/$name/danger-full-access}\"; done\n\
                  set -- \"${@/no-such-model-anywhere/any-model}\"";
    let report = report_with_script(script);
    let broken = report.findings.iter().filter(|finding| finding.verdict == "broken");
    let broken: Vec<_> = broken.map(|finding| finding.case.as_str()).collect();
    let (workspace_write, verdict) = workspace_write_of_codex();
    let mut expected = vec!["read_only", "workspace_write", "project_settings"];
    expected.retain(|case| *case != workspace_write || verdict == "yes");
    assert_eq!(broken, expected, "{report:#?}");
    // Providers may accept any name, so this one breaks no promise.
    let model = report.findings.iter().find(|finding| finding.case == "unknown_model");
    assert_eq!(model.map(|finding| finding.verdict.as_str()), Some("no"), "{report:#?}");
    assert!(report.kept.is_some(), "the logs were not kept");
}

#[test]
fn an_agent_that_obeys_project_settings_is_detected() {
    let settings = ".codex/config.toml";
    for (script, found) in [
        // The agent starts the project's MCP server.
        (
            format!(
                "server=$(sed -n 's/^args = \\[\"\\(.*\\)\"\\]$/\\1/p' {settings} 2>&1); [ -f \"$server\" ] && sh \"$server\" </dev/null"
            ),
            "mcp-server",
        ),
        // The agent runs commands without a sandbox in this project.
        (
            format!(
                "if [ -f {settings} ]; then for name in read-only workspace-write; do set -- \"${{@/$name/danger-full-access}}\"; done; fi"
            ),
            "edit",
        ),
    ] {
        let report = report_with_script(&script);
        let broken: Vec<_> = report.findings.iter().filter(|finding| finding.verdict == "broken").collect();
        let [finding] = broken.as_slice() else { panic!("{report:#?}") };
        assert_eq!(finding.case, "project_settings", "{report:#?}");
        assert!(finding.words.contains("in read-only") && finding.words.contains(found), "{}", finding.words);
    }
}

#[test]
fn cases_the_model_does_not_follow_are_unknown() {
    // The agent replies, but does not follow the instructions.
    let report = report_with_script("prompt=$(cat); exec < <(echo \"pineapple ${prompt//:/ }\")");
    for (case, expected) in [
        ("answer", "yes"),
        ("read_only", "unknown"),
        ("workspace_write", "unknown"),
        ("edit", "unknown"),
        ("cancel_command", "unknown"),
        ("time_limit", "unknown"),
        ("model_failure", "unknown"),
        ("crash", "unknown"),
    ] {
        let finding = report.findings.iter().find(|finding| finding.case == case);
        assert_eq!(finding.map(|finding| finding.verdict.as_str()), Some(expected), "{case} of {report:#?}");
    }
}

#[test]
fn the_newest_codex_keeps_every_promise() {
    assert_verdicts(|model| TestAgent::codex(codex::NEWEST, model), &[workspace_write_of_codex()]);
}

#[test]
fn claude_code_keeps_every_promise() {
    assert_verdicts(|model| TestAgent::claude(agents::CLAUDE, model), &[]);
}

#[test]
fn codex_acp_keeps_its_promises() {
    assert_verdicts(|model| TestAgent::wrapping_codex(agents::CODEX_ACP, model), &REFUSED);
}

#[test]
fn the_data_directory_of_a_first_check_is_private() {
    let world = World::with_fake_agent();
    let data = world.home().join("a/data");
    let shell = "umask 0; exec \"$0\" \"$@\"";
    let mut check = std::process::Command::new("sh");
    check
        .args(["-c", shell, env!("CARGO_BIN_EXE_codex-connector"), "check", "--deep", "codex", "--data-dir"])
        .arg(&data);
    check.args(["--config".as_ref(), world.data_dir().join("config.toml").as_os_str()]);
    // Without a program, the kit tests nothing.
    check.args(["--set", "backends.codex.program=/no/such/program"]).env_clear().env("HOME", world.home());
    let done = check.env("PATH", std::env::var_os("PATH").unwrap_or_default()).output().expect("a shell runs");
    assert!(!done.status.success(), "{done:?}");
    for dir in [world.home().join("a"), data] {
        let mode = fs::metadata(&dir).expect("it was created").permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}: {mode:o}", dir.display());
    }
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
    let agent = eventually("a command that runs until it is stopped", ANSWER_TIMEOUT, || {
        let kits: Vec<PathBuf> = kits();
        let pid = fs::read_to_string(kits.first()?.join("project/timed-out.pid")).ok()?;
        pid.trim().parse::<i32>().ok().and_then(Pid::from_raw)
    });
    kill_process(Pid::from_child(&kit), Signal::INT).expect("it is our child");
    let status = eventually("the end of the kit", ANSWER_TIMEOUT, || kit.try_wait().expect("it is our child"));
    assert_eq!(status.code(), Some(1));
    let is_gone = test_kill_process(agent).is_err();
    assert!(is_gone, "the agent's command still runs");
    assert_eq!(kits(), Vec::<PathBuf>::new());
}
