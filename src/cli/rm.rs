//! `rm`: removes ended tasks with all their files.

use std::process::ExitCode;

use clap::Args;

use super::{
    confirm::{Answer, can_confirm, confirm},
    context::{Context, refused, repository, scope},
    exit::Exit,
    output::{error_text, print_styled, print_text},
    unfinished::resolve_all,
};
use crate::{
    broker::{Broker, NotRemovable, Refusal},
    present::{
        json_output::Output,
        plain,
        terminal::{self, Screen},
    },
    store::Removal,
    task::TaskId,
};

/// Number of tasks that are read at once.
pub(super) const TASKS_PER_PAGE: usize = 500;

/// Minimum length of a prefix that names a task whose removal was interrupted. A shorter one may mean another task.
const MIN_FINISHED_PREFIX: usize = 4;

const EXAMPLES: &str = "\
Examples:
  codex-connector rm 1a2b 3c4d
  codex-connector rm @1 --yes     without confirmation

To remove old tasks, see `codex-connector prune --help`.";

/// The arguments of `rm`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The tasks: the beginnings of their IDs, or @1 for the newest one
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Count @N in all repositories, not only in this one
    #[arg(short, long)]
    all: bool,
    /// Do not ask for confirmation on a terminal
    #[arg(short, long)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Removes tasks. If one of them cannot be removed, none is.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    context.run_strictly(async |broker| {
        let repository = repository(arguments.all)?;
        let fail = |refusal| refused(&broker, &refusal);
        let (finished, words) = finish(&broker, arguments.ids).await.map_err(fail)?;
        let ids = resolve_all(&broker, &words, &scope(repository.as_deref())).await?;
        broker.check_removable(&ids).await.map_err(fail)?;
        if arguments.yes || !can_confirm() {
            say_what_is_lost(&broker, &ids).await.map_err(fail)?;
        } else if !ids.is_empty() {
            let question = question(&broker, &ids, screen).await.map_err(fail)?;
            if confirm(&question) == Answer::No {
                return Ok(Exit::Refused);
            }
        }
        remove(&broker, finished, &ids, arguments.json).await.map_err(fail)
    })
}

/// Says on stderr which changes can no longer be undone when these tasks are removed. A question says it too.
pub(super) async fn say_what_is_lost(broker: &Broker, ids: &[TaskId]) -> Result<(), Refusal> {
    if let Some(lost) = lost_changes(broker, ids).await? {
        error_text(&lost);
    }
    Ok(())
}

/// The question before these tasks are removed.
pub(super) async fn question(broker: &Broker, ids: &[TaskId], screen: Screen) -> Result<String, Refusal> {
    let first = broker.summaries(&ids[..ids.len().min(terminal::MAX_NAMED)]).await?;
    let lost = lost_changes(broker, ids).await?;
    Ok(terminal::removal_question(&first, ids.len(), lost.as_deref(), screen))
}

/// Which changes are lost when these tasks are removed. Reads one page of tasks at a time, because there may be many.
async fn lost_changes(broker: &Broker, ids: &[TaskId]) -> Result<Option<String>, Refusal> {
    let mut changed = Vec::new();
    for page in ids.chunks(TASKS_PER_PAGE) {
        changed.extend(broker.summaries(page).await?.into_iter().filter(|task| task.record.file_changes().is_some()));
    }
    Ok(terminal::lost_changes(&changed))
}

/// Finishes removals that were interrupted. Returns the named tasks that are gone now, and the other words.
async fn finish(broker: &Broker, words: Vec<String>) -> Result<(Vec<TaskId>, Vec<String>), Refusal> {
    let interrupted = broker.finish_removals().await?;
    let (mut finished, mut others) = (Vec::new(), Vec::new());
    for word in words {
        let prefix = word.to_ascii_lowercase();
        let named = |id: &TaskId| prefix.len() >= MIN_FINISHED_PREFIX && id.as_str().starts_with(&prefix);
        match interrupted.iter().find(|(id, _)| named(id)) {
            Some((id, Removal::Removed)) if finished.contains(id) => {}
            Some((id, Removal::Removed)) => finished.push(id.clone()),
            Some((id, Removal::StillListed)) => {
                return Err(Refusal::NotRemovable(NotRemovable::StillListed(id.clone())));
            }
            Some((_, Removal::InUse | Removal::Original | Removal::Unknown)) | None => others.push(word),
        }
    }
    Ok((finished, others))
}

/// Removes tasks, and prints the ID of each, after those that are already removed.
pub(super) async fn remove(
    broker: &Broker,
    mut removed: Vec<TaskId>,
    ids: &[TaskId],
    as_json: bool,
) -> Result<Exit, Refusal> {
    if !as_json {
        removed.iter().for_each(|id| _ = print_styled(&terminal::id_line(id)));
    }
    let done = broker
        .remove(ids, |id| {
            if !as_json {
                print_styled(&terminal::id_line(id));
            }
            removed.push(id.clone());
        })
        .await;
    if as_json {
        print_text(&Output::removed(&removed, false).pretty());
    }
    // For example, a worktree that is kept.
    broker.notices().iter().for_each(|notice| error_text(&plain(notice)));
    done.map(|()| Exit::Completed)
}
