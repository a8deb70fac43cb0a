//! The contract suite, over what real versions answered.

use connector_api::contract::Subject;
use serde_json::json;

use crate::recordings::Recording;

fn subject(version: &str) -> Subject {
    let recording = Recording::of(version);
    Subject {
        settings: json!({"extra_args": ["--color", "never"], "env": {"remove": ["SECRET_*"]}}),
        answers: recording.answers(),
        success: recording.text("success.jsonl").into_bytes(),
    }
}

mod v0_44 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.44.0"));
}

mod v0_47 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.47.0"));
}

mod v0_105 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.105.0"));
}

mod v0_125 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.125.0"));
}

mod v0_142 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.142.0"));
}

mod v0_169 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.169.0"));
}
