//! The options of the verbs that start a task.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use connector_api::Sandbox;

use super::{exit::Exit, output::refuse, prompt::prompt, time::time_limit};
use crate::{
    broker::{NewTask, TimeLimit},
    process::claude_session,
    request::MAX_TIME_LIMIT,
    task::{SubmittedBy, Submitter},
};

/// Options that `run` and `resume` share.
#[derive(Debug, Args)]
pub(super) struct TaskOptions {
    /// The model (default: the backend's configuration decides)
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// The agent's sandbox (default: the configured one)
    #[arg(short, long, value_name = "SANDBOX", value_enum)]
    sandbox: Option<SandboxWord>,
    /// Stop the task after this time, e.g. 90s, 30m or 2h; `none` or 0 for no limit
    #[arg(long, value_name = "TIME", value_parser = task_time_limit)]
    timeout: Option<TimeLimitOption>,
    /// Print the ID and return at once; the task keeps running, even if this terminal is closed
    #[arg(short, long)]
    detach: bool,
    /// Read the prompt from this file, or from stdin if it is `-`
    #[arg(short, long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// Print JSON Lines: the start, each event and the end
    #[arg(long)]
    json: bool,
    /// The prompt; stdin is added to it if it is a file or a pipe with content, or if the first or last word is `-`
    #[arg(value_name = "TEXT", allow_hyphen_values = false)]
    text: Vec<String>,
}

/// A sandbox on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SandboxWord {
    /// Read files, but change none
    ReadOnly,
    /// Change files in the directory
    WorkspaceWrite,
    /// Anything: no sandbox
    DangerFullAccess,
}

/// The value of `--timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TimeLimitOption(TimeLimit);

/// How the started task is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunMode {
    pub(super) is_detached: bool,
    pub(super) is_json: bool,
}

impl TaskOptions {
    /// The task, still without a directory, backend and session. Prints the problem if the prompt cannot be read.
    pub(super) fn task(&self) -> Result<NewTask, Exit> {
        let prompt = prompt(&self.text, self.file.as_deref()).map_err(|problem| {
            refuse(problem);
            Exit::Usage
        })?;
        let by = if self.detach { SubmittedBy::Detached } else { SubmittedBy::Terminal };
        Ok(NewTask {
            prompt,
            working_directory: PathBuf::new(),
            sandbox: self.sandbox.map(SandboxWord::sandbox),
            model: self.model.clone(),
            time_limit: self.timeout.map_or(TimeLimit::Default, |TimeLimitOption(limit)| limit),
            backend: None,
            resume: None,
            worktree: None,
            submitter: Submitter { by: Some(by), session: claude_session() },
        })
    }

    pub(super) fn mode(&self) -> RunMode {
        RunMode { is_detached: self.detach, is_json: self.json }
    }
}

impl SandboxWord {
    fn sandbox(self) -> Sandbox {
        match self {
            Self::ReadOnly => Sandbox::ReadOnly,
            Self::WorkspaceWrite => Sandbox::WorkspaceWrite,
            Self::DangerFullAccess => Sandbox::DangerFullAccess,
        }
    }
}

fn task_time_limit(text: &str) -> Result<TimeLimitOption, &'static str> {
    if text == "none" {
        return Ok(TimeLimitOption(TimeLimit::None));
    }
    let limit = time_limit(text)?;
    // The same as `timeoutMs` of `codex_agent`.
    let is_none = limit.is_zero() || limit > MAX_TIME_LIMIT;
    Ok(TimeLimitOption(if is_none { TimeLimit::None } else { TimeLimit::After(limit) }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::present::EXPECTED_TIME;

    #[test]
    fn a_time_limit_of_zero_or_of_more_than_ten_years_is_none() {
        let limit = |text: &str| task_time_limit(text).expect("it is valid").0;
        for text in ["none", "0", "0s", "0m", "0ms", "11y", "99999999y"] {
            assert_eq!(limit(text), TimeLimit::None, "{text}");
        }
        assert_eq!(limit("90s"), TimeLimit::After(Duration::from_secs(90)));
        assert_eq!(task_time_limit("-1s"), Err(EXPECTED_TIME));
    }
}
