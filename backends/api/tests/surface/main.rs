//! Uses everything that is public, as a third party would. A change that breaks this code also breaks third-party
//! agents, so it needs a new major version.

mod agent;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use connector_api::{
    AgentEvent, AgentFailure, AgentRequest, BackendName, BadName, Capabilities, Cause, Chunks, CommandStatus, EnvRules,
    Exit, ExitDeadline, FailureRow, FailureTable, FileChange, FileChangeKind, FinalMessage, Installed, JsonFields,
    JsonFieldsOf, JsonLine, JsonObject, JsonReader, JsonRpc, JsonText, Launch, Line, NamePattern, Pattern, ProbeAnswer,
    ProbeProblem, ProgramRules, ProgramSettings, PromptDelivery, RpcError, RpcMessage, Sandbox, SettingsProblem,
    SplitSurrogates, Step, StopSignal, TodoItem, UnfinishedItems, UnknownSandbox, Unsupported, Usage, UsageScope,
    Warning, advice, contract::Subject, is_uuid, json_rpc, nearest, options_in_help, read_fields, read_settings,
    slash_command,
};
use serde_json::{Value, json};

use crate::agent::{RULES, SurfaceAgent};

connector_api::contract_tests!(
    SurfaceAgent,
    Subject {
        settings: json!({"env": {}}),
        answers: vec![ProbeAnswer { args: vec![], exit: Exit::Code(0), stdout: "1".into(), stderr: String::new() }],
        success: b"done\n".to_vec(),
    }
);

#[test]
fn every_public_event_and_name_can_be_constructed() {
    let change = |kind| FileChange { path: "x".into(), kind };
    let (id, command) = ("1".to_owned(), "make".to_owned());
    let changes = vec![
        change(FileChangeKind::Added),
        change(FileChangeKind::Updated),
        change(FileChangeKind::Deleted),
        change(FileChangeKind::Other("moved".into())),
    ];
    let finished = |status| AgentEvent::CommandFinished {
        id: id.clone(),
        command: command.clone(),
        status,
        exit_code: Some(0),
        output: String::new(),
    };
    let events = [
        AgentEvent::SessionStarted { id: "s".into() },
        AgentEvent::Reasoning { text: "hm".into() },
        AgentEvent::CommandStarted { id: id.clone(), command: command.clone() },
        finished(CommandStatus::Completed),
        finished(CommandStatus::Failed),
        finished(CommandStatus::Declined),
        AgentEvent::FilesChanged { changes, applied: true },
        AgentEvent::McpToolCall { server: "s".into(), tool: "t".into(), error: None },
        AgentEvent::TodoList { items: vec![TodoItem { text: "x".into(), completed: false }] },
        AgentEvent::Usage(Usage {
            input_tokens: 1,
            cached_input_tokens: 0,
            output_tokens: 1,
            reasoning_output_tokens: 0,
        }),
        AgentEvent::Warning { message: "w".into() },
        AgentEvent::TransientError { message: "t".into(), cause: Some(Cause::Network) },
        AgentEvent::FatalError { message: "f".into() },
        AgentEvent::Other { kind: "k".into(), raw: "{}".into() },
    ];
    assert_eq!(events.len(), 14);
    let refusals = [
        Unsupported::MissingFlag { found: "a".into(), flag: "--x".into(), purpose: "to work".into() },
        Unsupported::PromptTooLong { agent: "a".into(), length: 2, limit: 1 },
        Unsupported::Resume { session: "s".into(), agent: "agent".into(), why: "no".into() },
        Unsupported::Value { parameter: "task", why: "no".into() },
        Unsupported::value("task", "no"),
    ];
    assert!(refusals.iter().all(|refusal| !refusal.to_string().is_empty()));
    for delivery in [PromptDelivery::Stdin, PromptDelivery::Argument, PromptDelivery::Session] {
        for stop_signal in [StopSignal::Interrupt, StopSignal::Terminate] {
            assert_eq!(Launch { args: vec![], prompt: delivery, stop_signal }.prompt, delivery);
        }
    }
    assert!(refusals.iter().all(|refusal| !refusal.next().is_empty()));
    assert_ne!(Cause::NotLoggedIn, Cause::OutOfQuota);
    assert_ne!(Cause::OutOfQuota, Cause::Capacity);
    assert_ne!(Cause::Capacity, Cause::Network);
    assert_eq!(
        (UsageScope::default(), Usage::default().since(Usage::default())),
        (UsageScope::Run, Some(Usage::default()))
    );
}

#[test]
fn unfinished_items_are_remembered_until_they_end() {
    let mut calls: UnfinishedItems<&str> = UnfinishedItems::default();
    assert!(calls.is_empty() && calls.begin("1", "ls", 2));
    assert!(Warning::unfinished(calls.items().copied()).is_some_and(|warning| warning.message.starts_with("`ls` had")));
    assert_eq!((calls.end("1"), calls.end("1")), (Some("ls"), None));
}

#[test]
fn a_final_message_followed_by_work_has_a_warning() {
    let mut message = FinalMessage::default();
    message.record_message("I will look");
    message.record_work();
    let Some(Warning { message: said, advice: Some(advice) }) = message.warning() else { panic!("{message:?}") };
    assert!(!said.is_empty() && !advice.is_empty());
    assert_eq!((message.text(), message.clone().into_text().as_deref()), (Some("I will look"), Some("I will look")));
}

/// The fields of an event that a session reads without a `Value`.
#[derive(Debug, Default)]
struct Said<'a> {
    text: JsonText<'a>,
    reply: Option<Box<Said<'a>>>,
}

impl<'a> JsonFields<'a> for Said<'a> {
    fn read<A: serde::de::MapAccess<'a>>(&mut self, key: &str, object: &mut A) -> Result<bool, A::Error> {
        match key {
            "text" => self.text = object.next_value()?,
            "reply" => self.reply = Some(Box::new(object.next_value::<JsonFieldsOf<_>>()?.0)),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[test]
fn frequent_events_are_read_into_borrowed_fields() {
    let said: Said<'_> = read_fields(r#"{"text":"a","more":1,"reply":{"text":"b"}}"#).expect("it is plain JSON");
    assert_eq!((&*said.text.0, said.reply.map(|reply| reply.text)), ("a", Some(JsonText("b".into()))));
    assert!(read_fields::<Said<'_>>(r#"{"text":NaN}"#).is_none());
}

#[test]
fn a_failure_table_explains_failures() {
    static TABLE: FailureTable = FailureTable::new(&[
        FailureRow::DISK_FULL,
        FailureRow::DISK_QUOTA,
        FailureRow {
            patterns: &[Pattern::Words("no key"), Pattern::Status(401)],
            examples: &["There is no key", "HTTP 401"],
            advice: "set a key",
            cause: Some(Cause::NotLoggedIn),
        },
        FailureRow {
            patterns: &[Pattern::Words("too long")],
            examples: &["too long"],
            advice: advice::SPLIT_TASK,
            cause: None,
        },
    ]);
    assert_eq!(TABLE.flaws(), Vec::<String>::new());
    let failure: AgentFailure = TABLE.failure("no key");
    assert_eq!((failure.advice.as_deref(), failure.cause), (Some("set a key"), Some(Cause::NotLoggedIn)));
    let row: Option<&FailureRow> = TABLE.find_status(401);
    assert!(row.is_some_and(|row| row.failure("x").message == "x") && TABLE.find("well").is_none());
}

#[test]
fn program_settings_are_read_with_those_of_the_kind() {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct KindSettings {
        color: bool,
    }
    let rules = ProgramRules { keys: &["program", "color"], ..ProgramRules::new("Agent", "agent") };
    let read: Result<(ProgramSettings, KindSettings), SettingsProblem> = rules.read_with(json!({"color": true}));
    let (ProgramSettings { program, model, extra_args, env, require_git }, own) = read.expect("the keys are known");
    assert_eq!((program.as_str(), model, extra_args, env), ("agent", None, vec![], EnvRules::default()));
    assert!(require_git && own.color);
    let schema = rules.schema_with(json!({"type": "object", "properties": {"color": {"type": "boolean"}}}));
    assert_eq!(schema["properties"]["color"]["type"], "boolean");
    let refused = RULES.read(json!({"extra_args": ["--json"]})).expect_err("it is reserved");
    assert_eq!(refused.key, "extra_args");
    let installed = Installed { version: "1".into(), sandboxes: vec![], features: BTreeSet::new() };
    let missing: Result<(), Unsupported> = installed.check_flag("agent 1", "--x", "to work");
    assert!(missing.is_err_and(|missing| missing.to_string().contains("--x")));
    let settings = RULES.read(json!({})).expect("no key is required");
    assert!(Capabilities::with_models_and_sessions([Sandbox::ReadOnly], &settings).requires_git);
    let answer = ProbeAnswer { args: vec![], exit: Exit::Code(0), stdout: "\n a 1 \n".into(), stderr: String::new() };
    assert_eq!(answer.first_line(), Some("a 1"));
}

#[cfg(feature = "schemars1")]
#[test]
fn the_environment_rules_can_be_part_of_a_derived_schema() {
    let derived = schemars::schema_for!(EnvRules).to_value();
    assert_eq!(derived["properties"], EnvRules::schema()["properties"]);
}

#[test]
fn names_rules_and_sandboxes_round_trip() {
    let bad: Result<BackendName, BadName> = BackendName::new("Not A Name");
    assert!(bad.is_err() && BackendName::new("a-name").is_ok_and(|name| name.as_str() == "a-name"));
    let unknown: Result<Sandbox, UnknownSandbox> = Sandbox::from_str("none");
    assert!(unknown.is_err() && Sandbox::ALL.iter().all(|sandbox| sandbox.as_str().parse() == Ok(*sandbox)));
    let rules = EnvRules {
        pass: vec![],
        remove: vec![NamePattern("SECRET_*".into())],
        set: BTreeMap::from([("B".into(), "2".into())]),
        admit: vec![NamePattern("SECRET_OF_MINE".into())],
    };
    let ours = ["A", "SECRET_X", "SECRET_OF_MINE"].map(|name| (OsString::from(name), OsString::from("1")));
    let theirs: Vec<_> = rules.apply(ours).into_keys().collect();
    assert_eq!(theirs, ["A", "B", "GIT_EDITOR", "GIT_TERMINAL_PROMPT", "SECRET_OF_MINE"]);
    assert_eq!(nearest("modle", &["model", "env"]), Some("model"));
    let _: Result<BTreeMap<String, Value>, SettingsProblem> = read_settings(json!({}), &["env"]);
    assert_eq!(SettingsProblem::of("k", "is wrong"), SettingsProblem::new("k", "`k` is wrong"));
    let problem = SettingsProblem { key: "k".into(), problem: "p".into() };
    assert_eq!((problem.to_string(), problem), ("p".to_owned(), SettingsProblem::new("k", "p")));
    let not_asked = ProbeProblem::NotAsked { command: "--version".into() };
    assert!(not_asked.to_string().contains("--version"));
    let options: BTreeSet<String> = options_in_help("  -x, --xx");
    assert_eq!(options.len(), 2);
    assert!(!is_uuid("x"));
    assert_eq!(slash_command("/x y"), Some("x"));
    assert_eq!(Line::TooLong { head: b"x", length: 9 }.text(), "x");
    let request = AgentRequest::new("x", "/", Sandbox::ReadOnly);
    assert_eq!(request.uuid_to_resume("agent 1"), Ok(None));
    let all = AgentRequest {
        prompt: "x".into(),
        working_directory: PathBuf::from("/"),
        sandbox: Sandbox::ReadOnly,
        model: None,
        resume: None,
    };
    assert_eq!(request, all);
    let thawed: AgentRequest = serde_json::from_value(json!(request)).expect("what was written is read");
    assert_eq!(thawed, request);
}

#[test]
fn lines_of_json_are_read_and_chunks_are_joined() {
    let line: JsonLine<'_> = JsonLine::read(b"x {\"a\":\"\\ud83d\"}");
    let (problem, problem_events): (&Option<String>, Vec<AgentEvent>) = (&line.problem, line.problem_events());
    assert_eq!((problem, problem_events), (&None, vec![]));
    let [JsonObject { value, text, is_incomplete: false, surrogates }] = &line.objects[..] else {
        panic!("one object")
    };
    assert_eq!((value, *text), (&json!({"a": "\u{fffd}"}), &b"{\"a\":\"\\ud83d\"}"[..]));
    assert_eq!(*surrogates, SplitSurrogates { low: None, high: Some(0xd83d) });
    let mut chunks = Chunks::default();
    chunks.push("\u{fffd}", *surrogates);
    assert!(!chunks.is_cut() && !chunks.is_blank() && chunks.text() == "\u{fffd}");
    let mut reader = JsonReader::default();
    reader.read(b"{\"a\":1");
    assert!(reader.warning().is_some_and(|warning| warning.message.contains("could not be read")));
}

#[test]
fn json_rpc_is_spoken_over_lines() {
    let mut rpc: JsonRpc<&str> = JsonRpc::default();
    let _: Vec<u8> = rpc.request("begin", "begin", json!({}));
    assert_eq!((rpc.pending_request(), rpc.is_lost_answer(b"{\"jsonrpc\":\"2.0\",")), (Some(&"begin"), true));
    let error = RpcError { code: Some(1), message: "no".into() };
    let refused = rpc.read(json!({"id": 1, "error": {"code": 1, "message": "no"}}));
    assert_eq!(refused, Some(RpcMessage::Answer { to: "begin", outcome: Err(error) }));
    rpc.stop_waiting();
    for (message, answer) in [
        (json!({"id": 1, "method": "x"}), Some(json_rpc::answer(&json!(1), json!({})))),
        (json!({"id": "a", "method": "y"}), Some(json_rpc::refuse(&json!("a"), "y"))),
        (json!({"method": "z"}), None),
    ] {
        let is_asked = match rpc.read(message) {
            Some(RpcMessage::Request { id: _, method: _, params: _ }) => true,
            Some(RpcMessage::Notification { method: _, params: _ }) => false,
            Some(RpcMessage::Answer { .. }) | None => panic!("it is a message with a method"),
        };
        assert_eq!(is_asked, answer.is_some());
    }
    assert!(json_rpc::notify("stop", json!({})).ends_with(b"\n"));
}

#[test]
fn an_agent_that_does_not_exit_is_waited_for() {
    let mut deadline = ExitDeadline::new("Agent", Duration::from_secs(1));
    assert_eq!(deadline.begin(), Some(Step::Deadline(Some(Duration::from_secs(1)))));
    assert_eq!(deadline.cancel(), Some(Step::Deadline(None)));
    assert!(deadline.overdue().is_empty() && !deadline.has_passed());
    assert_eq!(deadline.exit(Exit::Code(3)), Exit::Code(3));
}
