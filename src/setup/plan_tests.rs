use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde_json::{Value, json};

use super::*;
use crate::{
    plugin::PluginProgram,
    setup::{
        found::{FoundConfig, InstalledPlugin},
        user_file::UserFile,
    },
};

const PROGRAM: &str = "/opt/bin/codex-connector";

fn file(path: &str, text: Option<&str>) -> UserFile {
    UserFile { path: path.into(), target: path.into(), text: text.map(str::to_owned), is_writable: true }
}

fn agent(name: &'static str, sandboxes: &[Sandbox]) -> FoundAgent {
    FoundAgent {
        name,
        version: "1.0".to_owned(),
        program: PathBuf::from("/usr/bin").join(name),
        sandboxes: sandboxes.to_owned(),
        login: Login::Unknown,
        needs_login: false,
    }
}

fn claude() -> FoundClaude {
    FoundClaude {
        program: "/usr/bin/claude".into(),
        version: [2, 1, 332],
        settings: file("/home/me/.claude/settings.json", None),
        server: None,
        plugin: None,
        marketplace: None,
    }
}

/// A new user with Claude Code, Codex and Gemini.
fn found() -> Found {
    Found {
        program: PluginProgram { program: PROGRAM.into(), arguments: vec![] },
        is_on_path: true,
        is_unpacked: false,
        marketplace: "/home/me/.codex-connector/plugin".into(),
        claude: Some(claude()),
        agents: vec![
            agent("codex", &[Sandbox::ReadOnly, Sandbox::WorkspaceWrite, Sandbox::DangerFullAccess]),
            agent("claude", &[Sandbox::ReadOnly, Sandbox::DangerFullAccess]),
            agent("gemini", &[Sandbox::DangerFullAccess]),
        ],
        config: FoundConfig {
            file: file("/home/me/.codex-connector/config.toml", None),
            has_ceiling: false,
            ceiling: Sandbox::DangerFullAccess,
            own_ceilings: BTreeMap::new(),
            default_sandbox: Sandbox::DangerFullAccess,
            from_init: vec![],
            backends: BTreeSet::from(["codex".to_owned()]),
        },
        had_full_access: false,
    }
}

fn with_claude(change: impl FnOnce(&mut FoundClaude)) -> Found {
    let mut found = found();
    change(found.claude.as_mut().expect("Claude Code was found"));
    found
}

fn plan(found: &Found) -> Plan {
    Plan::make(found, SetupChoices::default()).expect("the settings are valid")
}

fn plan_with_full_access(found: &Found) -> Plan {
    Plan::make(found, SetupChoices { full_access: true, server_only: false }).expect("the settings are valid")
}

fn plan_server_only(found: &Found) -> Plan {
    Plan::make(found, SetupChoices { full_access: false, server_only: true }).expect("the settings are valid")
}

fn lines(plan: &Plan) -> Vec<String> {
    let changes = plan.steps.iter().find_map(|step| match step {
        Step::Config(changes) => Some(changes.iter().map(|change| format!("{}.{}", change.section, change.line()))),
        Step::RemoveServer(_) | Step::AddServer | Step::Plugin(_) | Step::Rules(_) => None,
    });
    changes.into_iter().flatten().collect()
}

fn rules_of(plan: &Plan) -> Vec<String> {
    let rules = plan.steps.iter().find_map(|step| match step {
        Step::Rules(rules) => Some(rules.clone()),
        Step::Config(_) | Step::RemoveServer(_) | Step::AddServer | Step::Plugin(_) => None,
    });
    rules.unwrap_or_default()
}

fn allows_agent(plan: &Plan) -> bool {
    rules_of(plan).iter().any(|rule| rule.ends_with("codex_agent"))
}

/// The steps that change which servers Claude Code has.
fn server_steps(plan: &Plan) -> Vec<&Step> {
    plan.steps.iter().filter(|step| !matches!(step, Step::Config(_) | Step::Rules(_))).collect()
}

fn server(entry: Value) -> Option<RegisteredServer> {
    Some(RegisteredServer { entry })
}

const INSTALL: Step = Step::Plugin(PluginStep { marketplace: MarketplaceAction::Add, plugin: PluginAction::Install });

#[test]
fn a_new_user_gets_a_ceiling_the_plugin_and_rules_in_both_spellings() {
    let plan = plan(&found());
    assert_eq!(
        lines(&plan),
        [
            "tasks.default_sandbox = \"workspace-write\"",
            "ceiling.sandbox = \"workspace-write\"",
            "backends.claude.kind = \"claude\""
        ]
    );
    assert_eq!(server_steps(&plan), [&INSTALL]);
    assert_eq!(
        rules_of(&plan),
        [
            "mcp__codex-connector__codex_status",
            "mcp__plugin_codex-connector_agents__codex_status",
            "mcp__codex-connector__codex_tasks",
            "mcp__plugin_codex-connector_agents__codex_tasks",
            "mcp__codex-connector__codex_cancel",
            "mcp__plugin_codex-connector_agents__codex_cancel",
            "mcp__codex-connector__codex_diff",
            "mcp__plugin_codex-connector_agents__codex_diff",
            "Bash(codex-connector wait:*)",
            "mcp__codex-connector__codex_agent",
            "mcp__plugin_codex-connector_agents__codex_agent",
        ]
    );
    assert_eq!(plan.notes, [PlanNote::Excluded(vec!["gemini"])]);
}

#[test]
fn nothing_is_planned_when_everything_is_set_up() {
    let rules = rules_of(&plan(&found()));
    let settings = json!({"permissions": {"allow": rules}}).to_string();
    let mut found = with_claude(|claude| {
        claude.settings.text = Some(settings);
        claude.plugin = Some(InstalledPlugin { version: VERSION.to_owned(), is_enabled: true });
        claude.marketplace = Some(KnownMarketplace::Directory("/home/me/.codex-connector/plugin".into()));
    });
    found.is_unpacked = true;
    found.config.has_ceiling = true;
    found.config.ceiling = Sandbox::WorkspaceWrite;
    found.config.default_sandbox = Sandbox::WorkspaceWrite;
    found.config.backends.insert("claude".to_owned());
    assert_eq!(plan(&found).steps, []);
    found.is_unpacked = false;
    let write = PluginStep { marketplace: MarketplaceAction::Keep, plugin: PluginAction::Keep };
    assert_eq!(plan(&found).steps, [Step::Plugin(write)]);
}

#[test]
fn with_full_access_nothing_is_limited_and_every_agent_gets_a_section() {
    let plan = plan_with_full_access(&found());
    assert_eq!(lines(&plan), ["backends.claude.kind = \"claude\"", "backends.gemini.kind = \"gemini\""]);
    assert!(allows_agent(&plan));
    assert_eq!(plan.notes, [PlanNote::FullAccess]);
}

#[test]
fn a_ceiling_of_the_user_is_never_changed() {
    let mut found = found();
    found.config.has_ceiling = true;
    let open = plan(&found);
    assert!(!lines(&open).iter().any(|line| line.starts_with("ceiling")), "{open:?}");
    assert!(
        !allows_agent(&open) && open.notes.contains(&PlanNote::AsksForAgent(vec!["[ceiling]".to_owned()])),
        "{open:?}"
    );
    assert!(allows_agent(&plan_with_full_access(&found)));

    found.config.ceiling = Sandbox::ReadOnly;
    let strict = plan(&found);
    assert_eq!(lines(&strict)[0], "tasks.default_sandbox = \"read-only\"");
    assert!(allows_agent(&strict));
}

#[test]
fn full_access_lifts_the_ceiling_of_init_and_names_one_of_the_user() {
    let mut found = found();
    found.config.has_ceiling = true;
    found.config.ceiling = Sandbox::WorkspaceWrite;
    found.config.default_sandbox = Sandbox::WorkspaceWrite;
    let kept = plan_with_full_access(&found);
    assert!(!lines(&kept).iter().any(|line| line.contains("sandbox")), "{kept:?}");
    assert!(kept.notes.contains(&PlanNote::CeilingStays(Sandbox::WorkspaceWrite)), "{kept:?}");

    let text = |section, key| ConfigChange::text(section, key, "workspace-write");
    found.config.from_init = vec![text("ceiling", "sandbox"), text("tasks", "default_sandbox")];
    let lifted = plan_with_full_access(&found);
    assert_eq!(
        lines(&lifted)[..2],
        ["tasks.default_sandbox = \"danger-full-access\"", "ceiling.sandbox = \"danger-full-access\""]
    );
    assert_eq!(lifted.notes, [PlanNote::FullAccess]);
}

#[test]
fn a_run_without_full_access_says_whether_it_ends_an_earlier_one() {
    let mut found = found();
    found.had_full_access = true;
    assert!(plan(&found).notes.contains(&PlanNote::EndsFullAccess));
    assert!(!plan_with_full_access(&found).notes.contains(&PlanNote::EndsFullAccess));
    found.config.has_ceiling = true;
    assert_eq!(plan(&found).notes, [PlanNote::FullAccessStays]);
}

#[test]
fn codex_agent_is_allowed_only_if_every_backend_has_a_ceiling() {
    let mut found = found();
    // The backend of Claude has no ceiling of its own, and is added.
    found.config.own_ceilings.insert("codex".to_owned(), Sandbox::WorkspaceWrite);
    let limited = plan(&found);
    assert!(lines(&limited).contains(&"ceiling.sandbox = \"workspace-write\"".to_owned()), "{limited:?}");
    assert!(allows_agent(&limited));

    found.config.has_ceiling = true;
    let open = plan(&found);
    assert!(!allows_agent(&open), "{open:?}");
    assert!(open.notes.contains(&PlanNote::AsksForAgent(vec!["[ceiling]".to_owned()])), "{open:?}");

    found.config.ceiling = Sandbox::WorkspaceWrite;
    assert!(allows_agent(&plan(&found)));
    found.config.own_ceilings.insert("codex".to_owned(), Sandbox::DangerFullAccess);
    let open = plan(&found);
    assert!(!allows_agent(&open), "{open:?}");
    assert!(open.notes.contains(&PlanNote::AsksForAgent(vec!["[backends.codex.ceiling]".to_owned()])), "{open:?}");
}

#[test]
fn a_server_that_was_added_by_hand_makes_room_for_the_plugin() {
    for command in [PROGRAM, "/old/codex-connector"] {
        let entry = json!({"type": "stdio", "command": command, "args": [], "env": {}});
        let found = with_claude(|claude| claude.server = server(entry.clone()));
        let removed = Step::RemoveServer(RegisteredServer { entry });
        assert_eq!(server_steps(&plan(&found)), [&removed, &INSTALL]);
        let expected: &[&Step] = if command == PROGRAM { &[] } else { &[&removed, &Step::AddServer] };
        assert_eq!(server_steps(&plan_server_only(&found)), expected);
    }
}

#[test]
fn a_server_with_settings_of_its_own_stays() {
    for entry in [
        json!({"type": "stdio", "command": PROGRAM, "args": ["--data-dir", "/x"], "env": {}}),
        json!({"type": "stdio", "command": PROGRAM, "args": [], "env": {"A": "b"}}),
        json!({"type": "http", "url": "http://127.0.0.1:8181/mcp"}),
        json!({"type": "stdio", "command": PROGRAM, "timeout": 5}),
    ] {
        let found = with_claude(|claude| claude.server = server(entry.clone()));
        for plan in [plan(&found), plan_server_only(&found)] {
            assert_eq!(server_steps(&plan), Vec::<&Step>::new(), "{entry}");
            assert!(plan.notes.contains(&PlanNote::CustomServer), "{entry}");
        }
    }
}

#[test]
fn the_plugin_is_updated_enabled_or_moved() {
    let here = || Some(KnownMarketplace::Directory("/home/me/.codex-connector/plugin".into()));
    let there = Some(KnownMarketplace::Directory("/elsewhere".into()));
    let (old, new) = ("1.0.0".to_owned(), VERSION.to_owned());
    let installed = |version, is_enabled| InstalledPlugin { version, is_enabled };
    for (marketplace, version, is_enabled, expected) in [
        (here(), &old, true, (MarketplaceAction::Keep, PluginAction::Update)),
        (here(), &new, false, (MarketplaceAction::Keep, PluginAction::Enable)),
        (there, &new, true, (MarketplaceAction::Replace, PluginAction::Install)),
        (Some(KnownMarketplace::Other), &old, true, (MarketplaceAction::Keep, PluginAction::Update)),
    ] {
        let found = with_claude(|claude| {
            claude.marketplace = marketplace;
            claude.plugin = Some(installed(version.clone(), is_enabled));
        });
        let (marketplace, plugin) = expected;
        assert_eq!(server_steps(&plan(&found)), [&Step::Plugin(PluginStep { marketplace, plugin })]);
    }
    // Claude Code 2.1.332 adds a hash of the content to the version of a plugin that a command has written.
    for current in [new.clone(), format!("{new}-dbfbd99db425")] {
        let found = with_claude(|claude| {
            claude.marketplace = Some(KnownMarketplace::Other);
            claude.plugin = Some(installed(current, true));
        });
        assert_eq!(server_steps(&plan(&found)), Vec::<&Step>::new());
    }
}

#[test]
fn an_old_claude_code_gets_the_server_only() {
    let found = with_claude(|claude| claude.version = [2, 1, 104]);
    let plan = plan(&found);
    assert_eq!(server_steps(&plan), [&Step::AddServer]);
    assert!(plan.notes.contains(&PlanNote::NoPlugin));
}

#[test]
fn without_claude_code_only_the_configuration_is_changed() {
    let mut found = found();
    found.claude = None;
    found.agents = vec![];
    let plan = plan(&found);
    assert!(matches!(&*plan.steps, [Step::Config(_)]), "{plan:?}");
    assert_eq!(plan.notes, [PlanNote::NoAgent, PlanNote::NoClaude]);
}

#[test]
fn the_command_that_waits_is_allowed_by_the_path_that_answers_contain() {
    let mut found = found();
    found.is_on_path = false;
    found.program.program = "/opt/my tools/codex-connector".into();
    let rules = rules_of(&plan(&found));
    assert!(rules.contains(&"Bash('/opt/my tools/codex-connector' wait:*)".to_owned()), "{rules:?}");
}

#[test]
fn settings_that_are_not_understood_end_the_plan() {
    let found = with_claude(|claude| claude.settings.text = Some("{".to_owned()));
    assert!(Plan::make(&found, SetupChoices::default()).is_err());
}

#[test]
fn an_agent_that_is_not_logged_in_is_mentioned_unless_it_works_without_a_login() {
    let mut found = found();
    found.agents[0].login = Login::No { said: "Not logged in".to_owned(), advice: "run `codex login`".to_owned() };
    let note = PlanNote::NotLoggedIn { agent: "codex", advice: "run `codex login`".to_owned() };
    assert!(!plan(&found).notes.contains(&note));
    found.agents[0].needs_login = true;
    assert!(plan(&found).notes.contains(&note));
}
