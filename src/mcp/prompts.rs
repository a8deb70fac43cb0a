//! Prompts, which clients offer to people as commands. Their text is in `present::prompts`.

use rmcp::model::{ErrorData, GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::Value;

use super::icon::icon;
use crate::{
    broker::Broker,
    present::{
        Refused, not_a_task_id,
        prompts::{self, Argument, PROMPTS},
        protocol,
    },
    task::TaskId,
};

/// `prompts/list`.
pub(super) fn list() -> Vec<Prompt> {
    let argument = |(name, about, required): &Argument| {
        PromptArgument::new(*name).with_description(*about).with_required(*required)
    };
    let prompt = |(name, title, about, arguments): (&str, &str, &str, &[Argument])| {
        Prompt::new(name, Some(about), Some(arguments.iter().map(argument).collect()))
            .with_title(title)
            .with_icons(vec![icon()])
    };
    PROMPTS.map(prompt).to_vec()
}

/// Whether the prompt exists and has this argument.
pub(super) fn has_argument(prompt: &str, argument: &str) -> bool {
    let known = PROMPTS.iter().find(|(name, ..)| *name == prompt);
    known.is_some_and(|(.., arguments)| arguments.iter().any(|(name, ..)| *name == argument))
}

/// `prompts/get`.
pub(super) async fn get(broker: &Broker, name: &str, raw: Option<JsonObject>) -> Result<GetPromptResult, ErrorData> {
    let Some((name, _, about, arguments)) = PROMPTS.into_iter().find(|(known, ..)| *known == name) else {
        return Err(ErrorData::invalid_params(protocol::no_such_prompt(), None));
    };
    let arguments = PromptArguments::read(name, arguments, raw.unwrap_or_default())?;
    let text = match name {
        "delegate" => prompts::delegate(
            arguments.get("task").unwrap_or_default(),
            arguments.get("model"),
            arguments.get("sandbox"),
            arguments.get("background").is_some_and(is_yes),
        ),
        "review" => prompts::review(arguments.get("base"), arguments.get("focus"), arguments.get("model")),
        "rescue" => {
            let id = arguments.task_id()?.ok_or_else(|| missing("rescue", "taskId"))?;
            let view = broker.view(&id, 1).await.map_err(|refusal| refused(&broker.explain(&refusal)))?;
            prompts::rescue(&view.record, view.result, arguments.get("hint")).map_err(|problem| refused(&problem))?
        }
        _ => prompts::status(arguments.task_id()?.as_ref()),
    };
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]).with_description(about))
}

fn is_yes(word: &str) -> bool {
    matches!(word.trim().to_lowercase().as_str(), "yes" | "y" | "true" | "1" | "on" | "background" | "async")
}

/// The arguments of one `prompts/get` request. Blank ones count as absent.
struct PromptArguments(JsonObject);

impl PromptArguments {
    fn read(prompt: &str, known: &[Argument], mut arguments: JsonObject) -> Result<Self, ErrorData> {
        arguments.retain(|_, value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty()));
        for (name, value) in &arguments {
            if !known.iter().any(|(known, ..)| known == name) {
                return Err(ErrorData::invalid_params(protocol::no_such_argument(prompt, name, known), None));
            }
            if !value.is_string() {
                return Err(ErrorData::invalid_params(protocol::takes_a_string(name), None));
            }
        }
        match known.iter().find(|(name, _, required)| *required && !arguments.contains_key(*name)) {
            Some((name, ..)) => Err(missing(prompt, name)),
            None => Ok(Self(arguments)),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).map(str::trim)
    }

    fn task_id(&self) -> Result<Option<TaskId>, ErrorData> {
        let parse = |word| TaskId::parse(word).map_err(|problem| refused(&not_a_task_id(&problem)));
        self.get("taskId").map(parse).transpose()
    }
}

fn missing(prompt: &str, argument: &str) -> ErrorData {
    ErrorData::invalid_params(protocol::needs_argument(prompt, argument), None)
}

fn refused(refused: &Refused) -> ErrorData {
    ErrorData::invalid_params(refused.in_one_line(), None)
}
