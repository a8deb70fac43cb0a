//! Runs the contract tests with recorded output of Claude Code; the recorded run is one of 2.1.332.

use connector_api::{Exit, ProbeAnswer, contract::Subject};
use serde_json::json;

fn subject(version: &str, help: &str) -> Subject {
    let answer = |arg: &str, stdout: &str| ProbeAnswer {
        args: vec![arg.into()],
        exit: Exit::Code(0),
        stdout: stdout.into(),
        stderr: String::new(),
    };
    Subject {
        settings: json!({"extra_args": ["--append-system-prompt=Be brief."], "env": {"remove": ["SECRET_*"]}}),
        answers: vec![answer("--version", &format!("{version} (Claude Code)\n")), answer("--help", help)],
        success: include_bytes!("../tests/recordings/success-2.1.332.jsonl").to_vec(),
    }
}

mod v2_1_197 {
    connector_api::contract_tests!(
        crate::Claude,
        super::subject("2.1.197", include_str!("../tests/recordings/help-2.1.197.txt"))
    );
}

mod v2_1_332 {
    connector_api::contract_tests!(
        crate::Claude,
        super::subject("2.1.332", include_str!("../tests/recordings/help-2.1.332.txt"))
    );
}
