//! The conversation so far, as a request of any API describes it.

/// The messages and tools of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Conversation {
    pub(super) items: Vec<ConversationItem>,
    pub(super) tools: Vec<Tool>,
}

/// One item of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConversationItem {
    /// A user message.
    User(String),
    /// A message of the model.
    Assistant(String),
    /// The result of a tool call.
    ToolOutput,
    /// Anything else.
    Other,
}

/// A tool that is offered to the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tool {
    /// The group that contains it, if the API has groups.
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    /// Whether it takes text instead of arguments.
    pub(super) is_freeform: bool,
}

/// A user message and its position in the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UserMessage<'a> {
    pub(super) position: usize,
    pub(super) text: &'a str,
}

/// The beginnings of user messages that agents add themselves, which are not prompts. Observed in Codex 0.47.0 to
/// 0.169.0; the last one in Claude Code 2.1.
const INSERTED_BY_AGENTS: [&str; 6] = [
    "<environment_context>",
    "<user_instructions>",
    "<turn_aborted>",
    "# AGENTS.md instructions",
    "Warning: ",
    "<system-reminder>",
];

impl Conversation {
    /// The user's messages, newest first.
    pub(super) fn user_messages(&self) -> impl Iterator<Item = UserMessage<'_>> {
        self.items.iter().enumerate().rev().filter_map(|(position, item)| match item {
            ConversationItem::User(text) => Some(UserMessage { position, text }),
            ConversationItem::Assistant(_) | ConversationItem::ToolOutput | ConversationItem::Other => None,
        })
    }

    /// The newest message that the user wrote.
    pub(super) fn prompt(&self) -> Option<UserMessage<'_>> {
        self.user_messages().find(|message| !INSERTED_BY_AGENTS.iter().any(|mark| message.text.starts_with(mark)))
    }

    /// The model's last message before `position`.
    pub(super) fn said_before(&self, position: usize) -> Option<&str> {
        self.items.iter().take(position).rev().find_map(|item| match item {
            ConversationItem::Assistant(text) if !text.trim().is_empty() => Some(text.as_str()),
            ConversationItem::Assistant(_)
            | ConversationItem::User(_)
            | ConversationItem::ToolOutput
            | ConversationItem::Other => None,
        })
    }

    /// The number of tool results after `position`.
    pub(super) fn tool_outputs_after(&self, position: usize) -> usize {
        self.items.iter().skip(position).filter(|item| **item == ConversationItem::ToolOutput).count()
    }

    /// The tool of an MCP server whose own name is `name`, if it is offered.
    pub(super) fn mcp_tool(&self, name: &str) -> Option<&Tool> {
        let long = format!("__{name}");
        self.tools.iter().find(|tool| tool.name == name || tool.name.ends_with(&long))
    }

    /// The tool called `name`, if it is offered.
    pub(super) fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.namespace.is_none() && tool.name == name)
    }

    /// The names of the offered tools, for messages.
    pub(super) fn tool_names(&self) -> String {
        self.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> Conversation {
        let tool = |name: &str, is_freeform| Tool { namespace: None, name: name.into(), is_freeform };
        Conversation {
            items: vec![
                ConversationItem::User("first".into()),
                ConversationItem::ToolOutput,
                ConversationItem::User("second".into()),
                ConversationItem::Assistant("hm".into()),
                ConversationItem::Other,
                ConversationItem::ToolOutput,
                ConversationItem::ToolOutput,
                ConversationItem::User("<environment_context>\n</environment_context>".into()),
            ],
            tools: vec![tool("shell", false), tool("apply_patch", true), tool("mcp__server__look", false)],
        }
    }

    #[test]
    fn the_prompt_is_the_newest_message_that_the_user_wrote() {
        assert_eq!(conversation().prompt(), Some(UserMessage { position: 2, text: "second" }));
    }

    #[test]
    fn tool_outputs_after_a_message_are_counted() {
        assert_eq!(conversation().tool_outputs_after(2), 2);
        assert_eq!(conversation().tool_outputs_after(0), 3);
    }

    #[test]
    fn the_last_message_of_the_model_before_a_position_is_found() {
        assert_eq!(conversation().said_before(7), Some("hm"));
        assert_eq!(conversation().said_before(2), None);
    }

    #[test]
    fn a_tool_is_found_by_its_name() {
        assert!(conversation().tool("apply_patch").is_some_and(|tool| tool.is_freeform));
        assert_eq!(conversation().tool("exec_command"), None);
        assert!(conversation().mcp_tool("look").is_some());
    }
}
