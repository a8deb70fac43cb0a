//! `config show`: the settings in force, and where each comes from.

use std::{env, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    context::Context,
    exit::Exit,
    output::{print_styled, print_text, redactor, refuse_all},
};
use crate::{
    config::{EffectiveSetting, EffectiveSettings, SettingSource},
    present::{
        Refused,
        json_output::Output,
        json_parts::{SettingObject, SourceKind},
        terminal,
    },
    redact::Redactor,
};

const EXAMPLES: &str = "\
Examples:
  codex-connector config show
  codex-connector config show | grep ^tasks.
  codex-connector config show --json | jq -r '.settings[] | select(.source != \"default\").key'

Values that may be secrets are hidden. If the configuration is invalid, the valid settings are shown, the problems are
printed on stderr, and the exit code is 2. In a pipe, the columns are: key, value as JSON, source.";

/// The arguments of `config`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Print the settings in force, and where each comes from
    #[command(after_help = EXAMPLES)]
    Show {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Prints the settings.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let ConfigVerb::Show { json } = arguments.verb;
    let found = EffectiveSettings::read(&context.given.overrides(), context.registry, env::vars_os());
    let redactor = redactor();
    let settings: Vec<_> = found.settings.into_iter().map(|setting| object(setting, &redactor)).collect();
    let problems: Vec<Refused> = found.problems.iter().flat_map(|problems| problems.explain()).collect();
    let problems: Vec<_> = problems.into_iter().map(|problem| problem.redacted(&redactor)).collect();
    let printed = match json {
        true => print_text(&Output::config(found.file.as_deref(), found.file_exists, settings, &problems).pretty()),
        false => {
            let screen = context.screen();
            print_styled(&terminal::settings(found.file.as_deref(), found.file_exists, &settings, screen))
        }
    };
    if problems.is_empty() {
        return printed.into();
    }
    if !json {
        refuse_all(problems);
    }
    Exit::Usage.into()
}

fn object(setting: EffectiveSetting, redactor: &Redactor) -> SettingObject {
    let (source, name) = match setting.source {
        SettingSource::Default => (SourceKind::Default, None),
        SettingSource::File(path) => (SourceKind::File, Some(path.to_string_lossy().into_owned())),
        SettingSource::Variable(name) => (SourceKind::Variable, Some(name)),
        SettingSource::Flag(name) => (SourceKind::Flag, Some(name.to_owned())),
    };
    let hidden = setting.value.is_none();
    let mut value = setting.value.unwrap_or(Value::Null);
    redact(&mut value, redactor);
    SettingObject { key: setting.key, value, hidden, source, name }
}

/// Redacts secrets of this process's environment in a value.
fn redact(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => redactor.redact(text),
        Value::Array(values) => values.iter_mut().for_each(|value| redact(value, redactor)),
        Value::Object(fields) => fields.values_mut().for_each(|value| redact(value, redactor)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
