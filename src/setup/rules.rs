//! The permission rules of Claude Code that `init` offers.
//!
//! Claude Code 2.1.332 names a tool after its server, and a plugin's server after the plugin too. Rules for both
//! spellings are offered, so that they also apply if the server is added by hand. If no rule
//! matches a call, Claude Code asks the user in its default permission mode, and a classifier in auto mode.

use std::path::Path;

use crate::{
    plugin::{NAME, SERVER},
    visible::shell_line,
};

/// The tools that only show or stop tasks. `codex_diff` exists only if it is in `tools.extra`.
const HARMLESS_TOOLS: [&str; 4] = ["codex_status", "codex_tasks", "codex_cancel", "codex_diff"];

/// The tool that starts tasks.
const AGENT_TOOL: &str = "codex_agent";

/// Rules for the tools that only show or stop tasks, and for the command that waits for a task. The command begins with
/// the path of `program` if `codex-connector` on `PATH` is another program, or does not exist.
pub(super) fn harmless(program: &Path, is_on_path: bool) -> Vec<String> {
    let tools = HARMLESS_TOOLS.iter().flat_map(|tool| spellings(tool));
    let commands = (!is_on_path).then(|| shell_line([&*program.to_string_lossy()]));
    let commands = [NAME.to_owned()].into_iter().chain(commands);
    tools.chain(commands.map(|command| format!("Bash({command} wait:*)"))).collect()
}

/// Rules for the tool that starts tasks. One rule covers all calls, whatever their sandbox.
pub(super) fn agent() -> Vec<String> {
    spellings(AGENT_TOOL).into()
}

fn spellings(tool: &str) -> [String; 2] {
    [format!("mcp__{NAME}__{tool}"), format!("mcp__plugin_{NAME}_{SERVER}__{tool}")]
}
