//! The optional tools for `tools/list`: names, schemas and annotations.

use rmcp::model::Tool;
use serde_json::{Map, json};

use crate::{
    config::ExtraTool,
    mcp::tools::{ToolEffect, tool_with},
    present::tools::{self as texts, Defaults},
};

/// Maximum length of a `codex_result` answer that Claude Code is asked to show in full, in characters.
const MAX_RESULT_CHARACTERS: u32 = 500_000;

/// All optional tools, in the order in which clients see them.
pub(super) const ALL: [ExtraTool; 7] = [
    ExtraTool::Wait,
    ExtraTool::Result,
    ExtraTool::Sessions,
    ExtraTool::Resume,
    ExtraTool::Diff,
    ExtraTool::Undo,
    ExtraTool::Apply,
];

/// The name of a tool.
pub(super) fn name(tool: ExtraTool) -> &'static str {
    match tool {
        ExtraTool::Wait => "codex_wait",
        ExtraTool::Result => "codex_result",
        ExtraTool::Sessions => "codex_sessions",
        ExtraTool::Resume => "codex_resume",
        ExtraTool::Diff => "codex_diff",
        ExtraTool::Undo => "codex_undo",
        ExtraTool::Apply => "codex_apply",
    }
}

/// The definition of a tool.
pub(super) fn tool(tool: ExtraTool, defaults: Defaults) -> Tool {
    let result_size = Map::from_iter([("anthropic/maxResultSizeChars".to_owned(), json!(MAX_RESULT_CHARACTERS))]);
    match tool {
        ExtraTool::Wait => tool_with(texts::wait(), ToolEffect::Reads, Map::new()),
        ExtraTool::Result => tool_with(texts::result(), ToolEffect::Reads, result_size),
        ExtraTool::Sessions => tool_with(texts::sessions(), ToolEffect::Reads, Map::new()),
        ExtraTool::Resume => tool_with(texts::resume(defaults), ToolEffect::Starts, Map::new()),
        ExtraTool::Diff => tool_with(texts::diff(), ToolEffect::Reads, Map::new()),
        ExtraTool::Undo => tool_with(texts::undo(), ToolEffect::Writes, Map::new()),
        ExtraTool::Apply => tool_with(texts::apply(), ToolEffect::Writes, Map::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mcp/extra/extra.golden.json");

    #[test]
    fn the_tool_list_matches_the_golden_file() {
        let tools = ALL.map(|extra| tool(extra, Defaults::DOCUMENTED));
        let mut actual = serde_json::to_string_pretty(&tools).expect("tools are JSON");
        actual.push('\n');
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(GOLDEN, &actual).expect("the source directory is writable");
        }
        assert!(
            actual == std::fs::read_to_string(GOLDEN).unwrap_or_default(),
            "tools have changed. If this is intended, run this test with UPDATE_GOLDEN=1. Actual list:\n{actual}"
        );
    }
}
