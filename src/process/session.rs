//! The session of Claude Code that this process belongs to.

use crate::task::is_session_id;

/// The ID of the session that started this process, directly or through a shell. `None` outside Claude Code.
///
/// Claude Code sets `CLAUDE_CODE_SESSION_ID` for its servers, hooks and commands (2.1.332).
pub fn claude_session() -> Option<String> {
    std::env::var("CLAUDE_CODE_SESSION_ID").ok().filter(|session| is_session_id(session))
}

/// Names the window of Claude Code that this process belongs to, for as long as the window exists. Unlike the session,
/// it stays the same after `/clear`. `None` outside Claude Code, and in old versions.
///
/// It is the path of Claude Code's socket, which servers, hooks and monitors have in their environment (2.1.332).
pub fn claude_window() -> Option<String> {
    std::env::var("CLAUDE_CODE_MESSAGING_SOCKET").ok().filter(|window| !window.is_empty())
}
