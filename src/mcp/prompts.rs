//! Prompts, which clients offer to people as commands: delegate, review, rescue, status.
//!
//! Each is a message to the model that says which tool to call and with what. Words of the person stand in it as they are;
//! words of tasks are quoted, as in every answer.

use rmcp::model::{ErrorData, GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::Value;

use super::icon::icon;
use crate::{
    broker::{Broker, Refusal},
    present,
    task::TaskId,
};

/// The names of the prompts and of their arguments, with `true` for those that have to be given.
const PROMPTS: [(&str, &str, &str, &[Argument]); 4] = [
    (
        "delegate",
        "Delegate a task",
        "Hand a piece of work to another coding agent",
        &[
            ("task", "What is to be done", true),
            ("model", "The agent's model", false),
            ("sandbox", "What the agent may touch", false),
            ("background", "yes: go on meanwhile; no: wait for the result", false),
        ],
    ),
    (
        "review",
        "Review changes",
        "Let another agent review changes, read-only",
        &[
            ("base", "The branch to compare with; without one, what is not committed", false),
            ("focus", "What to look at in particular", false),
            ("model", "The agent's model", false),
        ],
    ),
    (
        "rescue",
        "Rescue a failed task",
        "Go on where a task failed, with what is known of it",
        &[("taskId", "The task that failed", true), ("hint", "What to do differently", false)],
    ),
    (
        "status",
        "Look at tasks",
        "Show a task, or what runs",
        &[("taskId", "The task; without one, all that run", false)],
    ),
];

/// Name, description, and whether it has to be given.
type Argument = (&'static str, &'static str, bool);

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

/// Whether a prompt of this name has an argument of that name.
pub(super) fn has_argument(prompt: &str, argument: &str) -> bool {
    let known = PROMPTS.iter().find(|(name, ..)| *name == prompt);
    known.is_some_and(|(.., arguments)| arguments.iter().any(|(name, ..)| *name == argument))
}

/// `prompts/get`.
pub(super) async fn get(broker: &Broker, name: &str, given: Option<JsonObject>) -> Result<GetPromptResult, ErrorData> {
    let Some((name, _, about, arguments)) = PROMPTS.into_iter().find(|(known, ..)| *known == name) else {
        let known = PROMPTS.map(|(name, ..)| name).join(", ");
        return Err(ErrorData::invalid_params(format!("there is no such prompt; next: use one of {known}"), None));
    };
    let given = Given::read(name, arguments, given.unwrap_or_default())?;
    let text = match name {
        "delegate" => delegate(&given),
        "review" => review(&given),
        "rescue" => rescue(broker, &given).await?,
        _ => status(&given)?,
    };
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]).with_description(about))
}

fn delegate(given: &Given) -> String {
    let task = given.get("task").unwrap_or_default();
    let mut text = format!(
        "Delegate this to the coding agent, with the tool codex_agent:\n\n{task}\n\n\
         Use the current project's directory as `workingDirectory`. Write into `task` all that the agent has to know: it \
         sees nothing of this conversation."
    );
    if let Some(model) = given.get("model") {
        text.push_str(&format!(" Pass `model`: {model}."));
    }
    if let Some(sandbox) = given.get("sandbox") {
        text.push_str(&format!(" Pass `sandbox`: {sandbox}."));
    }
    text.push_str(if given.get("background").is_some_and(is_yes) {
        " Pass `async`: true, tell me the task id, and go on; look at the result when the task has ended."
    } else {
        " Wait for the result, look at what was changed, and tell me what came of it."
    });
    text
}

fn review(given: &Given) -> String {
    let what = match given.get("base") {
        Some(base) => format!("the changes of this branch against `{base}` (git diff {base}...HEAD)"),
        None => "the changes that are not committed (git status, git diff HEAD, and new files)".to_owned(),
    };
    let focus = given.get("focus").map(|focus| format!(" Look in particular at this: {focus}.")).unwrap_or_default();
    let model = given.get("model").map(|model| format!(" and `model`: {model}")).unwrap_or_default();
    format!(
        "Let the coding agent review {what}, with the tool codex_agent and `sandbox`: read-only{model}. Use the current \
         project's directory as `workingDirectory`. Ask it in `task` for mistakes, each with file, line, what is wrong and \
         what would mend it, the worst first, and for nothing else.{focus} When it has answered, check each finding \
         against the code yourself, and tell me which hold."
    )
}

async fn rescue(broker: &Broker, given: &Given) -> Result<String, ErrorData> {
    let id = given.task_id()?.ok_or_else(|| missing("rescue", "taskId"))?;
    let view = broker.view(&id, 1).await.map_err(|refusal| refused(&refusal))?;
    let known = present::ended(&view.record, view.result);
    let directory = present::one_line(&view.record.progress.working_directory.display().to_string(), 500);
    let hint = given.get("hint").map(|hint| format!(" Do this differently: {hint}.")).unwrap_or_default();
    Ok(format!(
        "A task of the coding agent did not come to a good end. This is known of it:\n\n{known}\n\n\
         Find out why, with the tool codex_status and `taskId` {id}, and with what stands in the files. Then start it anew \
         with codex_agent in `workingDirectory` {directory}: write into `task` what was asked, what is done already, what \
         went wrong, and how to get around it.{hint} If it cannot work as things are, such as without a login, tell me what \
         I have to do instead."
    ))
}

fn status(given: &Given) -> Result<String, ErrorData> {
    Ok(match given.task_id()? {
        Some(id) => format!("Call the tool codex_status with `taskId` {id}, and tell me in a few words how the task stands."),
        None => "Call the tool codex_tasks with `status`: running, and codex_status for each of them; tell me in a few words \
                 how they stand. If none runs, tell me how the newest ended."
            .to_owned(),
    })
}

fn is_yes(word: &str) -> bool {
    matches!(word.trim().to_lowercase().as_str(), "yes" | "y" | "true" | "1" | "on" | "background" | "async")
}

/// The arguments of one call, none of them blank.
struct Given(JsonObject);

impl Given {
    fn read(prompt: &str, known: &[Argument], mut given: JsonObject) -> Result<Self, ErrorData> {
        given.retain(|_, value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty()));
        for (name, value) in &given {
            if !known.iter().any(|(known, ..)| known == name) {
                let names = known.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
                let problem = format!("`{prompt}` has no argument `{}`; it takes {names}", present::one_line(name, 60));
                return Err(ErrorData::invalid_params(problem, None));
            }
            if !value.is_string() {
                return Err(ErrorData::invalid_params(format!("`{name}` takes a string"), None));
            }
        }
        match known.iter().find(|(name, _, required)| *required && !given.contains_key(*name)) {
            Some((name, ..)) => Err(missing(prompt, name)),
            None => Ok(Self(given)),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).map(str::trim)
    }

    fn task_id(&self) -> Result<Option<TaskId>, ErrorData> {
        let no = |word: &str| refused(&Refusal::NoSuchTask(present::one_line(word, 60)));
        self.get("taskId").map(|word| TaskId::parse(word).map_err(|_| no(word))).transpose()
    }
}

fn missing(prompt: &str, argument: &str) -> ErrorData {
    ErrorData::invalid_params(format!("`{prompt}` needs the argument `{argument}`"), None)
}

fn refused(refusal: &Refusal) -> ErrorData {
    ErrorData::invalid_params(format!("{refusal}; next: {}", refusal.next()), None)
}
