//! The contract tests, with the real program's output.

use connector_api::{Exit, ProbeAnswer, contract::Subject};
use serde_json::json;

fn subject() -> Subject {
    let answer = |args: &[&str], stdout: &str, stderr: &str| ProbeAnswer {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        exit: Exit::Code(0),
        stdout: stdout.into(),
        stderr: stderr.into(),
    };
    let help = include_str!("../tests/recordings/help-1.18.33.txt");
    Subject {
        settings: json!({"extra_args": ["--variant=high"], "env": {"remove": ["SECRET_*"]}}),
        answers: vec![answer(&["--version"], "1.18.33\n", ""), answer(&["run", "--help"], "", help)],
        success: include_bytes!("../tests/recordings/success-1.18.33.jsonl").to_vec(),
    }
}

mod v1_18_33 {
    connector_api::contract_tests!(crate::OpenCode, super::subject());
}
