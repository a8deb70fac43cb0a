use std::{io, path::Path};

use connector_api::Exit;

use super::*;
use crate::{
    present::Refused,
    store::StoreError,
    task::{ConflictReason, FileConflict, GitPath, RecoveredOperation, RecoveryState},
};

const STDERR: &str = "error: unable to write file a.txt\nfatal: write error: No space left on device\n";

fn id() -> TaskId {
    TaskId::parse("1a2b3c4d").expect("a valid task ID")
}

fn git_failed(stderr: &str) -> GitError {
    GitError::Failed { command: "read-tree".to_owned(), exit: Exit::Code(128), stderr: stderr.to_owned().into() }
}

fn file() -> Vec<GitPath> {
    vec![GitPath::from_bytes("a.txt")]
}

/// Every kind of error of an operation.
fn errors() -> Vec<OperationError> {
    let git = || Box::new(OperationError::Git(git_failed(STDERR)));
    let io = || io::Error::from(io::ErrorKind::PermissionDenied);
    let conflict = FileConflict { path: GitPath::from_bytes("a.txt"), reason: ConflictReason::Content };
    vec![
        OperationError::Store(StoreError { doing: "write", path: "/data/x.json".into(), source: io() }),
        OperationError::NoSnapshots,
        OperationError::SnapshotsGone,
        OperationError::NoAfter,
        OperationError::NoWorktree,
        OperationError::PlaceGone { path: "/repo".into() },
        OperationError::Unchanged,
        OperationError::AlreadyUndone,
        OperationError::NotUndone,
        OperationError::NotApplied,
        OperationError::Conflicts(vec![conflict]),
        OperationError::InvalidBranch(GitPath::from_bytes("a..b")),
        OperationError::BranchExists(GitPath::from_bytes("main")),
        OperationError::Busy(None),
        OperationError::Failed { source: git(), left: vec![] },
        OperationError::Failed { source: git(), left: file() },
        OperationError::Unfinished { task: id(), kind: OperationKind::Redo, files: file(), source: git() },
        OperationError::Inspect(io()),
        OperationError::Snapshot(SnapshotError::Moved),
        OperationError::Snapshot(SnapshotError::Git(git_failed(STDERR))),
        OperationError::Shadow(ShadowError::File { action: "create a directory", source: io() }),
        OperationError::Git(git_failed(STDERR)),
        OperationError::Git(GitError::TimedOut { command: "add".to_owned() }),
    ]
}

fn refusal(error: OperationError) -> Refusal {
    let tried = TriedOperation { id: &id(), kind: OperationKind::Undo, is_commit: false, top: Path::new("/repo") };
    operation_problem(tried, error)
}

fn recovered() -> Vec<RecoveredOperation> {
    let task = TaskId::parse("99999999").expect("a valid task ID");
    let (kind, state) = (OperationKind::Apply, RecoveryState::Finished);
    vec![RecoveredOperation { task, kind, state, files: file(), left: vec![] }]
}

#[test]
fn every_refusal_says_which_interrupted_operations_were_completed_first() {
    let words = "; an interrupted apply of task 99999999 was completed first (1 file written)";
    let only_unnamed = Refusal::from(NotOperable::OnlyUnnamed { id: id(), files: file() });
    let alone = errors().into_iter().map(refusal).chain([only_unnamed]).collect::<Vec<_>>();
    let after = errors()
        .into_iter()
        .map(|error| refusal(OperationError::AfterRecovery { recovered: recovered(), source: Box::new(error) }));
    let only_unnamed = Refusal::from(NotOperable::OnlyUnnamed { id: id(), files: file() }).after(recovered());
    for (alone, after) in alone.iter().zip(after.chain([only_unnamed])) {
        let explanations: [fn(&Refusal) -> Refused; 2] = [Refusal::explain, Refusal::explain_for_terminal];
        for explain in explanations {
            let (alone, after) = (explain(alone).plain(), explain(&after).plain());
            let (problem, next) = alone.split_once('\n').unwrap_or((&alone, ""));
            let expected = format!("{problem}{words}\n{next}");
            assert_eq!(after, expected.trim_end());
        }
        assert_eq!((after.recovered(), after.conflicts()), (&recovered()[..], alone.conflicts()));
    }
}

#[test]
fn the_message_of_git_is_part_of_every_refusal_that_git_caused() {
    let words = "error: unable to write file a.txt; fatal: write error: No space left on device";
    for error in errors() {
        let is_caused_by_git = error.git_error().is_some_and(|error| error.stderr().is_some());
        let text = refusal(error).explain().plain();
        assert_eq!(text.contains(words), is_caused_by_git, "{text}");
    }
}

#[test]
fn a_long_message_of_git_is_cut_between_words_and_cannot_control_a_terminal() {
    let long = format!("error: \u{1b}[2J\n{}", "a long-word ".repeat(1_000));
    let left = OperationError::Failed { source: Box::new(OperationError::Git(git_failed(&long))), left: file() };
    for error in [OperationError::Git(git_failed(&long)), left] {
        let text = refusal(error).explain().plain();
        assert!(text.contains("failed with exit code 128: error: \\x1b[2J; a long-word a"), "{text}");
        assert!(text.contains("long-word …") && text.chars().count() < 1_000, "{text}");
    }
}
