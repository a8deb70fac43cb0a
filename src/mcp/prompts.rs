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
    request::{SentenceOption, read_sentence},
    task::TaskId,
};

/// `prompts/list`.
pub(super) fn list() -> Vec<Prompt> {
    let argument =
        |(name, about, required): Argument| PromptArgument::new(name).with_description(about).with_required(required);
    let prompt = |(name, title, about, only): (&str, &str, &str, Argument)| {
        Prompt::new(name, Some(about), Some(vec![argument(only)])).with_title(title).with_icons(vec![icon()])
    };
    PROMPTS.map(prompt).to_vec()
}

/// Whether the prompt exists and has this argument.
pub(super) fn has_argument(prompt: &str, argument: &str) -> bool {
    PROMPTS.iter().any(|(name, .., (only, ..))| *name == prompt && *only == argument)
}

/// `prompts/get`.
pub(super) async fn get(broker: &Broker, name: &str, raw: Option<JsonObject>) -> Result<GetPromptResult, ErrorData> {
    let Some((name, _, about, argument)) = PROMPTS.into_iter().find(|(known, ..)| *known == name) else {
        return Err(ErrorData::invalid_params(protocol::no_such_prompt(), None));
    };
    let typed = typed(name, argument, raw.unwrap_or_default())?;
    let read = |typed: &str, options: &[SentenceOption]| {
        read_sentence(typed, options).map_err(|problem| refused(&problem.redacted(broker.redactor())))
    };
    use SentenceOption::{Background, Base, Model, Sandbox};
    let text = match name {
        "delegate" => {
            let sentence = read(&typed, &[Model, Sandbox, Background])?;
            if sentence.text.is_empty() && !sentence.is_one_word {
                return Err(missing(name, argument.0));
            }
            prompts::delegate(&sentence)
        }
        "review" => prompts::review(&read(&typed, &[Model, Base, Background])?),
        "rescue" => {
            let mut sentence = read(&typed, &[Model, Sandbox, Background])?;
            let (id, hint) = sentence.text.split_once(char::is_whitespace).unwrap_or((&sentence.text, ""));
            let (id, hint) = (task_id(id)?, hint.trim().to_owned());
            sentence.text = hint;
            let view = broker.view(&id, 1).await.map_err(|refusal| refused(&broker.explain(&refusal)))?;
            prompts::rescue(&view.record, view.result, &sentence).map_err(|problem| refused(&problem))?
        }
        _ => {
            let id = typed.split_whitespace().next().map(task_id).transpose()?;
            prompts::status(id.as_ref())
        }
    };
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]).with_description(about))
}

/// The value of the only argument; empty if it is absent.
fn typed(prompt: &str, (only, _, required): Argument, mut arguments: JsonObject) -> Result<String, ErrorData> {
    arguments.retain(|_, value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty()));
    if let Some(name) = arguments.keys().find(|name| *name != only) {
        return Err(ErrorData::invalid_params(protocol::no_such_argument(prompt, name, only), None));
    }
    match arguments.shift_remove(only) {
        Some(Value::String(typed)) => Ok(typed),
        Some(_) => Err(ErrorData::invalid_params(protocol::takes_a_string(only), None)),
        None if required => Err(missing(prompt, only)),
        None => Ok(String::new()),
    }
}

fn task_id(word: &str) -> Result<TaskId, ErrorData> {
    TaskId::parse(word).map_err(|problem| refused(&not_a_task_id(&problem)))
}

fn missing(prompt: &str, argument: &str) -> ErrorData {
    ErrorData::invalid_params(protocol::needs_argument(prompt, argument), None)
}

fn refused(refused: &Refused) -> ErrorData {
    ErrorData::invalid_params(refused.in_one_line(), None)
}
