//! Turns what `init` found and plans into messages.

use connector_api::Login;

use crate::{
    plugin::VERSION,
    present::setup::{SetupChange, not_logged_in},
    setup::{
        ConfigChange, Found, FoundAgent, MarketplaceAction, Plan, PlanNote, PluginAction, PluginStep, Remaining,
        SetupRecord, Step, Undone,
    },
    task::{Message, MessagePart, message},
};

/// Claude Code and the installed agents.
pub(super) fn found_lines(found: &Found) -> Vec<Message> {
    let claude = found.claude.iter().map(|claude| {
        let version = claude.version.map(|number| number.to_string()).join(".");
        message!["Claude Code ", MessagePart::trusted(version), " at ", &claude.program]
    });
    claude.chain(found.agents.iter().map(agent_line)).collect()
}

fn agent_line(agent: &FoundAgent) -> Message {
    let login = match &agent.login {
        Login::Yes(how) => message!["; login: ", how.clone()],
        Login::No { said, .. } => message!["; login: ", said.clone()],
        Login::Unknown => message!["; login: unknown"],
    };
    message!["agent ", agent.name, ": ", agent.version.clone(), " at ", &agent.program, login]
}

/// The changes of a plan.
pub(super) fn changes(plan: &Plan, found: &Found) -> Vec<SetupChange> {
    plan.steps.iter().map(|step| change(step, found)).collect()
}

fn change(step: &Step, found: &Found) -> SetupChange {
    let (title, details) = match step {
        Step::Config(changes) => {
            (message!["set these keys in ", &found.config.file.path], changes.iter().map(config_line).collect())
        }
        Step::RemoveServer(server) => {
            let command = server.command().unwrap_or_default().to_owned();
            (message!["remove the server `codex-connector` from Claude Code"], vec![message!["its program: ", command]])
        }
        Step::AddServer => {
            let arguments = found.program.arguments.iter().map(|argument| message![" ", argument.clone()]);
            let arguments: Message = arguments.collect();
            (
                message!["add the server `codex-connector` to Claude Code, for all projects"],
                vec![message!["its program: ", &found.program.program, arguments]],
            )
        }
        Step::Plugin(step) => (plugin_title(*step), vec![message!["from ", &found.marketplace]]),
        Step::Rules(rules) => {
            let file = found.claude.as_ref().map(|claude| claude.settings.path.clone()).unwrap_or_default();
            (
                message!["let Claude Code use these without asking, in ", &file],
                rules.iter().map(|rule| message![rule.clone()]).collect(),
            )
        }
    };
    SetupChange { title, details }
}

fn config_line(change: &ConfigChange) -> Message {
    message!["[", change.section.clone(), "] ", change.line()]
}

fn plugin_title(step: PluginStep) -> Message {
    let action = match (step.plugin, step.marketplace) {
        (PluginAction::Install, _) => "install the plugin codex-connector ",
        (PluginAction::Update, _) => "update the plugin codex-connector to ",
        (PluginAction::Enable, _) => "enable the plugin codex-connector ",
        (PluginAction::Keep, MarketplaceAction::Add | MarketplaceAction::Replace) => {
            "add the marketplace of the plugin codex-connector "
        }
        (PluginAction::Keep, MarketplaceAction::Keep) => "write the files of the plugin codex-connector ",
    };
    message![action, VERSION, " in Claude Code"]
}

/// A remark for the user.
pub(super) fn note(note: &PlanNote) -> Message {
    match note {
        PlanNote::NoClaude => message![
            "Claude Code was not found: `claude` is not on PATH, or is not Claude Code. Install it, and run this command again"
        ],
        PlanNote::NoPlugin => {
            message![
                "This version of Claude Code is too old for the plugin, so only the server is added. Update Claude Code to 2.1.105 or later"
            ]
        }
        PlanNote::CustomServer => message![
            "Claude Code already has a server `codex-connector` with its own settings. It is kept unchanged, and the plugin \
             is not installed. To replace it, run `claude mcp remove --scope user codex-connector` first"
        ],
        PlanNote::NoAgent => message![
            "No agent was found. Install one, for example with `npm install -g @openai/codex`, and run this command again"
        ],
        PlanNote::Excluded(agents) => message![
            "Not usable, because they cannot enforce a sandbox that the ceiling allows: ",
            MessagePart::trusted(agents.join(", ")),
            ". To use them, run `codex-connector init --full-access`, or change `[ceiling]` in config.toml"
        ],
        PlanNote::NotLoggedIn { agent, advice } => not_logged_in(agent, advice.clone()),
        PlanNote::AsksForAgent(sections) => message![
            "Claude Code asks before it starts an agent, because the ceiling allows agents without a sandbox. One rule would \
             allow every call, whatever its sandbox. To add the rule, set `sandbox = \"workspace-write\"` in these sections of \
             config.toml and run this command again, or pass `--full-access`: ",
            MessagePart::trusted(sections.join(", "))
        ],
        PlanNote::FullAccess => message![
            "With these rules, Claude Code starts agents without asking you, also without a sandbox: such an agent can do \
             whatever you can"
        ],
        PlanNote::CeilingStays(sandbox) => message![
            "There is no full access: the ceiling allows at most ",
            sandbox.as_str(),
            ", and `init` did not set it. To allow agents without a sandbox, change `[ceiling] sandbox` (or \
             `[backends.NAME.ceiling] sandbox`), and run this command again"
        ],
        PlanNote::EndsFullAccess => message![
            "This ends the full access that an earlier `init --full-access` gave: agents run in a sandbox again. To keep \
             full access, pass `--full-access`"
        ],
        PlanNote::FullAccessStays => message![
            "Claude Code still starts agents without asking you, also without a sandbox, because of an earlier \
             `init --full-access`. To end this, set `[ceiling] sandbox = \"workspace-write\"` in config.toml"
        ],
    }
}

/// The changes in a record.
pub(super) fn recorded_lines(record: &SetupRecord) -> Vec<Message> {
    let config = record.config.iter().map(|file| message!["the keys that were set in ", &file.path]);
    let changed = record.config.iter().flat_map(|_| record.changes.iter().map(config_line));
    let settings = record.settings.iter().filter(|_| !record.rules.is_empty());
    let settings = settings.map(|file| message!["the rules that were added to ", &file.path]);
    let rules = record.rules.iter().map(|rule| message![rule.clone()]);
    let others = [
        (record.plugin || record.marketplace, "the plugin in Claude Code"),
        (record.server, "the server in Claude Code"),
        (record.removed_server.is_some(), "the removal of the earlier server from Claude Code"),
    ];
    let others = others.into_iter().filter(|(is_recorded, _)| *is_recorded).map(|(_, line)| message![line]);
    config.chain(changed).chain(settings).chain(rules).chain(others).collect()
}

/// One thing that was undone.
pub(super) fn undone_line(undone: &Undone) -> Message {
    match undone {
        Undone::Restored(path) => message![path, " is as it was before"],
        Undone::EntriesRemoved(path) => {
            message![path, " was changed since, so only the entries of `init` were removed from it"]
        }
        Undone::Plugin => message!["the plugin was uninstalled from Claude Code"],
        Undone::Server => message!["the server was removed from Claude Code"],
        Undone::ServerRestored => message!["the earlier server was added to Claude Code again"],
    }
}

/// One thing that remains without Claude Code, as a part of a sentence.
pub(super) fn remaining_words(remaining: Remaining) -> &'static str {
    match remaining {
        Remaining::Plugin => "the plugin in Claude Code",
        Remaining::Server => "the server in Claude Code",
        Remaining::EarlierServer => "the removal of the earlier server from Claude Code",
    }
}
