//! The contract tests, with the output of an invented text agent.

use connector_api::{Exit, ProbeAnswer, contract::Subject};
use serde_json::{Value, json};

fn subject(settings: Value) -> Subject {
    Subject {
        settings,
        answers: vec![ProbeAnswer {
            args: vec!["--version".into()],
            exit: Exit::Code(0),
            stdout: "text-agent 1.4.2\n".into(),
            stderr: String::new(),
        }],
        success: b"I looked at the project.\n\nhello.txt now says hello.\n".to_vec(),
    }
}

mod with_everything_on_stdin {
    use serde_json::json;

    fn settings() -> serde_json::Value {
        json!({
            "program": "text-agent",
            "args": ["run", "{sandbox_args}", "--dir", "{workdir}"],
            "model_args": ["--model={model}"],
            "sandboxes": {"read-only": ["--no-write"], "workspace-write": ["--ask"], "danger-full-access": []},
            "env": {"remove": ["SECRET_*"]},
            "install_hint": "install it with `pip install text-agent`",
            "stop_signal": "terminate",
            "require_git": false,
        })
    }

    connector_api::contract_tests!(crate::Command, super::subject(settings()));
}

mod with_the_prompt_as_an_argument_and_without_models {
    use serde_json::json;

    fn settings() -> serde_json::Value {
        json!({"program": "text-agent", "sandboxes": {"danger-full-access": []}, "prompt": "argument"})
    }

    connector_api::contract_tests!(crate::Command, super::subject(settings()));
}

mod that_is_not_asked_for_its_version {
    use connector_api::contract::Subject;

    use super::{json, subject};

    fn unasked() -> Subject {
        let settings = json!({"program": "a", "sandboxes": {"read-only": []}, "version_args": []});
        Subject { answers: vec![], ..subject(settings) }
    }

    connector_api::contract_tests!(crate::Command, unasked());
}

mod that_prints_json {
    use connector_api::contract::Subject;

    use super::{json, subject};

    fn printing() -> Subject {
        let settings = json!({
            "program": "json-agent",
            "sandboxes": {"danger-full-access": []},
            "resume_args": ["--session={session}"],
            "json_lines": {"message": ["type=text part.text"], "session": ["sessionID"], "error": ["error.message"]},
        });
        let success = b"{\"type\":\"text\",\"sessionID\":\"s\",\"part\":{\"text\":\"done\"}}\n".to_vec();
        Subject { success, ..subject(settings) }
    }

    connector_api::contract_tests!(crate::Command, printing());
}
