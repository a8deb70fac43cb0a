//! Completions for arguments whose values only this program knows: tasks and backends.
//!
//! An argument gets its candidates by its name, so that every verb has them: `ID` is a task, and `--backend` a backend.

use std::{env, ffi::OsStr, path::PathBuf};

use clap::{Arg, Command};
use clap_complete::{ArgValueCompleter, CompletionCandidate};

use super::{
    context::{scope, this_repository},
    output::redactor,
};
use crate::{
    config::{Config, Overrides},
    present::terminal::hint,
    redact::Redactor,
    registry::Registry,
    store::{Filter, Reader},
    task::TaskRecord,
};

/// Maximum number of tasks.
const MAX_TASKS: usize = 50;

/// Number of the newest tasks that are searched for a prefix that is too short for the index.
const MAX_SEARCHED: usize = 400;

/// Adds candidates to the arguments of all verbs.
pub(super) fn with_candidates(command: Command, registry: &Registry, overrides: &Overrides) -> Command {
    let Ok((config, _)) = Config::load_lenient(overrides, registry, env::vars_os()) else { return command };
    let backends: Vec<String> = config.backends.keys().map(ToString::to_string).collect();
    let directories = (config.data_dir, config.log_dir);
    command.mut_subcommands(move |verb| {
        let (backends, directories) = (backends.clone(), directories.clone());
        verb.mut_args(move |argument| with_candidates_of(argument, &backends, &directories))
    })
}

fn with_candidates_of(argument: Arg, backends: &[String], directories: &(PathBuf, PathBuf)) -> Arg {
    let is_task = argument.get_value_names().is_some_and(|names| names.iter().any(|name| name == "ID"));
    if is_task {
        let (data_dir, log_dir) = directories.clone();
        return argument.add(ArgValueCompleter::new(move |word: &OsStr| {
            tasks(&Reader::new(&data_dir, &log_dir), word.to_str().unwrap_or_default())
        }));
    }
    if argument.get_long() == Some("backend") {
        let backends = backends.to_vec();
        return argument.add(ArgValueCompleter::new(move |word: &OsStr| {
            let word = word.to_str().unwrap_or_default();
            backends.iter().filter(|name| name.starts_with(word)).map(CompletionCandidate::new).collect()
        }));
    }
    argument
}

/// The newest tasks whose IDs begin with `prefix`; without one, those of this repository, if there are any.
fn tasks(reader: &Reader, prefix: &str) -> Vec<CompletionCandidate> {
    if !prefix.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return Vec::new();
    }
    let newest = |filter: &Filter, limit| reader.find(filter, limit).map(|found| found.records).unwrap_or_default();
    let prefix = prefix.to_ascii_lowercase();
    let records = match prefix.len() {
        0 => {
            let here = newest(&scope(this_repository().as_deref()), MAX_TASKS);
            if here.is_empty() { newest(&Filter::default(), MAX_TASKS) } else { here }
        }
        // One task in sixteen has a given first digit, which are too many to sort.
        1 => newest(&Filter::default(), MAX_SEARCHED),
        _ => reader.with_prefix(&prefix, MAX_TASKS).map(|found| found.records).unwrap_or_default(),
    };
    let matching = records.into_iter().filter(|record| record.id.as_str().starts_with(&prefix)).take(MAX_TASKS);
    let redactor = redactor();
    matching.enumerate().map(|(position, record)| candidate(record, position, &redactor)).collect()
}

fn candidate(mut record: TaskRecord, position: usize, redactor: &Redactor) -> CompletionCandidate {
    record.untrusted_texts().for_each(|text| redactor.redact(text));
    CompletionCandidate::new(record.id.as_str()).help(Some(hint(&record).into())).display_order(Some(position))
}
