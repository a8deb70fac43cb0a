//! Runs the contract tests, and one task from configuration to answer.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use connector_api::contract::Subject;
use serde_json::{Value, json};

connector_api::contract_tests!(
    third_party::Parrot,
    Subject { settings: json!({"env": {"remove": ["SECRET_*"]}}), answers: vec![], success: b"hello\n".to_vec() }
);

#[test]
fn a_task_goes_from_configuration_to_answer() {
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let data = home.path().join(".codex-connector");
    fs::create_dir(&data).expect("the home is writable");
    let config =
        "[tasks]\ndefault_backend = \"polly\"\ndefault_sandbox = \"read-only\"\n[backends.polly]\nkind = \"parrot\"\n";
    fs::write(data.join("config.toml"), config).expect("the home is writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_third-party"));
    command.env("HOME", home.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = command.spawn().expect("the program runs");
    let mut stdin = server.stdin.take().expect("stdin is piped");
    let mut stdout = BufReader::new(server.stdout.take().expect("stdout is piped")).lines();
    let mut ask = |id: u32, method: &str, params: Value| -> Value {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        writeln!(stdin, "{message}").expect("the server reads");
        let answer = stdout.next().expect("the server answers").expect("in text");
        serde_json::from_str(&answer).expect("in JSON")
    };
    let client = json!({"name": "test", "version": "1"});
    ask(0, "initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}));
    let task = json!({"task": "say this back", "workingDirectory": home.path()});
    let answer = ask(1, "tools/call", json!({"name": "codex_agent", "arguments": task}));
    let text = answer["result"]["content"][0]["text"].as_str().expect("the answer has text").to_owned();
    drop(stdin);
    server.wait().expect("it is our child");
    assert!(
        text.contains("completed successfully") && text.contains("say this back") && text.contains("polly"),
        "{text}"
    );
}

#[test]
fn the_parrot_passes_the_kit() {
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let config = home.path().join("config.toml");
    fs::write(&config, "[backends.polly]\nkind = \"parrot\"\n").expect("the home is writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_third-party"));
    command.env("HOME", home.path()).arg("--config").arg(&config);
    let output = command.args(["check", "--deep", "polly", "--whole", "--json"]).output().expect("the program runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("it reports in JSON");
    let findings = report["findings"].as_array().expect("the report has findings");
    let verdict =
        |case: &str| findings.iter().find(|finding| finding["case"] == case).map(|finding| &finding["verdict"]);
    for (case, expected) in [("answer", "yes"), ("long_prompt", "yes"), ("read_only", "unknown"), ("resume", "no")] {
        assert_eq!(verdict(case), Some(&json!(expected)), "{case}: {report:#}");
    }
    assert!(output.status.success() && !findings.iter().any(|finding| finding["verdict"] == "broken"), "{report:#}");
}
