//! Follows a program whose answer is its stdout.

use connector_api::{AgentFailure, AgentSession, Exit, Line, Outcome, Step, Tail, Verdict};

/// Maximum length of an answer, in bytes. Of a longer one, the end is kept.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// The state of one run.
#[derive(Debug)]
pub(crate) struct CommandSession {
    program: String,
    answer: Tail,
    stdout: Tail,
    stderr: Tail,
}

impl CommandSession {
    pub(crate) fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            answer: Tail::new(usize::MAX, MAX_ANSWER_BYTES),
            stdout: Tail::for_failures(),
            stderr: Tail::for_failures(),
        }
    }
}

impl AgentSession for CommandSession {
    /// Returns no events, so the log shows each line unchanged.
    fn stdout(&mut self, line: Line<'_>) -> Vec<Step> {
        self.answer.push(line);
        self.stdout.push(line);
        vec![]
    }

    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        self.stderr.push(line);
        vec![]
    }

    fn finish(self: Box<Self>, exit: Exit) -> Verdict {
        let answer = self.answer.text().map(|text| match self.answer.is_cut() {
            true => format!("(only the last {MAX_ANSWER_BYTES} bytes; the task's log has the whole answer)\n{text}"),
            false => text,
        });
        let outcome = match (&answer, exit) {
            (Some(_), Exit::Code(0)) => Outcome::Completed,
            _ => Outcome::Failed(self.failure(exit)),
        };
        Verdict { outcome, answer, session_id: None, usage: None }
    }
}

impl CommandSession {
    fn failure(&self, exit: Exit) -> AgentFailure {
        let silent = || format!("`{}` ended with {exit} without an answer on stdout", self.program);
        let said = self.stderr.text().or_else(|| self.stdout.text());
        said.map_or_else(|| AgentFailure::unexplained(silent()), AgentFailure::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stdout: &[&str], stderr: &[&str], exit: Exit) -> Verdict {
        let mut session = Box::new(CommandSession::new("agent"));
        stdout.iter().for_each(|line| assert_eq!(session.stdout(Line::Whole(line.as_bytes())), []));
        stderr.iter().for_each(|line| assert_eq!(session.stderr(Line::Whole(line.as_bytes())), []));
        session.finish(exit)
    }

    fn said(verdict: Verdict) -> String {
        match verdict.outcome {
            Outcome::Failed(failure) => failure.message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_answer_is_the_whole_of_stdout() {
        let verdict = run(&["one", "", "  two"], &["noise"], Exit::Code(0));
        assert_eq!(verdict.outcome, Outcome::Completed);
        assert_eq!(verdict.answer.as_deref(), Some("one\n\n  two"));
    }

    #[test]
    fn an_overlong_answer_keeps_its_end_and_is_marked() {
        let verdict = run(&["first", &"x".repeat(MAX_ANSWER_BYTES), "last"], &[], Exit::Code(0));
        let answer = verdict.answer.expect("the end is kept");
        assert!(answer.starts_with("(only the last 1048576 bytes") && answer.ends_with("last"));
        assert!(!answer.contains("first") && answer.len() < MAX_ANSWER_BYTES + 200);
        assert_eq!(verdict.outcome, Outcome::Completed);
    }

    #[test]
    fn a_failure_quotes_stderr_or_else_stdout() {
        assert_eq!(said(run(&["out"], &["err"], Exit::Code(1))), "err");
        assert_eq!(said(run(&["out"], &[" "], Exit::Code(1))), "out");
        assert_eq!(said(run(&["out"], &[], Exit::Signal(15))), "out");
    }

    #[test]
    fn exit_code_0_without_an_answer_is_a_failure() {
        let silence = "`agent` ended with exit code 0 without an answer on stdout, and did not say why";
        assert_eq!(said(run(&["", "  "], &[], Exit::Code(0))), silence);
        assert_eq!(said(run(&[], &["no key"], Exit::Code(0))), "no key");
    }

    #[test]
    fn the_output_of_a_failed_run_is_kept() {
        assert_eq!(run(&["half"], &["err"], Exit::Code(1)).answer.as_deref(), Some("half"));
    }
}
