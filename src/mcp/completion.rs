//! `completion/complete`: suggests values for an argument of a prompt, and for the task ID in a resource URI.

use std::collections::BTreeSet;

use connector_api::Sandbox;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData, Reference};

use super::prompts;
use crate::{broker::Broker, present};

/// Maximum number of tasks to search, newest first.
const MAX_TASKS_SCANNED: usize = 500;

/// The values that begin with the typed text, best match first.
pub(super) async fn complete(broker: &Broker, asked: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let argument = asked.argument.name.as_str();
    let words = match &asked.r#ref {
        Reference::Resource(template) if template.uri.starts_with("task://") && argument == "id" => tasks(broker).await,
        Reference::Prompt(prompt) if prompts::has_argument(&prompt.name, argument) => {
            sentences(broker, argument, &asked.argument.value).await
        }
        // An unknown reference is not an error, because people are still typing.
        Reference::Resource(_) | Reference::Prompt(_) => vec![],
        // The type is non-exhaustive.
        _ => vec![],
    };
    let typed = asked.argument.value.to_lowercase();
    let mut matching: Vec<_> = words.into_iter().filter(|word| word.to_lowercase().starts_with(&typed)).collect();
    let total = matching.len();
    matching.truncate(CompletionInfo::MAX_VALUES);
    let info = CompletionInfo::with_pagination(matching, u32::try_from(total).ok(), total > CompletionInfo::MAX_VALUES);
    Ok(CompleteResult::new(info.map_err(|problem| ErrorData::internal_error(problem, None))?))
}

/// Continuations of the sentence `typed`: of the task ID at its beginning, or of the option at its end.
async fn sentences(broker: &Broker, argument: &str, typed: &str) -> Vec<String> {
    let (before, last) = typed.rsplit_once(char::is_whitespace).unwrap_or(("", typed));
    let values = match (before.split_whitespace().next_back(), argument) {
        (None, "taskId") => return tasks(broker).await,
        (Some("--model"), _) => models(broker).await,
        (Some("--sandbox"), _) => sandboxes(broker),
        (Some(_) | None, _) => return vec![],
    };
    let start = &typed[..typed.len() - last.len()];
    values.iter().map(|value| format!("{start}{value}")).collect()
}

/// The IDs of tasks, newest first.
async fn tasks(broker: &Broker) -> Vec<String> {
    let listing = broker.list(None, MAX_TASKS_SCANNED).await;
    listing.map(|listing| listing.records.iter().map(|record| record.id.to_string()).collect()).unwrap_or_default()
}

/// The configured models, and those that tasks have used.
async fn models(broker: &Broker) -> Vec<String> {
    let configured = broker
        .config()
        .backends
        .values()
        .filter_map(|backend| Some(backend.settings.get("model")?.as_str()?.to_owned()));
    let used = broker.list(None, MAX_TASKS_SCANNED).await.map(|listing| listing.records).unwrap_or_default();
    let used = used.into_iter().filter_map(|record| record.progress.model).map(present::verbatim);
    configured.chain(used).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The sandboxes that a call for the default backend can request.
fn sandboxes(broker: &Broker) -> Vec<String> {
    let config = broker.config();
    let max = config.ceilings.get(&config.default_backend).map_or(Sandbox::DangerFullAccess, |ceiling| ceiling.sandbox);
    Sandbox::ALL.into_iter().filter(|sandbox| *sandbox <= max).map(|sandbox| sandbox.to_string()).collect()
}
