//! The contract tests, with the output of a real version.

use connector_api::{Exit, ProbeAnswer, contract::Subject};
use serde_json::json;

/// The answers of Gemini CLI 0.61.0 to the probes.
pub(crate) fn answers() -> Vec<ProbeAnswer> {
    let answer = |arg: &str, stdout: &str| ProbeAnswer {
        args: vec![arg.into()],
        exit: Exit::Code(0),
        stdout: stdout.into(),
        stderr: String::new(),
    };
    vec![answer("--version", "0.61.0\n"), answer("--help", include_str!("../tests/recordings/help-0.61.0.txt"))]
}

fn subject() -> Subject {
    Subject {
        settings: json!({"extra_args": ["--extensions=none"], "env": {"remove": ["SECRET_*"]}}),
        answers: answers(),
        success: include_bytes!("../tests/recordings/success-0.61.0.jsonl").to_vec(),
    }
}

connector_api::contract_tests!(crate::Gemini, subject());
