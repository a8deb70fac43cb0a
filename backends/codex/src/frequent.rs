//! The events that come by the thousand, read without a [`Value`](serde_json::Value) in between.
//!
//! Messages, reasoning and commands. An event of another kind, or one that has anything unusual about it, is left to
//! [`wire`](crate::wire), which reads these events in the same way.

use std::borrow::Cow;

use connector_api::{JsonFields, JsonFieldsOf, JsonText, read_fields};
use serde::de::{Error, MapAccess};

use crate::wire::{ItemPhase, ThreadItem};

/// An event about one item.
#[derive(Debug, PartialEq)]
pub(crate) struct Frequent<'a> {
    pub(crate) phase: ItemPhase,
    pub(crate) item_type: &'static str,
    pub(crate) item: ThreadItem<'a>,
}

/// The kinds of items that are frequent.
#[derive(Debug, Clone, Copy)]
enum FrequentKind {
    AgentMessage,
    Reasoning,
    CommandExecution,
}

impl FrequentKind {
    fn of(item_type: &str) -> Option<Self> {
        let all = [Self::AgentMessage, Self::Reasoning, Self::CommandExecution];
        all.into_iter().find(|kind| kind.item_type() == item_type)
    }

    /// The type of such an item.
    fn item_type(self) -> &'static str {
        match self {
            Self::AgentMessage => "agent_message",
            Self::Reasoning => "reasoning",
            Self::CommandExecution => "command_execution",
        }
    }
}

/// Reads a frequent event; `None` if the line is anything else.
pub(crate) fn frequent(line: &str) -> Option<Frequent<'_>> {
    let EventFields { phase, item } = read_fields(line)?;
    let (phase, ItemFields { kind, id, text, command, aggregated_output, exit_code, status }) = (phase?, item?);
    let kind = kind?;
    let item = match kind {
        FrequentKind::AgentMessage => ThreadItem::AgentMessage { text: text? },
        FrequentKind::Reasoning => ThreadItem::Reasoning { text: text? },
        FrequentKind::CommandExecution => ThreadItem::CommandExecution {
            id: id?,
            command: command?,
            aggregated_output: aggregated_output.unwrap_or_default(),
            exit_code,
            status: status.unwrap_or_default(),
        },
    };
    Some(Frequent { phase, item_type: kind.item_type(), item })
}

#[derive(Default)]
struct EventFields<'a> {
    phase: Option<ItemPhase>,
    item: Option<ItemFields<'a>>,
}

impl<'a> JsonFields<'a> for EventFields<'a> {
    fn read<A: MapAccess<'a>>(&mut self, key: &str, object: &mut A) -> Result<bool, A::Error> {
        match key {
            "type" => {
                self.phase = Some(ItemPhase::of(&object.next_value::<JsonText<'_>>()?.0).ok_or_else(not_frequent)?)
            }
            "item" => self.item = Some(object.next_value::<JsonFieldsOf<_>>()?.0),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[derive(Default)]
struct ItemFields<'a> {
    kind: Option<FrequentKind>,
    id: Option<Cow<'a, str>>,
    text: Option<Cow<'a, str>>,
    command: Option<Cow<'a, str>>,
    aggregated_output: Option<Cow<'a, str>>,
    exit_code: Option<i64>,
    status: Option<Cow<'a, str>>,
}

impl<'a> JsonFields<'a> for ItemFields<'a> {
    fn read<A: MapAccess<'a>>(&mut self, key: &str, object: &mut A) -> Result<bool, A::Error> {
        match key {
            "type" => {
                // Usually one of the first keys, so that an item of another kind costs little.
                let kind = object.next_value::<JsonText<'_>>()?;
                self.kind = Some(FrequentKind::of(&kind.0).ok_or_else(not_frequent)?);
            }
            "id" => self.id = Some(text(object)?),
            "text" => self.text = Some(text(object)?),
            "command" => self.command = Some(text(object)?),
            "aggregated_output" => self.aggregated_output = text_or_null(object)?,
            "exit_code" => self.exit_code = object.next_value()?,
            "status" => self.status = text_or_null(object)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn text<'a, A: MapAccess<'a>>(object: &mut A) -> Result<Cow<'a, str>, A::Error> {
    object.next_value::<JsonText<'_>>().map(|text| text.0)
}

fn text_or_null<'a, A: MapAccess<'a>>(object: &mut A) -> Result<Option<Cow<'a, str>>, A::Error> {
    Ok(object.next_value::<Option<JsonText<'_>>>()?.map(|text| text.0))
}

fn not_frequent<E: Error>() -> E {
    E::custom("an event of another kind")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_borrowed_from_its_line() {
        let line = r#"{"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":"done"}}"#;
        let Some(Frequent {
            phase: ItemPhase::Completed,
            item: ThreadItem::AgentMessage { text: Cow::Borrowed("done") },
            ..
        }) = frequent(line)
        else {
            panic!("it is frequent: {:?}", frequent(line));
        };
    }

    #[test]
    fn a_command_has_neutral_values_for_what_is_missing_or_null() {
        for more in [json!({}), json!({"aggregated_output": null, "exit_code": null, "status": null})] {
            let mut item = json!({"id": "i", "type": "command_execution", "command": "ls"});
            item.as_object_mut().expect("it is an object").extend(more.as_object().expect("it is an object").clone());
            let line = json!({"type": "item.started", "item": item}).to_string();
            let empty = ThreadItem::CommandExecution {
                id: "i".into(),
                command: "ls".into(),
                aggregated_output: "".into(),
                exit_code: None,
                status: "".into(),
            };
            assert_eq!(frequent(&line).map(|event| event.item), Some(empty), "{line}");
        }
    }

    #[test]
    fn other_events_are_not_frequent() {
        for line in [
            r#"{"type":"turn.started"}"#,
            r#"{"type":"item.started"}"#,
            r#"{"type":"item.started","item":{"type":"agent_message"}}"#,
            r#"{"type":"item.started","item":{"type":"web_search","id":"a","id":"b"}}"#,
            r#"{"type":"item.started","item":{"type":"command_execution","command":"ls"}}"#,
            r#"{"item":{"type":"agent_message","text":"x"}}"#,
        ] {
            assert_eq!(frequent(line), None, "{line}");
        }
    }
}
