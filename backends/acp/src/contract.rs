//! The contract tests, with a real agent's output.

use connector_api::{Exit, ProbeAnswer, contract::Subject};
use serde_json::json;

fn subject() -> Subject {
    Subject {
        settings: json!({
            "preset": "codex-acp",
            "version_args": ["--version"],
            "model_args": ["-c", "model={model}"],
            "env": {"remove": ["SECRET_*"]},
        }),
        answers: vec![ProbeAnswer {
            args: vec!["--version".into()],
            exit: Exit::Code(0),
            stdout: "codex-acp 0.16.0\n".into(),
            stderr: String::new(),
        }],
        success: include_bytes!("../tests/recordings/codex-acp-0.16.0.jsonl").to_vec(),
    }
}

connector_api::contract_tests!(crate::Acp, subject());
