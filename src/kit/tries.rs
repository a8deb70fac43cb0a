//! How each case is tried, and what is made of what came of it.

use std::{fs, path::Path, time::Duration};

use connector_api::{AgentRequest, Sandbox};

use super::{
    Case, Extent, Kit, Verdict, Writes,
    ask::{Ask, Meddling},
    trial::{Trial, is_written},
};
use crate::{
    broker::Refusal,
    task::{TaskRecord, Untrusted},
};

/// What was found, and how.
pub(super) type Judgement = (Verdict, String);

const WORD: &str = "pineapple";
const NO_MODEL: &str = "no-such-model-anywhere";
const A_SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";
const FAILURE: &str = "the model was told to fail";

/// How much longer than an answer a command may take to begin, in the case that is about the time limit.
const TIME_TO_RUN: Duration = Duration::from_secs(6);

impl Kit {
    /// Tries one case.
    pub(super) async fn judge(&mut self, case: Case) -> Judgement {
        let judged = match case {
            Case::Answer => self.answers().await,
            Case::Session => {
                Ok(self.told(|record| record.progress.session_id.clone().map(Untrusted::into_raw), "it names none"))
            }
            Case::Tokens => Ok(self.told(
                |record| {
                    let usage = record.end.as_ref()?.usage?;
                    Some(format!("{} in, {} out", usage.input_tokens, usage.output_tokens))
                },
                "it does not tell",
            )),
            Case::HyphenPrompt => self.says_the_word(format!("--help {}", say(WORD))).await,
            Case::LongPrompt => {
                let judged = self.says_the_word(format!("{}\n{}", say(WORD), filling(300_000))).await;
                // A model may take less than its agent.
                judged.map(|(verdict, words)| {
                    (if verdict == Verdict::Broken { Verdict::Unknown } else { verdict }, words)
                })
            }
            Case::UnknownModel => self.refuses_or_fails(|ask| ask.model = Some(NO_MODEL.to_owned())).await,
            Case::Resume => self.resumes().await,
            Case::UnknownSession => self.strays().await,
            Case::CancelThinking => self.is_cancelled(COUNTING.to_owned(), Meddling::CancelOnceItWorks).await,
            Case::ReadOnly => self.keeps_to(Sandbox::ReadOnly).await,
            Case::WorkspaceWrite => self.keeps_to(Sandbox::WorkspaceWrite).await,
            Case::DangerFullAccess => self.keeps_to(Sandbox::DangerFullAccess).await,
            Case::ProjectSettings => self.withstands_a_project().await,
            Case::Edit => self.edits().await,
            Case::CancelCommand => {
                let file = self.place.project().join("cancelled.pid");
                self.is_cancelled(running(&file), Meddling::CancelOnce(file)).await
            }
            Case::TimeLimit => self.is_timed_out().await,
            Case::ModelFailure => self.tells_a_failure().await,
            Case::Crash => self.crashes().await,
        };
        judged.unwrap_or_else(|refusal| match refusal {
            Refusal::Unsupported(unsupported) => (Verdict::No, unsupported.to_string()),
            refusal => (Verdict::Unknown, refusal.explain().in_one_line()),
        })
    }

    /// A task in the narrowest sandbox there is.
    pub(super) fn ask(&self, prompt: String) -> Ask {
        let sandbox = self.sandboxes.first().copied().unwrap_or(Sandbox::ReadOnly);
        let directory = self.place.project();
        Ask { prompt, directory, sandbox, model: None, session: None, limit: self.limit, meddling: Meddling::None }
    }

    /// One in the widest, in which commands run unhindered.
    fn ask_freely(&self, prompt: String) -> Ask {
        let sandbox = self.sandboxes.last().copied().unwrap_or(Sandbox::ReadOnly);
        Ask { sandbox, ..self.ask(prompt) }
    }

    async fn answers(&mut self) -> Result<Judgement, Refusal> {
        let trial = self.tries(self.ask(say(WORD))).await?;
        if !trial.completed() {
            let advice = trial
                .record
                .end
                .as_ref()
                .and_then(|end| end.advice.as_ref())
                .map(|advice| format!("; {}", advice.raw()))
                .unwrap_or_default();
            return Ok(clean(&trial, || (Verdict::Unknown, format!("{}{advice}", trial.words()))));
        }
        let judged = word(&trial, WORD);
        self.answered = Some(trial);
        Ok(judged)
    }

    async fn says_the_word(&self, prompt: String) -> Result<Judgement, Refusal> {
        Ok(word(&self.tries(self.ask(prompt)).await?, WORD))
    }

    fn told(&self, what: impl Fn(&TaskRecord) -> Option<String>, otherwise: &str) -> Judgement {
        match self.answered.as_ref().and_then(|trial| what(&trial.record)) {
            Some(words) => (Verdict::Yes, words),
            None => (Verdict::No, otherwise.to_owned()),
        }
    }

    /// Something that there is not is asked for. It makes no difference when that is found out.
    async fn refuses_or_fails(&self, change: impl Fn(&mut Ask)) -> Result<Judgement, Refusal> {
        let mut ask = self.ask(say(WORD));
        change(&mut ask);
        let trial = match self.tries(ask).await {
            Ok(trial) => trial,
            Err(Refusal::Unsupported(unsupported)) => return Ok((Verdict::Yes, unsupported.to_string())),
            Err(refusal) => return Err(refusal),
        };
        Ok(clean(&trial, || match (trial.completed(), trial.is_cut_short()) {
            (true, _) => (Verdict::Broken, "it completed all the same".to_owned()),
            (false, true) => (Verdict::Unknown, trial.words()),
            (false, false) => (Verdict::Yes, trial.words()),
        }))
    }

    async fn resumes(&self) -> Result<Judgement, Refusal> {
        let Some(session) = self.session() else { return Ok((Verdict::No, "it names no session".to_owned())) };
        let prompt = "Reply with exactly the word you replied with before.".to_owned();
        let trial = self.tries(Ask { session: Some(session.clone()), ..self.ask(prompt) }).await?;
        if !trial.completed() {
            let verdict = if trial.is_cut_short() { Verdict::Unknown } else { Verdict::No };
            return Ok(clean(&trial, || (verdict, trial.words())));
        }
        if trial.record.progress.session_id.as_ref().is_none_or(|its| its != session.as_str()) {
            return Ok((Verdict::Broken, "it went on in another session, and did not fail".to_owned()));
        }
        Ok(word(&trial, WORD))
    }

    async fn strays(&self) -> Result<Judgement, Refusal> {
        let session = self.session().unwrap_or_else(|| A_SESSION.to_owned());
        self.refuses_or_fails(|ask| ask.session = Some(stranger(&session))).await
    }

    fn session(&self) -> Option<String> {
        self.answered.as_ref().and_then(|trial| trial.record.progress.session_id.clone()).map(Untrusted::into_raw)
    }

    async fn is_cancelled(&self, prompt: String, meddling: Meddling) -> Result<Judgement, Refusal> {
        let runs_a_command = matches!(meddling, Meddling::CancelOnce(_));
        let ask = if runs_a_command { self.ask_freely(prompt) } else { self.ask(prompt) };
        let trial = self.tries(Ask { meddling, ..ask }).await?;
        Ok(clean(&trial, || {
            let ended = if trial.failed_by("Cancelled by user") {
                Ended::Cancelled
            } else if trial.completed() {
                Ended::Completed
            } else {
                Ended::Otherwise
            };
            judge_cancelled(trial.met, ended, trial.words())
        }))
    }

    async fn is_timed_out(&self) -> Result<Judgement, Refusal> {
        let file = self.place.project().join("timed-out.pid");
        let limit = self.limit.min(self.time_to_answer().saturating_add(TIME_TO_RUN));
        let trial = self.tries(Ask { limit, ..self.ask_freely(running(&file)) }).await?;
        Ok(clean(&trial, || match (trial.failed_by("Timeout after"), is_written(&file)) {
            (true, true) => (Verdict::Yes, "nothing is left".to_owned()),
            (true, false) => (Verdict::Unknown, format!("it ran no command by then; {}", trial.words())),
            (false, _) => (Verdict::Unknown, format!("it had ended by then: {}", trial.words())),
        }))
    }

    async fn tells_a_failure(&self) -> Result<Judgement, Refusal> {
        let trial = self.tries(self.ask(format!("Fail with this message: `{FAILURE}`"))).await?;
        let said = trial.record.agent_said().map_or("", Untrusted::raw);
        Ok(clean(&trial, || match (trial.completed(), said.contains(FAILURE)) {
            (true, _) => (Verdict::Unknown, "the model did not fail".to_owned()),
            (false, false) if trial.is_cut_short() => (Verdict::Unknown, trial.words()),
            (false, true) => (Verdict::Yes, trial.words()),
            (false, false) => (Verdict::Broken, format!("its words are not there: {}", trial.words())),
        }))
    }

    async fn crashes(&self) -> Result<Judgement, Refusal> {
        let file = self.place.project().join("crashed.pid");
        let prompt = running(&file);
        let trial = self.tries(Ask { meddling: Meddling::KillOnce(file), ..self.ask_freely(prompt) }).await?;
        Ok(clean(&trial, || match (trial.met, trial.completed()) {
            (true, false) => (Verdict::Yes, trial.words()),
            (false, _) => (Verdict::Unknown, format!("it had ended by then: {}", trial.words())),
            (true, true) => (Verdict::Broken, "it was killed, and counts as completed".to_owned()),
        }))
    }

    async fn edits(&self) -> Result<Judgement, Refusal> {
        let writes = self.sandboxes.iter().copied().find(|sandbox| *sandbox > Sandbox::ReadOnly);
        let Some(sandbox) = writes else { return Ok((Verdict::No, "it has no sandbox for that".to_owned())) };
        let path = self.place.project().join("made.txt");
        let trial = self.tries(Ask { sandbox, ..self.ask(make(&path)) }).await?;
        let is_there = fs::read_to_string(&path).is_ok_and(|text| text.trim() == WORD);
        Ok(clean(&trial, || match (is_there, trial.completed()) {
            (true, true) => (Verdict::Yes, format!("in {sandbox}")),
            (false, true) => (Verdict::Unknown, "it completed, and the file is not there".to_owned()),
            (_, false) => (Verdict::Unknown, trial.words()),
        }))
    }

    /// A sandbox is refused with a reason, or is launched; and then it is tried on disk, if files may be touched.
    async fn keeps_to(&mut self, sandbox: Sandbox) -> Result<Judgement, Refusal> {
        let request = AgentRequest {
            prompt: say(WORD),
            working_directory: self.place.project(),
            sandbox,
            model: None,
            resume: None,
        };
        self.backend.launch(&request, &self.installed).map_err(Refusal::Unsupported)?;
        match (self.extent, sandbox) {
            _ if !self.sandboxes.contains(&sandbox) => {
                Ok((Verdict::Unknown, "offered, and above the ceiling of this backend".to_owned()))
            }
            (Extent::Safe, _) => Ok((Verdict::Unknown, "offered; --whole tries it on disk".to_owned())),
            (Extent::Whole, Sandbox::DangerFullAccess) => {
                // Some have an editor that does not leave the project in any mode.
                let path = self.place.outside().join("free.txt");
                let trial = self.tries(Ask { sandbox, ..self.ask(touch(&path)) }).await?;
                Ok(clean(&trial, || match path.exists() {
                    true => (Verdict::Yes, "a command wrote outside the project".to_owned()),
                    false => (Verdict::Unknown, format!("wrote nothing outside the project; {}", trial.words())),
                }))
            }
            (Extent::Whole, Sandbox::ReadOnly) => self.writes_nothing_in(sandbox, &self.place.project()).await,
            (Extent::Whole, Sandbox::WorkspaceWrite) => self.writes_nothing_in(sandbox, &self.place.outside()).await,
        }
    }

    /// Asks for a file in `dir`, of its editor and of its shell.
    async fn writes_nothing_in(&mut self, sandbox: Sandbox, dir: &Path) -> Result<Judgement, Refusal> {
        let (edited, touched) = (dir.join(format!("{sandbox}-edited")), dir.join(format!("{sandbox}-touched")));
        for (prompt, path, how) in [(make(&edited), &edited, "edits"), (touch(&touched), &touched, "commands")] {
            let trial = self.tries(Ask { sandbox, ..self.ask(prompt) }).await?;
            if path.exists() && sandbox == Sandbox::WorkspaceWrite && self.place.is_temporary() {
                let words =
                    format!("its {how} made a file in the temporary directory, which may be left open; try --data-dir");
                return Ok((Verdict::Unknown, words));
            }
            if path.exists() {
                return Ok((Verdict::Broken, format!("its {how} made {}", path.display())));
            }
            if !trial.completed() || !trial.left.is_empty() {
                let words = format!("its {how} made no file, and the task failed: {}", trial.words());
                return Ok(clean(&trial, || (Verdict::Unknown, words)));
            }
        }
        let place = if sandbox == Sandbox::ReadOnly { "in the project" } else { "outside the project" };
        Ok(match self.writes_unhindered().await? {
            Writes { left, .. } if !left.is_empty() => left_running(&left),
            Writes { by_editor: true, by_command: true, .. } => {
                (Verdict::Yes, format!("neither an edit nor a command made a file {place}"))
            }
            Writes { by_editor: false, .. } | Writes { by_command: false, .. } => {
                (Verdict::Unknown, format!("it made no file {place}, and made none where nothing hindered it"))
            }
        })
    }

    /// Asks for the same files in the widest sandbox, where they have to come to be.
    pub(super) async fn writes_unhindered(&mut self) -> Result<Writes, Refusal> {
        if let Some(writes) = &self.writes {
            return Ok(writes.clone());
        }
        let mut left = vec![];
        let outside = self.place.outside();
        let (edited, touched) = (outside.join("edited"), outside.join("touched"));
        if self.sandboxes.contains(&Sandbox::DangerFullAccess) {
            for prompt in [make(&edited), touch(&touched)] {
                left.extend(self.tries(self.ask_freely(prompt)).await?.left);
            }
        }
        let writes = Writes { by_editor: edited.exists(), by_command: touched.exists(), left };
        self.writes = Some(writes.clone());
        Ok(writes)
    }

    /// How long the first task took.
    fn time_to_answer(&self) -> Duration {
        let millis = self.answered.as_ref().and_then(|trial| trial.record.end.as_ref()?.duration).unwrap_or_default();
        Duration::from_millis(millis)
    }
}

/// How a task ended that was to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Cancelled,
    Completed,
    Otherwise,
}

/// Judges a task that was cancelled while it ran (`met`), or was found to have ended by then. `words` say how it ended.
fn judge_cancelled(met: bool, ended: Ended, words: String) -> Judgement {
    match (met, ended) {
        (true, Ended::Cancelled) => (Verdict::Yes, "nothing is left".to_owned()),
        // A fast model can finish its turn between the last look at the task and the cancel. That breaks no promise.
        (false, _) | (true, Ended::Completed) => (Verdict::Unknown, format!("it had ended by then: {words}")),
        (true, Ended::Otherwise) => (Verdict::Broken, words),
    }
}

/// Nothing counts where something is left running.
pub(super) fn clean(trial: &Trial, judge: impl FnOnce() -> Judgement) -> Judgement {
    match trial.left.is_empty() {
        true => judge(),
        false => left_running(&trial.left),
    }
}

pub(super) fn left_running(names: &[String]) -> Judgement {
    (Verdict::Broken, format!("it left running: {}", names.join(", ")))
}

fn word(trial: &Trial, word: &str) -> Judgement {
    clean(trial, || match (trial.completed(), trial.answer.to_lowercase().contains(word)) {
        (true, true) => (Verdict::Yes, "it did".to_owned()),
        (true, false) => {
            let answer: String = trial.answer.chars().take(80).collect();
            (Verdict::Unknown, format!("it completed, and answered {answer:?}"))
        }
        (false, _) if trial.is_cut_short() => (Verdict::Unknown, trial.words()),
        (false, _) => (Verdict::Broken, trial.words()),
    })
}

fn say(word: &str) -> String {
    format!("Reply with exactly this word: `{word}`")
}

pub(super) fn make(path: &Path) -> String {
    format!("Create the file `{}` with the content: `{WORD}`", path.display())
}

pub(super) fn touch(path: &Path) -> String {
    format!("Run the shell command: `touch '{}'`", path.display())
}

/// Keeps a model busy for minutes, and is no use to anybody.
const COUNTING: &str = "Write the numbers from 1 to 5000 in words, one a line, and nothing else.";

/// A command that says that it runs, and then does so until it is stopped.
fn running(file: &Path) -> String {
    format!("Run the shell command: `echo $$ > '{}'; exec tail -f /dev/null`", file.display())
}

/// Words that ask for nothing.
fn filling(characters: usize) -> String {
    "What follows is filling. ".chars().cycle().take(characters).collect()
}

/// An id of the same form that no session has.
fn stranger(session: &str) -> String {
    let zero = if session.ends_with("000000") { '1' } else { '0' };
    let mut letters: Vec<char> = session.chars().collect();
    for letter in letters.iter_mut().rev().filter(|letter| letter.is_ascii_alphanumeric()).take(6) {
        *letter = zero;
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_completed_before_the_cancel_is_accepted() {
        let verdict = |met, ended| judge_cancelled(met, ended, String::new()).0;
        assert_eq!(verdict(true, Ended::Cancelled), Verdict::Yes);
        assert_eq!(verdict(true, Ended::Completed), Verdict::Unknown);
        assert_eq!(verdict(true, Ended::Otherwise), Verdict::Broken);
        assert_eq!(verdict(false, Ended::Completed), Verdict::Unknown);
    }

    #[test]
    fn an_unknown_session_id_is_well_formed_and_different() {
        for (session, other) in [
            ("0199a213-81c0-4800-8aa1-bbab2a035a53", "0199a213-81c0-4800-8aa1-bbab2a000000"),
            ("ses_000000", "ses_111111"),
            ("ab", "00"),
        ] {
            assert_eq!(stranger(session), other);
        }
    }
}
