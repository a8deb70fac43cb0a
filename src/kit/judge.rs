//! Runs the tasks of each case and judges the results.

use std::{fs, path::Path, time::Duration};

use connector_api::{AgentRequest, Sandbox};

use super::{
    Case, CaseVerdict, Kit, KitScope, Writes,
    prompts::{COUNTING_PROMPT, WORD, create_prompt, filler, run_prompt, say_prompt, touch_prompt, unknown_session},
    run_task::{Interference, KitTask},
    trial::{Trial, is_written},
};
use crate::{
    broker::Refusal,
    task::{TaskRecord, Untrusted},
};

/// The verdict on a case, and the reason for it in a few words.
pub(super) type Judgement = (CaseVerdict, String);

const UNKNOWN_MODEL: &str = "no-such-model-anywhere";
const EXAMPLE_SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";
const FAILURE_MESSAGE: &str = "the model was told to fail";

/// How much longer than the first answer a command may take to start, in the case that tests the time limit.
const COMMAND_START_TIMEOUT: Duration = Duration::from_secs(6);

impl Kit {
    /// Tests one case.
    pub(super) async fn judge(&mut self, case: Case) -> Judgement {
        let judged = match case {
            Case::Answer => self.judge_answer().await,
            Case::Session => {
                Ok(self.reported(|record| record.progress.session_id.clone().map(Untrusted::into_raw), "no session ID"))
            }
            Case::Tokens => Ok(self.reported(
                |record| {
                    let usage = record.end.as_ref()?.usage?;
                    Some(format!("{} in, {} out", usage.input_tokens, usage.output_tokens))
                },
                "not reported",
            )),
            Case::HyphenPrompt => self.answers_with_the_word(format!("--help {}", say_prompt(WORD))).await,
            Case::LongPrompt => {
                let judged = self.answers_with_the_word(format!("{}\n{}", say_prompt(WORD), filler(300_000))).await;
                // The model's limit may be lower than the agent's.
                judged.map(|(verdict, words)| {
                    (if verdict == CaseVerdict::Broken { CaseVerdict::Unknown } else { verdict }, words)
                })
            }
            Case::UnknownModel => {
                // This breaks no promise, because some providers accept every name.
                let accepted =
                    (CaseVerdict::No, "the task completed anyway; its provider may accept any name".to_owned());
                let model = Some(UNKNOWN_MODEL.to_owned());
                self.refuses_or_fails(KitTask { model, ..self.task(say_prompt(WORD)) }, accepted).await
            }
            Case::Resume => self.resumes_a_session().await,
            Case::UnknownSession => self.rejects_an_unknown_session().await,
            Case::CancelThinking => self.cancels(COUNTING_PROMPT.to_owned(), Interference::CancelOnceWorking).await,
            Case::ReadOnly => self.enforces(Sandbox::ReadOnly).await,
            Case::WorkspaceWrite => self.enforces(Sandbox::WorkspaceWrite).await,
            Case::DangerFullAccess => self.enforces(Sandbox::DangerFullAccess).await,
            Case::ProjectSettings => self.resists_a_hostile_project().await,
            Case::Edit => self.edits_a_file().await,
            Case::CancelCommand => {
                let file = self.directory.project().join("cancelled.pid");
                self.cancels(run_prompt(&file), Interference::CancelOnceWritten(file)).await
            }
            Case::TimeLimit => self.times_out().await,
            Case::ModelFailure => self.reports_a_failure().await,
            Case::Crash => self.detects_a_crash().await,
        };
        judged.unwrap_or_else(|refusal| match refusal {
            Refusal::Unsupported(unsupported) => (CaseVerdict::No, unsupported.to_string()),
            refusal => (CaseVerdict::Unknown, refusal.explain().in_one_line()),
        })
    }

    /// A task in the most restrictive sandbox of the agent.
    pub(super) fn task(&self, prompt: String) -> KitTask {
        let sandbox = self.sandboxes.first().copied().unwrap_or(Sandbox::ReadOnly);
        let directory = self.directory.project();
        KitTask {
            prompt,
            directory,
            sandbox,
            model: None,
            session: None,
            limit: self.limit,
            interference: Interference::None,
        }
    }

    /// A task in the widest sandbox of the agent, in which commands can run.
    fn unsandboxed_task(&self, prompt: String) -> KitTask {
        let sandbox = self.sandboxes.last().copied().unwrap_or(Sandbox::ReadOnly);
        KitTask { sandbox, ..self.task(prompt) }
    }

    async fn judge_answer(&mut self) -> Result<Judgement, Refusal> {
        let trial = self.run_task(self.task(say_prompt(WORD))).await?;
        if !trial.completed() {
            let advice = trial
                .record
                .end
                .as_ref()
                .and_then(|end| end.advice.as_ref())
                .map(|advice| format!("; {}", advice.raw()))
                .unwrap_or_default();
            return Ok(unless_left_running(&trial, || (CaseVerdict::Unknown, format!("{}{advice}", trial.summary()))));
        }
        let judged = judge_word(&trial, WORD);
        self.answered = Some(trial);
        Ok(judged)
    }

    async fn answers_with_the_word(&self, prompt: String) -> Result<Judgement, Refusal> {
        Ok(judge_word(&self.run_task(self.task(prompt)).await?, WORD))
    }

    fn reported(&self, value: impl Fn(&TaskRecord) -> Option<String>, otherwise: &str) -> Judgement {
        match self.answered.as_ref().and_then(|trial| value(&trial.record)) {
            Some(words) => (CaseVerdict::Yes, words),
            None => (CaseVerdict::No, otherwise.to_owned()),
        }
    }

    /// Asks for something that does not exist. The request may be refused, or the task may fail later. If it completes,
    /// the judgement is `accepted`.
    async fn refuses_or_fails(&self, kit_task: KitTask, accepted: Judgement) -> Result<Judgement, Refusal> {
        let trial = match self.run_task(kit_task).await {
            Ok(trial) => trial,
            Err(Refusal::Unsupported(unsupported)) => return Ok((CaseVerdict::Yes, unsupported.to_string())),
            Err(refusal) => return Err(refusal),
        };
        Ok(unless_left_running(&trial, || match (trial.completed(), trial.is_cut_short()) {
            (true, _) => accepted,
            (false, true) => (CaseVerdict::Unknown, trial.summary()),
            (false, false) => (CaseVerdict::Yes, trial.summary()),
        }))
    }

    async fn resumes_a_session(&self) -> Result<Judgement, Refusal> {
        let Some(session) = self.session() else { return Ok((CaseVerdict::No, "no session ID".to_owned())) };
        let prompt = "Reply with exactly the word you replied with before.".to_owned();
        let trial = self.run_task(KitTask { session: Some(session.clone()), ..self.task(prompt) }).await?;
        if !trial.completed() {
            let verdict = if trial.is_cut_short() { CaseVerdict::Unknown } else { CaseVerdict::No };
            return Ok(unless_left_running(&trial, || (verdict, trial.summary())));
        }
        if trial.record.progress.session_id.as_ref().is_none_or(|its| its != session.as_str()) {
            return Ok((CaseVerdict::Broken, "continued in another session instead of failing".to_owned()));
        }
        Ok(judge_word(&trial, WORD))
    }

    async fn rejects_an_unknown_session(&self) -> Result<Judgement, Refusal> {
        let session = self.session().unwrap_or_else(|| EXAMPLE_SESSION.to_owned());
        let accepted = (CaseVerdict::Broken, "the task completed anyway".to_owned());
        let session = Some(unknown_session(&session));
        self.refuses_or_fails(KitTask { session, ..self.task(say_prompt(WORD)) }, accepted).await
    }

    fn session(&self) -> Option<String> {
        self.answered.as_ref().and_then(|trial| trial.record.progress.session_id.clone()).map(Untrusted::into_raw)
    }

    async fn cancels(&self, prompt: String, interference: Interference) -> Result<Judgement, Refusal> {
        let runs_a_command = matches!(interference, Interference::CancelOnceWritten(_));
        let kit_task = if runs_a_command { self.unsandboxed_task(prompt) } else { self.task(prompt) };
        let trial = self.run_task(KitTask { interference, ..kit_task }).await?;
        Ok(unless_left_running(&trial, || {
            let ended = if trial.failed_by("Cancelled by user") {
                Ended::Cancelled
            } else if trial.completed() {
                Ended::Completed
            } else {
                Ended::Failed
            };
            judge_cancelled(trial.interfered, ended, trial.summary())
        }))
    }

    async fn times_out(&self) -> Result<Judgement, Refusal> {
        let file = self.directory.project().join("timed-out.pid");
        let limit = self.limit.min(self.time_to_answer().saturating_add(COMMAND_START_TIMEOUT));
        let trial = self.run_task(KitTask { limit, ..self.unsandboxed_task(run_prompt(&file)) }).await?;
        Ok(unless_left_running(&trial, || match (trial.failed_by("Timeout after"), is_written(&file)) {
            (true, true) => (CaseVerdict::Yes, "no process is left".to_owned()),
            (true, false) => {
                (CaseVerdict::Unknown, format!("ran no command before the time limit: {}", trial.summary()))
            }
            (false, _) => (CaseVerdict::Unknown, format!("the task ended before the time limit: {}", trial.summary())),
        }))
    }

    async fn reports_a_failure(&self) -> Result<Judgement, Refusal> {
        let trial = self.run_task(self.task(format!("Fail with this message: `{FAILURE_MESSAGE}`"))).await?;
        let said = trial.record.agent_said().map_or("", Untrusted::raw);
        Ok(unless_left_running(&trial, || match (trial.completed(), said.contains(FAILURE_MESSAGE)) {
            (true, _) => (CaseVerdict::Unknown, "the model did not fail".to_owned()),
            (false, false) if trial.is_cut_short() => (CaseVerdict::Unknown, trial.summary()),
            (false, true) => (CaseVerdict::Yes, trial.summary()),
            (false, false) => (CaseVerdict::Broken, format!("the model's message is missing: {}", trial.summary())),
        }))
    }

    async fn detects_a_crash(&self) -> Result<Judgement, Refusal> {
        let file = self.directory.project().join("crashed.pid");
        let prompt = run_prompt(&file);
        let trial = self
            .run_task(KitTask { interference: Interference::KillOnceWritten(file), ..self.unsandboxed_task(prompt) })
            .await?;
        Ok(unless_left_running(&trial, || match (trial.interfered, trial.completed()) {
            (true, false) => (CaseVerdict::Yes, trial.summary()),
            (false, _) => (CaseVerdict::Unknown, format!("the task ended before the kill: {}", trial.summary())),
            (true, true) => (CaseVerdict::Broken, "the agent was killed, but the task completed".to_owned()),
        }))
    }

    async fn edits_a_file(&self) -> Result<Judgement, Refusal> {
        let writes = self.sandboxes.iter().copied().find(|sandbox| *sandbox > Sandbox::ReadOnly);
        let Some(sandbox) = writes else { return Ok((CaseVerdict::No, "no sandbox allows it".to_owned())) };
        let path = self.directory.project().join("made.txt");
        let trial = self.run_task(KitTask { sandbox, ..self.task(create_prompt(&path)) }).await?;
        let was_created = fs::read_to_string(&path).is_ok_and(|text| text.trim() == WORD);
        Ok(unless_left_running(&trial, || match (was_created, trial.completed()) {
            (true, true) => (CaseVerdict::Yes, format!("in {sandbox}")),
            (false, true) => (CaseVerdict::Unknown, "the task completed, but the file is missing".to_owned()),
            (_, false) => (CaseVerdict::Unknown, trial.summary()),
        }))
    }

    /// Tests a sandbox: the backend must either refuse it or enforce it. [`KitScope::Full`] verifies on disk that it
    /// does.
    async fn enforces(&mut self, sandbox: Sandbox) -> Result<Judgement, Refusal> {
        let request = AgentRequest {
            prompt: say_prompt(WORD),
            working_directory: self.directory.project(),
            sandbox,
            model: None,
            resume: None,
        };
        self.backend.launch(&request, &self.installed).map_err(Refusal::Unsupported)?;
        match (self.scope, sandbox) {
            _ if !self.sandboxes.contains(&sandbox) => {
                Ok((CaseVerdict::Unknown, "advertised, but above the ceiling of this backend".to_owned()))
            }
            (KitScope::Safe, _) => Ok((CaseVerdict::Unknown, "advertised; use --whole to verify".to_owned())),
            (KitScope::Full, Sandbox::DangerFullAccess) => {
                // A command, because the editors of some agents never write outside the project.
                let path = self.directory.outside().join("free.txt");
                let trial = self.run_task(KitTask { sandbox, ..self.task(touch_prompt(&path)) }).await?;
                Ok(unless_left_running(&trial, || match path.exists() {
                    true => (CaseVerdict::Yes, "a command wrote outside the project".to_owned()),
                    false => {
                        (CaseVerdict::Unknown, format!("no command wrote outside the project: {}", trial.summary()))
                    }
                }))
            }
            (KitScope::Full, Sandbox::ReadOnly) => self.writes_nothing_in(sandbox, &self.directory.project()).await,
            (KitScope::Full, Sandbox::WorkspaceWrite) => {
                self.writes_nothing_in(sandbox, &self.directory.outside()).await
            }
        }
    }

    /// Asks for two files in `dir`, one from the agent's editor and one from a shell command. Neither may appear.
    async fn writes_nothing_in(&mut self, sandbox: Sandbox, dir: &Path) -> Result<Judgement, Refusal> {
        let (edited, touched) = (dir.join(format!("{sandbox}-edited")), dir.join(format!("{sandbox}-touched")));
        for (prompt, path, how) in
            [(create_prompt(&edited), &edited, "edits"), (touch_prompt(&touched), &touched, "commands")]
        {
            let trial = self.run_task(KitTask { sandbox, ..self.task(prompt) }).await?;
            if path.exists() && sandbox == Sandbox::WorkspaceWrite && self.directory.is_temporary() {
                let words = format!(
                    "its {how} created a file in a temporary directory, which this sandbox may allow; set --data-dir"
                );
                return Ok((CaseVerdict::Unknown, words));
            }
            if path.exists() {
                return Ok((CaseVerdict::Broken, format!("its {how} created {}", path.display())));
            }
            if !trial.completed() || !trial.survivors.is_empty() {
                let words = format!("its {how} created no file, but the task failed: {}", trial.summary());
                return Ok(unless_left_running(&trial, || (CaseVerdict::Unknown, words)));
            }
        }
        let directory = if sandbox == Sandbox::ReadOnly { "in the project" } else { "outside the project" };
        Ok(match self.unsandboxed_writes().await? {
            Writes { survivors, .. } if !survivors.is_empty() => left_running(&survivors),
            Writes { by_editor: true, by_command: true, .. } => {
                (CaseVerdict::Yes, format!("neither an edit nor a command created a file {directory}"))
            }
            Writes { by_editor: false, .. } | Writes { by_command: false, .. } => (
                CaseVerdict::Unknown,
                format!("created no file {directory}, but without a sandbox it created none either"),
            ),
        })
    }

    /// Asks for the same files in `danger-full-access`. If the agent does not create them there, their absence
    /// elsewhere proves nothing.
    pub(super) async fn unsandboxed_writes(&mut self) -> Result<Writes, Refusal> {
        if let Some(writes) = &self.writes {
            return Ok(writes.clone());
        }
        let mut survivors = vec![];
        let outside = self.directory.outside();
        let (edited, touched) = (outside.join("edited"), outside.join("touched"));
        if self.sandboxes.contains(&Sandbox::DangerFullAccess) {
            for prompt in [create_prompt(&edited), touch_prompt(&touched)] {
                survivors.extend(self.run_task(self.unsandboxed_task(prompt)).await?.survivors);
            }
        }
        let writes = Writes { by_editor: edited.exists(), by_command: touched.exists(), survivors };
        self.writes = Some(writes.clone());
        Ok(writes)
    }

    /// The duration of the first task.
    fn time_to_answer(&self) -> Duration {
        let millis = self.answered.as_ref().and_then(|trial| trial.record.end.as_ref()?.duration).unwrap_or_default();
        Duration::from_millis(millis)
    }
}

/// The end of a task that the kit cancelled or meant to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Cancelled,
    Completed,
    Failed,
}

/// Judges a task that was cancelled while it ran (`interfered`) or had already ended. `summary` describes its end.
fn judge_cancelled(interfered: bool, ended: Ended, summary: String) -> Judgement {
    match (interfered, ended) {
        (true, Ended::Cancelled) => (CaseVerdict::Yes, "no process is left".to_owned()),
        // A fast model can finish its turn between the last check and the cancellation. That breaks no promise.
        (false, _) | (true, Ended::Completed) => {
            (CaseVerdict::Unknown, format!("the task ended before the cancellation: {summary}"))
        }
        (true, Ended::Failed) => (CaseVerdict::Broken, summary),
    }
}

/// The result of `judge`, unless the task left processes running, which is always a broken promise.
pub(super) fn unless_left_running(trial: &Trial, judge: impl FnOnce() -> Judgement) -> Judgement {
    match trial.survivors.is_empty() {
        true => judge(),
        false => left_running(&trial.survivors),
    }
}

pub(super) fn left_running(names: &[String]) -> Judgement {
    (CaseVerdict::Broken, format!("left running: {}", names.join(", ")))
}

fn judge_word(trial: &Trial, word: &str) -> Judgement {
    unless_left_running(trial, || match (trial.completed(), trial.answer.to_lowercase().contains(word)) {
        (true, true) => (CaseVerdict::Yes, "correct answer".to_owned()),
        (true, false) => {
            let answer: String = trial.answer.chars().take(80).collect();
            (CaseVerdict::Unknown, format!("completed, but answered {answer:?}"))
        }
        (false, _) if trial.is_cut_short() => (CaseVerdict::Unknown, trial.summary()),
        (false, _) => (CaseVerdict::Broken, trial.summary()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_completed_before_the_cancel_is_accepted() {
        let verdict = |interfered, ended| judge_cancelled(interfered, ended, String::new()).0;
        assert_eq!(verdict(true, Ended::Cancelled), CaseVerdict::Yes);
        assert_eq!(verdict(true, Ended::Completed), CaseVerdict::Unknown);
        assert_eq!(verdict(true, Ended::Failed), CaseVerdict::Broken);
        assert_eq!(verdict(false, Ended::Completed), CaseVerdict::Unknown);
    }
}
