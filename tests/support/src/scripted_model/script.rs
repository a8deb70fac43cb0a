//! Chooses the steps with which a request is answered.

use serde_json::Value;

use super::{conversation::Conversation, obedience, step::ScriptStep};

/// Where a provider's script comes from.
#[derive(Debug, Clone)]
pub(super) enum ScriptSource {
    /// The prompt.
    Prompt,
    /// This script; prompts are ignored.
    Fixed(Vec<ScriptStep>),
}

/// The script for a request, and the conversation's position in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Script {
    steps: Vec<ScriptStep>,
    /// The number of the script's tool calls that have been answered.
    answered: usize,
}

/// Why a prompt's script cannot be played.
#[derive(Debug, thiserror::Error)]
#[error("the prompt's SCRIPT is not a list of steps: {0}")]
pub(super) struct BadScript(serde_json::Error);

const MARK: &str = "SCRIPT[";

impl ScriptSource {
    /// The script for `conversation`.
    pub(super) fn script(&self, conversation: &Conversation) -> Result<Script, BadScript> {
        let (steps, position) = match self {
            ScriptSource::Fixed(steps) => (steps.clone(), conversation.prompt().map(|prompt| prompt.position)),
            ScriptSource::Prompt => {
                let mut asked = conversation.user_messages().filter_map(|message| {
                    let is_script = message.text.contains(MARK);
                    let steps = if is_script {
                        Some(parse(message.text))
                    } else {
                        obedience::steps(message, conversation).map(Ok)
                    };
                    Some((steps?, message.position))
                });
                match asked.next() {
                    Some((steps, position)) => (steps?, Some(position)),
                    None => (vec![ScriptStep::Say("ok".into())], None),
                }
            }
        };
        Ok(Script { steps, answered: conversation.tool_outputs_after(position.unwrap_or(0)) })
    }
}

impl Script {
    /// The steps of the next response: all steps up to and including the next tool call.
    pub(super) fn next_steps(&self) -> &[ScriptStep] {
        let mut rest = self.steps.as_slice();
        for _ in 0..self.answered {
            rest = tool_call_in(rest).map_or(&[], |at| &rest[at + 1..]);
        }
        tool_call_in(rest).map_or(rest, |at| &rest[..=at])
    }

    /// A key for this position in this script, for counting how often it was reached.
    pub(super) fn position_key(&self) -> String {
        format!("{} {:?}", self.answered, self.steps)
    }
}

fn tool_call_in(steps: &[ScriptStep]) -> Option<usize> {
    steps.iter().position(ScriptStep::calls_a_tool)
}

/// Reads the list after the first `SCRIPT` in `text`, and ignores everything after the list.
fn parse(text: &str) -> Result<Vec<ScriptStep>, BadScript> {
    let start = text.find(MARK).map_or(0, |at| at + MARK.len() - 1);
    let mut lists = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Vec<Value>>();
    let list = lists.next().transpose().map_err(BadScript)?.unwrap_or_default();
    list.into_iter().map(|step| serde_json::from_value(without_true(step)).map_err(BadScript)).collect()
}

/// Turns `{"hang": true}` into `"hang"`.
fn without_true(step: Value) -> Value {
    match step.as_object().and_then(|fields| fields.iter().next()) {
        Some((name, Value::Bool(true))) => Value::String(name.clone()),
        _ => step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_model::conversation::ConversationItem;

    fn say(text: &str) -> ScriptStep {
        ScriptStep::Say(text.into())
    }

    fn shell(command: &str) -> ScriptStep {
        ScriptStep::Shell(command.into())
    }

    #[test]
    fn a_script_is_found_inside_a_prompt() {
        let steps = parse(r#"Please SCRIPT[{"say": "a"}, "hang", {"drop": true}, {"sleep": 0.5}] and [thank] you"#);
        assert_eq!(
            steps.expect("a good script"),
            [say("a"), ScriptStep::Hang, ScriptStep::Drop, ScriptStep::Sleep(0.5)]
        );
    }

    #[test]
    fn an_unknown_step_is_a_bad_script() {
        let problem = parse(r#"SCRIPT[{"sing": "a"}]"#).expect_err("no such step");
        assert!(problem.to_string().contains("sing"), "{problem}");
    }

    #[test]
    fn a_response_ends_with_its_tool_call() {
        let steps = vec![say("a"), shell("b"), say("c"), shell("d"), say("e")];
        let after = |answered| Script { steps: steps.clone(), answered }.next_steps().to_vec();
        assert_eq!(after(0), [say("a"), shell("b")]);
        assert_eq!(after(1), [say("c"), shell("d")]);
        assert_eq!(after(2), [say("e")]);
        assert_eq!(after(3), []);
    }

    #[test]
    fn the_newest_message_with_a_script_decides_and_older_outputs_do_not_count() {
        let user = |text: &str| ConversationItem::User(text.into());
        let items = vec![
            user(r#"SCRIPT[{"shell": "old"}]"#),
            ConversationItem::ToolOutput,
            user(r#"SCRIPT[{"shell": "new"}]"#),
            user("no script here"),
        ];
        let conversation = Conversation { items, tools: vec![] };
        let script = ScriptSource::Prompt.script(&conversation).expect("a good script");
        assert_eq!(script.next_steps(), [shell("new")]);
    }

    #[test]
    fn a_fixed_script_ignores_the_prompt() {
        let conversation = Conversation { items: vec![ConversationItem::User("SCRIPT[broken".into())], tools: vec![] };
        let source = ScriptSource::Fixed(vec![say("fixed")]);
        let script = source.script(&conversation).expect("a fixed script is always good");
        assert_eq!(script.next_steps(), [say("fixed")]);
    }
}
