//! Everything that is public, used as a third party uses it. What no longer compiles here breaks somebody's agent: it needs a
//! new major version.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use connector_api::{
    AgentBackend, AgentEvent, AgentRequest, AgentSession, BackendKind, BackendName, BadName, Capabilities, Cause,
    Chunks, CommandStatus, Complaint, EnvRules, Exit, ExitDeadline, FailureRow, FailureTable, FileChange,
    FileChangeKind, FinalMessage, Halves, Installed, Interrupt, JsonLine, JsonObject, JsonReader, Launch, Line, Login,
    NamePattern, OpenArea, Outcome, Pattern, PoliteSignal, ProbeAnswer, ProbeCommand, ProbeProblem, PromptDelivery,
    Sandbox, SettingsProblem, Step, Tail, TodoItem, UnderWay, UnknownSandbox, Unsupported, Usage, UsageScope, Verdict,
    Warning, contract::Subject, is_uuid, nearest, options_in_help, read_settings, sandbox_failure, slash_command,
    why_no_model, without_colours,
};
use serde_json::{Value, json};

#[derive(Debug)]
struct Agent(BackendName, EnvRules);

impl AgentBackend for Agent {
    fn name(&self) -> &BackendName {
        &self.0
    }
    fn program(&self) -> &str {
        "agent"
    }
    fn environment(&self) -> &EnvRules {
        &self.1
    }
    fn install_hint(&self) -> String {
        "build it".into()
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { sandboxes: vec![Sandbox::DangerFullAccess], model: true, resume: true, requires_git: false }
    }
    fn probe(&self) -> Vec<ProbeCommand> {
        vec![ProbeCommand::new(["--version"]), ProbeCommand { args: vec![] }]
    }
    fn understand(&self, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
        match answers {
            [answer, ..] if answer.exit == Exit::Code(70) && answer.bare_version().is_none() => {
                Err(answer.not_understood())
            }
            [ProbeAnswer { args, exit, stdout, stderr }, ..] if *exit != Exit::Code(0) => {
                let said = without_colours(&format!("{stdout}{stderr}"));
                Err(ProbeProblem::NotUnderstood { command: args.join(" "), exit: *exit, said })
            }
            [] => Err(ProbeProblem::TooOld { found: "0".into(), oldest: "1".into() }),
            _ => {
                let sandboxes = vec![Sandbox::DangerFullAccess];
                Ok(Installed { version: "1".into(), sandboxes, features: BTreeSet::from(["--x".into()]) })
            }
        }
    }
    fn launch(&self, request: &AgentRequest, _: &Installed) -> Result<Launch, Unsupported> {
        let AgentRequest { prompt: _, working_directory: _, sandbox, model, resume } = request;
        if *sandbox != Sandbox::DangerFullAccess {
            return Err(Unsupported::Sandbox { sandbox: *sandbox, found: "agent 1".into(), why: "it cannot".into() });
        }
        let _: Option<&str> = request.model_to_pass(model.as_deref().filter(|model| why_no_model(model).is_none()))?;
        if let Some(session) = resume.as_ref().filter(|session| session.is_empty() || session.starts_with('-')) {
            return Err(Unsupported::Resume { session: session.clone(), agent: "agent".into(), why: "no".into() });
        }
        let args = model.iter().chain(resume).map(|word| format!("--x={word}")).collect();
        Ok(Launch { args, prompt: PromptDelivery::Session, polite_signal: PoliteSignal::Interrupt })
    }
    fn open_areas(&self) -> &'static [OpenArea] {
        &[OpenArea::Temporary, OpenArea::Repository]
    }
    fn close_area(&self, area: OpenArea, launch: Launch) -> Option<Launch> {
        (area == OpenArea::Repository).then_some(launch)
    }
    fn session(&self, request: &AgentRequest) -> Box<dyn AgentSession> {
        Box::new(Talk { prompt: request.prompt.clone(), said: Tail::new(10, 1_000), stderr: Tail::of_complaints() })
    }
    fn usage_scope(&self, _: &Installed) -> UsageScope {
        UsageScope::Session
    }
    fn sandbox_probe(&self) -> Option<ProbeCommand> {
        sandbox_failure("").map(|_| ProbeCommand::new(["x"]))
    }
    fn login_probe(&self) -> Option<ProbeCommand> {
        None
    }
    fn understand_login(&self, answer: &ProbeAnswer) -> Login {
        match answer.exit {
            Exit::Code(0) => Login::Yes(answer.stdout.clone()),
            Exit::Code(_) => Login::No { said: answer.stderr.clone(), advice: "log in".into() },
            Exit::Signal(_) => Login::Unknown,
        }
    }
}

impl BackendKind for Agent {
    const KIND: &'static str = "agent";
    const NEEDS: &'static [&'static str] = &["AGENT_*"];
    fn schema() -> Value {
        json!({"type": "object", "properties": {"env": EnvRules::schema()}})
    }
    fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem> {
        let _: BTreeMap<String, Value> = read_settings(settings, &["env"])?;
        Ok(Self(name, EnvRules { pass: vec![], remove: vec![NamePattern("A*".into())], ..EnvRules::default() }))
    }
}

struct Talk {
    prompt: String,
    said: Tail,
    stderr: Tail,
}

impl AgentSession for Talk {
    fn start(&mut self) -> Vec<Step> {
        vec![
            Step::Send(self.prompt.clone().into_bytes()),
            Step::CloseStdin,
            Step::Deadline(Some(Duration::from_secs(1))),
        ]
    }
    fn stdout(&mut self, line: Line<'_>) -> Vec<Step> {
        self.said.push(line);
        vec![Step::Event(AgentEvent::Message { text: line.text().into_owned() }), Step::Deadline(None)]
    }
    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        self.stderr.push(line);
        vec![]
    }
    fn overdue(&mut self) -> Vec<Step> {
        vec![Step::Finished]
    }
    fn interrupt(&mut self) -> Interrupt {
        if self.said.is_cut() { Interrupt::Signal } else { Interrupt::Steps(vec![Step::CloseStdin]) }
    }
    fn has_completed(&self) -> bool {
        self.said.text().is_some()
    }
    fn warnings(&self) -> Vec<Warning> {
        self.stderr.is_cut().then(|| Warning::new("it complained a lot")).into_iter().collect()
    }
    fn finish(self: Box<Self>, exit: Exit) -> Verdict {
        let answer = self.said.text();
        let outcome = match (exit, &answer, self.stderr.text()) {
            (Exit::Code(0), Some(_), _) => Outcome::Completed,
            (Exit::Code(2), _, Some(said)) => Outcome::CommandLineRefused(Complaint::new(said)),
            (_, _, said) => Outcome::Failed(Complaint {
                said: said.unwrap_or_else(|| exit.to_string()),
                advice: None,
                cause: Some(Cause::NotLoggedIn),
            }),
        };
        Verdict { outcome, answer, session_id: None, usage: Some(Usage::default()) }
    }
}

connector_api::contract_tests!(
    Agent,
    Subject {
        settings: json!({"env": {}}),
        answers: vec![ProbeAnswer { args: vec![], exit: Exit::Code(0), stdout: "1".into(), stderr: String::new() }],
        success: b"done\n".to_vec(),
    }
);

#[test]
fn every_event_and_every_word_can_be_made() {
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
        AgentEvent::TransientError { message: "t".into() },
        AgentEvent::FatalError { message: "f".into() },
        AgentEvent::Other { kind: "k".into(), raw: "{}".into() },
    ];
    assert_eq!(events.len(), 14);
    let refusals = [
        Unsupported::MissingFlag { found: "a".into(), flag: "--x".into(), purpose: "to work".into() },
        Unsupported::PromptTooLong { agent: "a".into(), length: 2, limit: 1 },
    ];
    assert!(refusals.iter().all(|refusal| !refusal.to_string().is_empty()));
    for delivery in [PromptDelivery::Stdin, PromptDelivery::Argument, PromptDelivery::Session] {
        for polite_signal in [PoliteSignal::Interrupt, PoliteSignal::Terminate] {
            assert_eq!(Launch { args: vec![], prompt: delivery, polite_signal }.prompt, delivery);
        }
    }
    assert!(refusals.iter().all(|refusal| !refusal.next().is_empty()));
    assert_ne!(Cause::NotLoggedIn, Cause::OutOfQuota);
    assert_ne!(Cause::OutOfQuota, Cause::Capacity);
    assert_eq!(
        (UsageScope::default(), Usage::default().since(Usage::default())),
        (UsageScope::Run, Some(Usage::default()))
    );
}

#[test]
fn what_an_agent_has_begun_is_remembered_until_it_ends() {
    let mut calls: UnderWay<&str> = UnderWay::default();
    assert!(calls.is_empty() && calls.begin("1", "ls", 2));
    assert!(Warning::unfinished(calls.items().copied()).is_some_and(|warning| warning.message.starts_with("`ls` had")));
    assert_eq!((calls.end("1"), calls.end("1")), (Some("ls"), None));
}

#[test]
fn a_final_message_has_a_warning_when_work_came_after_it() {
    let mut message = FinalMessage::default();
    message.say("I will look");
    message.work();
    let Some(Warning { message: said, advice: Some(advice) }) = message.warning() else { panic!("{message:?}") };
    assert!(!said.is_empty() && !advice.is_empty());
    assert_eq!((message.text(), message.clone().into_text().as_deref()), (Some("I will look"), Some("I will look")));
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
    ]);
    assert_eq!(TABLE.flaws(), Vec::<String>::new());
    let complaint: Complaint = TABLE.complaint("no key");
    assert_eq!((complaint.advice.as_deref(), complaint.cause), (Some("set a key"), Some(Cause::NotLoggedIn)));
    let row: Option<&FailureRow> = TABLE.find_status(401);
    assert!(row.is_some_and(|row| row.complaint("x").said == "x") && TABLE.find("well").is_none());
}

#[cfg(feature = "schemars1")]
#[test]
fn the_rules_have_a_schema_that_can_be_derived_from() {
    let derived = schemars::schema_for!(EnvRules).to_value();
    assert_eq!(derived["properties"], EnvRules::schema()["properties"]);
}

#[test]
fn names_rules_and_sandboxes_read_back() {
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
    let problem = SettingsProblem { key: "k".into(), problem: "p".into() };
    assert_eq!((problem.to_string(), problem), ("p".to_owned(), SettingsProblem::new("k", "p")));
    let not_asked = ProbeProblem::NotAsked { command: "--version".into() };
    assert!(not_asked.to_string().contains("--version"));
    let options: BTreeSet<String> = options_in_help("  -x, --xx");
    assert_eq!(options.len(), 2);
    assert!(!is_uuid("x"));
    assert_eq!(slash_command("/x y"), Some("x"));
    assert_eq!(Line::TooLong { head: b"x", length: 9 }.text(), "x");
    let request = AgentRequest {
        prompt: "x".into(),
        working_directory: PathBuf::from("/"),
        sandbox: Sandbox::ReadOnly,
        model: None,
        resume: None,
    };
    let thawed: AgentRequest = serde_json::from_value(json!(request)).expect("what was written is read");
    assert_eq!(thawed, request);
}

#[test]
fn lines_of_json_are_read_and_chunks_are_joined() {
    let line: JsonLine<'_> = JsonLine::read(b"x {\"a\":\"\\ud83d\"}");
    let (problem, remarks): (&Option<String>, Vec<AgentEvent>) = (&line.problem, line.remarks());
    assert_eq!((problem, remarks), (&None, vec![]));
    let [JsonObject { value, text, is_incomplete: false, halves }] = &line.objects[..] else { panic!("one object") };
    assert_eq!((value, *text), (&json!({"a": "\u{fffd}"}), &b"{\"a\":\"\\ud83d\"}"[..]));
    assert_eq!(*halves, Halves { low: None, high: Some(0xd83d) });
    let mut chunks = Chunks::default();
    chunks.push("\u{fffd}", *halves);
    assert!(!chunks.is_cut() && !chunks.is_blank() && chunks.text() == "\u{fffd}");
    let mut reader = JsonReader::default();
    reader.read(b"{\"a\":1");
    assert!(reader.warning().is_some_and(|warning| warning.message.contains("could not be read")));
}

#[test]
fn an_agent_that_does_not_exit_is_waited_for() {
    let mut deadline = ExitDeadline::new("Agent", Duration::from_secs(1));
    assert_eq!(deadline.begin(), Some(Step::Deadline(Some(Duration::from_secs(1)))));
    assert_eq!(deadline.cancel(), Some(Step::Deadline(None)));
    assert!(deadline.overdue().is_empty() && !deadline.has_passed());
    assert_eq!(deadline.exit(Exit::Code(3)), Exit::Code(3));
}
