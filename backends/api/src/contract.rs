//! The tests that every backend must pass.
//!
//! A backend's crate passes a [`Subject`] to [`contract_tests!`](crate::contract_tests), which generates one `#[test]`
//! for each promise below. A test whose promise is broken panics and says how.
#![allow(clippy::panic, reason = "a broken promise is a failed test")]

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    AgentRequest, BackendKind, BackendName, Exit, Installed, Launch, Line, Outcome, ProbeAnswer, PromptDelivery,
    Sandbox, Step,
};

/// The input to the contract tests of one kind of backend.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Valid settings.
    pub settings: Value,
    /// An installed program's real answers to the probes.
    pub answers: Vec<ProbeAnswer>,
    /// The stdout of a real run that succeeded.
    pub success: Vec<u8>,
}

impl Subject {
    fn backend<K: BackendKind>(&self) -> K {
        let name = BackendName::new("subject").expect("`subject` is a valid name");
        K::build(name, self.settings.clone()).unwrap_or_else(|problem| panic!("the subject's settings: {problem}"))
    }

    fn installed<K: BackendKind>(&self, backend: &K) -> Installed {
        backend.understand(&self.answers).unwrap_or_else(|problem| panic!("the subject's probe answers: {problem}"))
    }

    fn launch<K: BackendKind>(&self, prompt: &str) -> Launch {
        let backend = self.backend::<K>();
        let installed = self.installed(&backend);
        let sandbox = *installed.sandboxes.last().unwrap_or_else(|| panic!("no sandbox is advertised"));
        let request = request(prompt, sandbox);
        backend.launch(&request, &installed).unwrap_or_else(|refusal| panic!("an ordinary request: {refusal}"))
    }
}

fn request(prompt: &str, sandbox: Sandbox) -> AgentRequest {
    AgentRequest::new(prompt, "/", sandbox)
}

/// The arguments do not contain the prompt, or end with `--` and the prompt. The agent can thus never read it as an
/// option.
pub fn a_prompt_is_never_read_as_an_option<K: BackendKind>(subject: &Subject) {
    for prompt in ["--help", "-", "resume", "a plain task", "--"] {
        let launch = subject.launch::<K>(prompt);
        match launch.prompt {
            PromptDelivery::Argument => {
                let end = launch.args.len().checked_sub(2).map(|start| &launch.args[start..]);
                assert_eq!(end, Some(&["--".to_owned(), prompt.to_owned()][..]), "the prompt is not alone after `--`");
            }
            PromptDelivery::Stdin | PromptDelivery::Session => {
                let other = subject.launch::<K>("another prompt");
                assert_eq!(launch.args, other.args, "the arguments depend on the prompt");
            }
        }
    }
}

/// Each sandbox that the installed program can enforce has its own command line. Every other sandbox is refused.
pub fn every_sandbox_is_enforced_or_refused<K: BackendKind>(subject: &Subject) {
    let backend = subject.backend::<K>();
    let installed = subject.installed(&backend);
    let mut seen = BTreeSet::new();
    for sandbox in Sandbox::ALL {
        let launch = backend.launch(&request("a task", sandbox), &installed);
        assert_eq!(
            launch.is_ok(),
            installed.sandboxes.contains(&sandbox),
            "`launch` and the advertised sandboxes disagree about {sandbox}"
        );
        if let Ok(launch) = launch {
            // Otherwise, the session asks the agent for the sandbox.
            let is_sent_by_session = launch.prompt == PromptDelivery::Session;
            assert!(
                is_sent_by_session || seen.insert(launch.args),
                "{sandbox} has the same command line as another sandbox"
            );
        }
    }
    for sandbox in &installed.sandboxes {
        assert!(backend.capabilities().sandboxes.contains(sandbox), "the capabilities lack {sandbox}");
    }
}

/// A model reaches the command line unchanged, or the request is refused. The backend never makes one up.
pub fn a_model_is_passed_or_refused_but_never_invented<K: BackendKind>(subject: &Subject) {
    let backend = subject.backend::<K>();
    let installed = subject.installed(&backend);
    let sandbox = *installed.sandboxes.last().unwrap_or_else(|| panic!("no sandbox is advertised"));
    let mut asked = request("a task", sandbox);
    asked.model = Some("model-of-the-contract".into());
    let launch = backend.launch(&asked, &installed);
    assert_eq!(launch.is_ok(), backend.capabilities().model, "`model` does not do what the capabilities say");
    if let Ok(launch) = launch {
        let named = launch.args.iter().any(|arg| arg.contains("model-of-the-contract"));
        // Otherwise, the session asks the agent for the model.
        assert!(named || launch.prompt == PromptDelivery::Session, "the model does not reach the arguments");
    }
    asked.model = Some("--model-like-a-flag".into());
    if let Ok(launch) = backend.launch(&asked, &installed) {
        let last_before =
            launch.args.iter().position(|arg| arg == "--model-like-a-flag").map(|at| &launch.args[at - 1]);
        assert!(
            last_before.is_none_or(|before| before.starts_with('-')),
            "a model that looks like an option becomes one"
        );
    }
}

/// A session is resumed, or the request is refused. The agent never begins a new session instead.
pub fn a_session_is_resumed_or_refused<K: BackendKind>(subject: &Subject) {
    let backend = subject.backend::<K>();
    let installed = subject.installed(&backend);
    let sandbox = *installed.sandboxes.last().unwrap_or_else(|| panic!("no sandbox is advertised"));
    let asked =
        |session: Option<&str>| AgentRequest { resume: session.map(str::to_owned), ..request("a task", sandbox) };
    let resumed = backend.launch(&asked(Some("0199a213-81c0-7800-8aa1-bbab2a035a53")), &installed);
    assert_eq!(resumed.is_ok(), backend.capabilities().resume, "`resume` does not do what the capabilities say");
    if let Ok(resumed) = resumed {
        let fresh = backend.launch(&asked(None), &installed);
        let is_in_session = resumed.prompt == PromptDelivery::Session;
        assert!(
            is_in_session || fresh.is_ok_and(|fresh| fresh != resumed),
            "a resumed session has the command line of a new one"
        );
    }
    for session in ["--help", "-", ""] {
        assert!(backend.launch(&asked(Some(session)), &installed).is_err(), "{session:?} was accepted as a session ID");
    }
}

/// Settings that were written to a file and read again build the same backend.
pub fn settings_survive_freeze_and_thaw<K: BackendKind>(subject: &Subject) {
    let frozen = serde_json::to_string(&subject.settings).expect("a JSON value can be serialized");
    let thawed: Value = serde_json::from_str(&frozen).expect("it was serialized above");
    let again = Subject { settings: thawed, ..subject.clone() };
    assert_eq!(subject.launch::<K>("a task"), again.launch::<K>("a task"));
    assert_eq!(subject.backend::<K>().program(), again.backend::<K>().program());
}

/// An unknown key is refused with its name, and the schema describes every known key.
pub fn an_unknown_setting_is_refused_by_name<K: BackendKind>(subject: &Subject) {
    let mut settings = subject.settings.clone();
    let keys = settings.as_object_mut().unwrap_or_else(|| panic!("settings are a JSON object"));
    let described = K::schema()["properties"].as_object().cloned().unwrap_or_default();
    for key in keys.keys() {
        assert!(described.contains_key(key), "the schema does not describe `{key}`");
    }
    keys.insert("no_such_key_anywhere".into(), Value::from(1));
    let name = BackendName::new("subject").expect("`subject` is a valid name");
    let problem = K::build(name, settings).err().unwrap_or_else(|| panic!("an unknown key was accepted"));
    assert!(problem.to_string().contains("no_such_key_anywhere"), "the message does not name the key: {problem}");
}

/// The session survives anything that an agent writes, and still returns a verdict.
pub fn no_line_makes_the_session_panic<K: BackendKind>(subject: &Subject) {
    let backend = subject.backend::<K>();
    let hostile: [&[u8]; 14] = [
        b"",
        b"not JSON",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"{\"type\":1}",
        b"{\"type\":\"no.such.event\",\"x\":{\"y\":[1,2,3]}}",
        b"{\"type\":\"item.completed\",\"item\":null}",
        b"\xff\xfe\x00\x00",
        b"\xef\xbb\xbf{}",
        b"\r",
        b"{\"type\":\"error\"}",
        b"\0\0\0\0",
    ];
    let huge = vec![b'x'; 1 << 20];
    let mut session = backend.session(&request("a task", Sandbox::ReadOnly));
    session.start();
    for line in hostile.into_iter().chain([&huge[..]]) {
        session.stdout(Line::Whole(line));
        session.stderr(Line::Whole(line));
        session.stdout(Line::TooLong { head: line, length: 50 << 20 });
        session.stderr(Line::TooLong { head: line, length: 50 << 20 });
    }
    for line in subject.success.split(|byte| *byte == b'\n') {
        for end in (0..line.len()).step_by(7) {
            session.stdout(Line::Whole(&line[..end]));
        }
    }
    session.interrupt();
    session.finish(Exit::Signal(9));
}

/// A run without output is a failure with a message, whatever its exit code.
pub fn silence_is_a_failure_with_a_message<K: BackendKind>(subject: &Subject) {
    for exit in [Exit::Code(0), Exit::Code(1), Exit::Signal(9)] {
        let mut session = subject.backend::<K>().session(&request("a task", Sandbox::ReadOnly));
        session.start();
        match session.finish(exit).outcome {
            Outcome::Failed(failure) => {
                assert!(!failure.message.trim().is_empty(), "{exit}: the failure has no message")
            }
            other => panic!("{exit} without output is {other:?}"),
        }
    }
}

/// The recorded success is a success with an answer and without warnings. The same output followed by a crash is not.
pub fn success_needs_more_than_exit_code_0<K: BackendKind>(subject: &Subject) {
    let verdict = |exit| {
        let mut session = subject.backend::<K>().session(&request("a task", Sandbox::DangerFullAccess));
        let mut is_over = session.start().contains(&Step::Finished);
        for line in subject.success.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            is_over |= session.stdout(Line::Whole(line)).contains(&Step::Finished);
        }
        assert_eq!(session.warnings(), vec![], "the recorded success has warnings");
        (session.finish(exit), is_over)
    };
    let (good, is_over) = verdict(Exit::Code(0));
    assert_eq!(good.outcome, Outcome::Completed);
    assert!(good.answer.is_some_and(|answer| !answer.is_empty()), "a success without an answer");
    // After `Step::Finished`, the supervisor stops the program itself, so its exit means nothing.
    assert!(is_over || verdict(Exit::Signal(9)).0.outcome != Outcome::Completed, "a killed run is a success");
}

/// An agent that reported the end of its turn and does not exit is stopped. Neither its exit nor any later output then
/// changes the verdict. This applies only to agents that report the end of a turn.
pub fn an_agent_that_does_not_exit_is_still_finished<K: BackendKind>(subject: &Subject) {
    let run = || {
        let mut session = subject.backend::<K>().session(&request("a task", Sandbox::DangerFullAccess));
        let mut steps = session.start();
        for line in subject.success.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            steps.extend(session.stdout(Line::Whole(line)));
        }
        let mut deadlines = steps.into_iter().filter_map(|step| match step {
            Step::Deadline(deadline) => Some(deadline),
            Step::Event(_) | Step::Send(_) | Step::CloseStdin | Step::Finished => None,
        });
        (deadlines.next_back().flatten(), session)
    };
    let (Some(_), mut session) = run() else { return };
    assert!(session.overdue().contains(&Step::Finished), "the agent is not stopped");
    for line in subject.success.split(|byte| *byte == b'\n') {
        session.stdout(Line::Whole(line));
    }
    let expected = run().1.finish(Exit::Code(0));
    for exit in [Exit::Code(1), Exit::Signal(2), Exit::Signal(9)] {
        let (_, mut session) = run();
        session.overdue();
        assert_eq!(session.finish(exit), expected, "the verdict depends on {exit} after the agent was stopped");
    }
    assert_eq!(session.finish(Exit::Signal(9)), expected, "the verdict depends on output after the agent was stopped");
}

/// A line of not quite valid JSON means the same as the valid one. Programs cut texts in the middle of a character,
/// print `NaN`, and run in wrappers that write to a terminal.
pub fn malformed_json_lines_are_still_read<K: BackendKind>(subject: &Subject) {
    let spoiled = |spoil: &dyn Fn(&[u8]) -> Vec<u8>| {
        let mut session = subject.backend::<K>().session(&request("a task", Sandbox::DangerFullAccess));
        session.start();
        for line in subject.success.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let is_object = matches!(serde_json::from_slice(line), Ok(Value::Object(_)));
            session.stdout(Line::Whole(&if is_object { spoil(line) } else { line.to_vec() }));
        }
        session.finish(Exit::Code(0))
    };
    let expected = spoiled(&<[u8]>::to_vec);
    let nested = [b"[".repeat(300), b"]".repeat(300)].concat();
    for value in [&b"\"\\ud83d\""[..], b"\"\\ude00x\"", b"\"\xe9\"", b"\"a\tb\x1b\"", b"NaN", b"-1e999", &nested] {
        let with_value = |line: &[u8]| [b"{\"zz\":", value, b",", &line[1..]].concat();
        assert_eq!(spoiled(&with_value), expected, "with {}", value.escape_ascii());
    }
    for (before, after) in
        [("\u{1b}[?2004h", "\u{1b}[?2004l"), ("\u{1b}]0;working\u{7}", "\r"), ("working...\r\u{1b}[2K", " ok")]
    {
        let surrounded = |line: &[u8]| [before.as_bytes(), line, after.as_bytes()].concat();
        assert_eq!(spoiled(&surrounded), expected, "between {before:?} and {after:?}");
    }
}

/// Generates one `#[test]` for each promise, from a kind and its [`Subject`]:
/// `connector_api::contract_tests!(MyAgent, my_subject());`
#[macro_export]
macro_rules! contract_tests {
    ($kind:ty, $subject:expr) => {
        $crate::contract_tests!(@each $kind, $subject,
            a_prompt_is_never_read_as_an_option
            every_sandbox_is_enforced_or_refused
            a_model_is_passed_or_refused_but_never_invented
            a_session_is_resumed_or_refused
            settings_survive_freeze_and_thaw
            an_unknown_setting_is_refused_by_name
            no_line_makes_the_session_panic
            an_agent_that_does_not_exit_is_still_finished
            malformed_json_lines_are_still_read
            silence_is_a_failure_with_a_message
            success_needs_more_than_exit_code_0
        );
    };
    (@each $kind:ty, $subject:expr, $($promise:ident)*) => {
        $(#[test]
        fn $promise() {
            $crate::contract::$promise::<$kind>(&$subject);
        })*
    };
}
