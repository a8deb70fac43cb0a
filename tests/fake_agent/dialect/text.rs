//! A program that prints plain text, as the kind `command` takes it: `--model`, `--resume` and `--sandbox`, with the prompt
//! on stdin or behind `--`.

use std::process::ExitCode;

use super::{
    super::call::{Sandbox, has, value_of, words_behind_dashes},
    Agent, Call, Change, Dialect, Failure, Line, Manner, Problem, Ran, Refusal, Usage, WhatChanged, print, refused,
    table,
};

const OPTIONS: &[(&str, &str)] = &[
    ("--model MODEL", "the model"),
    ("--resume SESSION", "go on with a session"),
    ("--sandbox SANDBOX", "read-only, workspace-write or danger-full-access"),
    ("--version", "print the version"),
];

/// The agent from outside.
pub(crate) struct Text;

impl Agent for Text {
    fn answer(&self, args: &[&str]) -> Result<Option<ExitCode>, Problem> {
        if has(args, "--version") {
            return print("text-agent 1.0.0");
        }
        if has(args, "--help") {
            return print(&format!("usage: text-agent [options] < prompt\n\n{}", table(OPTIONS, 22)));
        }
        Ok(refused(args).map(|flag| Refusal::new(format!("unknown option: {flag}"), 2).tell()))
    }

    fn call(&self, args: &[&str]) -> Call {
        Call {
            resumed: value_of(args, &["--resume"]).map(str::to_owned),
            model: value_of(args, &["--model"]).map(str::to_owned),
            sandbox: match value_of(args, &["--sandbox"]) {
                Some("read-only") => Sandbox::ReadOnly,
                Some("workspace-write") => Sandbox::WorkspaceWrite,
                Some(_) | None => Sandbox::Full,
            },
            directory: None,
            prompt: words_behind_dashes(args),
        }
    }

    fn lost_session(&self, session: &str) -> Refusal {
        Refusal::new(format!("there is no session {session}"), 1)
    }

    fn no_prompt(&self) -> Refusal {
        Refusal::new("there is no prompt", 1)
    }

    fn manner(&self) -> Manner {
        Manner::Default
    }

    fn dialect(&self, _: &Call, _: &str) -> Box<dyn Dialect> {
        Box::new(Plain)
    }
}

/// Lines of text.
#[derive(Debug)]
struct Plain;

impl Dialect for Plain {
    fn begin(&mut self, _: &str) -> Vec<Line> {
        vec![]
    }

    fn say(&mut self, text: &str) -> Vec<Line> {
        vec![Line::Out(text.to_owned())]
    }

    fn command_begins(&mut self, command: &str) -> Vec<Line> {
        vec![Line::Out(format!("$ {command}"))]
    }

    fn command_ends(&mut self, ran: &Ran) -> Vec<Line> {
        let output = ran.output.trim_end();
        let output = (!output.is_empty()).then(|| Line::Out(output.to_owned()));
        let exit = (ran.exit != 0).then(|| Line::Out(format!("(exit code {})", ran.exit)));
        output.into_iter().chain(exit).collect()
    }

    fn file(&mut self, change: &Change) -> Vec<Line> {
        let what = match change.what {
            WhatChanged::Added => "added",
            WhatChanged::Updated => "updated",
            WhatChanged::Denied => "may not write",
        };
        vec![Line::Out(format!("{what} {}", change.path))]
    }

    fn error(&mut self, message: &str) -> Vec<Line> {
        vec![Line::Err(format!("warning: {message}"))]
    }

    fn fail(&mut self, message: &str) -> Failure {
        Failure { lines: vec![Line::Err(format!("error: {message}"))], code: 1 }
    }

    fn unknown_model(&mut self, model: &str, _: &str) -> Failure {
        self.fail(&format!("there is no model {model}"))
    }

    fn end(&mut self, _: &Usage) -> Vec<Line> {
        vec![]
    }
}
