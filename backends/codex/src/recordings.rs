//! The recorded output of real Codex versions, in `tests/recordings/VERSION/`. The README there says how it was
//! recorded.

use std::{fs, path::PathBuf};

use connector_api::{AgentEvent, AgentSession, Exit, Line, ProbeAnswer, Step, Verdict};

use crate::session::CodexSession;

/// The recorded versions, oldest first.
pub(crate) const VERSIONS: [&str; 8] =
    ["0.44.0", "0.47.0", "0.80.0", "0.105.0", "0.125.0", "0.142.0", "0.155.0", "0.169.0"];

/// The recordings of one version.
pub(crate) struct Recording {
    folder: PathBuf,
}

impl Recording {
    pub(crate) fn of(version: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(version);
        assert!(folder.is_dir(), "no recordings of {version}");
        Self { folder }
    }

    /// A file of the recordings. A missing file was empty.
    pub(crate) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_default()
    }

    /// The answers to `--version` and `exec --help`.
    pub(crate) fn answers(&self) -> Vec<ProbeAnswer> {
        let probe = |args: &[&str], file| ProbeAnswer {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            exit: Exit::Code(0),
            stdout: self.text(file),
            stderr: String::new(),
        };
        vec![probe(&["--version"], "version.txt"), probe(&["exec", "--help"], "help.txt")]
    }

    /// The answer to `login status`, which Codex prints to stderr.
    pub(crate) fn login(&self, name: &str, exit: i32) -> ProbeAnswer {
        ProbeAnswer {
            args: vec!["login".into(), "status".into()],
            exit: Exit::Code(exit),
            stdout: String::new(),
            stderr: self.text(&format!("{name}.stderr")),
        }
    }

    /// Follows a recorded run to its end.
    pub(crate) fn run(&self, name: &str, exit: Exit) -> (Vec<AgentEvent>, Verdict) {
        let mut session = Box::new(CodexSession::default());
        let (stdout, stderr) = (self.text(&format!("{name}.jsonl")), self.text(&format!("{name}.stderr")));
        assert!(!stdout.is_empty() || !stderr.is_empty(), "no recording of {name}");
        stderr.lines().for_each(|line| assert_eq!(session.stderr(Line::Whole(line.as_bytes())), []));
        let steps = stdout.lines().flat_map(|line| session.stdout(Line::Whole(line.as_bytes())));
        let events = steps.filter_map(|step| match step {
            Step::Event(event) => Some(event),
            Step::Deadline(_) => None,
            Step::Send(_) | Step::CloseStdin | Step::Finished => panic!("a Codex session never sends anything"),
        });
        let events = events.collect();
        (events, session.finish(exit))
    }
}
