//! The four standard tools for `tools/list`: their texts, annotations and icon. `tools.golden.json` has the complete
//! list.

use std::{sync::Arc, time::Duration};

use connector_api::BackendName;
use rmcp::model::{MetaObject, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use super::icon::icon;
use crate::{
    config::Config,
    present::tools::{self as texts, Defaults, Limits, ToolText},
    task::millis_of,
};

/// The configured defaults and limits, for the schema of the tool of `backend`, or of a tool for all backends.
pub(super) fn defaults_of(config: &Config, backend: Option<&BackendName>) -> Defaults {
    let ceiling = |name: &BackendName| config.ceilings.get(name).cloned().unwrap_or_default();
    let usual = backend.unwrap_or(&config.default_backend);
    let (sandbox, _) = config.default_sandbox_of(usual);
    let usual = ceiling(usual);
    // A tool for all backends offers the values that at least one of them allows.
    let ceilings: Vec<_> = match backend {
        Some(_) => vec![usual.clone()],
        None => config.backends.keys().map(ceiling).collect(),
    };
    let longest = ceilings
        .iter()
        .map(|ceiling| ceiling.timeout)
        .try_fold(Duration::ZERO, |longest, timeout| timeout.map(|timeout| timeout.max(longest)));
    let timeout = config.policy.timeout;
    let limits = Limits {
        sandbox: ceilings.iter().map(|ceiling| ceiling.sandbox).max().unwrap_or(usual.sandbox),
        timeout_ms: longest.map(millis_of),
        needs_sandbox: sandbox > usual.sandbox,
        needs_timeout: usual.timeout.is_some_and(|most| timeout.is_none_or(|timeout| timeout > most)),
    };
    Defaults { sandbox, timeout_ms: timeout.map_or(0, millis_of), limits }
}

/// The effect of a tool, for the annotations that clients see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToolEffect {
    /// Changes nothing.
    Reads,
    /// Stops a task; a second call has no further effect.
    Stops,
    /// Changes files of a repository; a second call may change them again.
    Writes,
    /// Starts an agent, which can change anything.
    Starts,
}

/// All tools, always in this order.
pub(super) fn tools(defaults: Defaults) -> Vec<Tool> {
    vec![
        tool(texts::agent(defaults), ToolEffect::Starts),
        tool(texts::status(), ToolEffect::Reads),
        tool(texts::tasks(), ToolEffect::Reads),
        tool(texts::cancel(), ToolEffect::Stops),
    ]
}

/// The tool of one backend: `codex_agent` with another name and title.
pub(super) fn of_backend(name: String, backend: &BackendName, defaults: Defaults) -> Tool {
    tool(texts::of_backend(name, backend, defaults), ToolEffect::Starts)
}

fn tool(text: ToolText, effect: ToolEffect) -> Tool {
    tool_with(text, effect, Map::new())
}

/// A tool with additional metadata for Claude Code.
pub(super) fn tool_with(text: ToolText, effect: ToolEffect, more: Map<String, Value>) -> Tool {
    let hints = ToolAnnotations::with_title(text.title.clone());
    let hints = match effect {
        ToolEffect::Reads => hints.read_only(true).idempotent(true).open_world(false),
        ToolEffect::Stops => hints.read_only(false).destructive(true).idempotent(true).open_world(false),
        ToolEffect::Writes => hints.read_only(false).destructive(true).idempotent(false).open_world(false),
        ToolEffect::Starts => hints.read_only(false).destructive(true).idempotent(false).open_world(true),
    };
    // Without this, Claude Code 2.1.330 loads a tool only when its model searches for it.
    let mut meta = Map::from_iter([("anthropic/alwaysLoad".to_owned(), json!(true))]);
    meta.extend(more);
    Tool::new_with_raw(text.name, Some(text.description.into()), Arc::new(text.schema))
        .with_title(text.title)
        .with_annotations(hints)
        .with_icons(vec![icon()])
        .with_meta(MetaObject::from(meta))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mcp/tools.golden.json");

    #[test]
    fn the_tool_list_matches_the_golden_file() {
        let mut actual = serde_json::to_string_pretty(&tools(Defaults::DOCUMENTED)).expect("tools are JSON");
        actual.push('\n');
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(GOLDEN, &actual).expect("the source directory is writable");
        }
        let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
        assert!(
            actual == golden,
            "tools/list has changed. If this is intended, update {GOLDEN} with\n  \
             UPDATE_GOLDEN=1 cargo test --lib the_tool_list_matches_the_golden_file\nActual list:\n{actual}"
        );
    }
}
