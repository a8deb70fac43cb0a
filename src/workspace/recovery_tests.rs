use std::{fs, os::unix::process::ExitStatusExt, path::Path, process::Command};

use crate::{
    process::{identity_of, is_alive},
    store::Upkeep,
    task::{OperationKind, OperationState, RecoveredOperation, RecoveryState, TaskId},
    workspace::{
        CleanUp, CleanedUp, OperationError, OperationRequest,
        fixture::{Files, MAX_FILE, Project, paths, request, write},
    },
};

/// Present in the environment of a process that is killed during an undo: the directory of its project.
const CHILD: &str = "CONNECTOR_TEST_KILLED_UNDO";

const NAMES: [&str; 6] = ["a.f", "b.f", "c.f", "d.f", "e.f", "f.f"];

/// A task that changed all files, in a project whose filter runs `script`.
fn project(script: impl FnOnce(&Path) -> String) -> (Project, TaskId, Files) {
    let old: Vec<_> = NAMES.map(|name| (name, format!("old content of {name}\nand more\n"))).into();
    let mut project = Project::with(&old.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>());
    let script = script(project.outside());
    project.add_filter(&script);
    let files = project.files_now();
    let task = project.task(&NAMES, |top| NAMES.iter().for_each(|name| write(top, name, format!("new {name}\n"))));
    (project, task, files)
}

#[test]
fn files_are_restored_if_writing_fails() {
    // As if the disk were full, once.
    let (project, task, before) = project(|outside| {
        let marker = outside.join("full");
        fs::write(&marker, "").expect("it is writable");
        format!("if [ \"$1\" = c.f ] && [ -e {0} ]; then rm {0}; exit 1; fi; cat\n", marker.display())
    });
    let files = project.files_now();
    let failed = project.run(OperationKind::Undo, &task);
    assert!(matches!(&failed, Err(OperationError::Failed { left, .. }) if left.is_empty()), "{failed:?}");
    assert_eq!(project.files_now(), files);
    let states = || project.workspace(&task).operations.iter().map(|done| done.state).collect::<Vec<_>>();
    assert_eq!(states(), [OperationState::Reverted]);
    let undone = project.run(OperationKind::Undo, &task).expect("there is room again");
    assert!(undone.recovered.is_empty());
    assert_eq!((project.files_now(), states().pop()), (before, Some(OperationState::Done)));
}

#[test]
fn an_operation_that_can_be_neither_finished_nor_reverted_stays_unfinished() {
    let (project, task, before) = project(|outside| {
        format!("if [ -e {} ]; then [ \"$1\" = a.f ] || exit 1; fi; cat\n", outside.join("full").display())
    });
    let full = project.outside().join("full");
    fs::write(&full, "").expect("it is writable");
    for _ in 0..2 {
        let failed = project.run(OperationKind::Undo, &task);
        assert!(
            matches!(&failed, Err(OperationError::Unfinished { files, .. }) if *files == paths(&NAMES)),
            "{failed:?}"
        );
        assert_eq!(project.workspace(&task).operations[0].state, OperationState::Begun);
    }
    fs::remove_file(&full).expect("it exists");
    let recovered = project.run(OperationKind::Undo, &task);
    assert!(matches!(&recovered, Err(OperationError::AfterRecovery { .. })), "{recovered:?}");
    assert_eq!(project.files_now(), before);
}

/// Records that the last operation of a task was interrupted, and undoes it in these files.
fn interrupt(project: &Project, task: &TaskId, files: &[(&str, &str)]) {
    let mut workspace = project.workspace(task);
    workspace.operations.last_mut().expect("there is one").state = OperationState::Begun;
    project.files.write(&workspace).expect("it is writable");
    files.iter().for_each(|(name, text)| project.write(name, text));
}

fn changed(text: &'static str) -> (Project, TaskId) {
    let project = Project::with(&[("a.txt", "old\n")]);
    let task = project.task(&["a.txt"], |top| write(top, "a.txt", text));
    project.run(OperationKind::Undo, &task).expect("there is no conflict");
    (project, task)
}

#[test]
fn a_check_finds_an_interrupted_operation_and_writes_nothing() {
    let (project, task) = changed("new\n");
    interrupt(&project, &task, &[("a.txt", "new\n")]);
    let other = project.task(&["b.txt"], |top| write(top, "b.txt", "b\n"));
    let check = OperationRequest { is_check: true, ..request(OperationKind::Undo, &other) };
    let found = project.operate(&check).expect("nothing is in the way");
    let pending = RecoveredOperation {
        task: task.clone(),
        kind: OperationKind::Undo,
        state: RecoveryState::Pending,
        files: paths(&["a.txt"]),
        left: vec![],
    };
    assert_eq!((found.recovered, found.files, found.is_check), (vec![pending], paths(&["a.txt"]), true));
    assert_eq!((project.read("a.txt"), project.read("b.txt")), ("new\n".to_owned(), "b\n".to_owned()));
    assert_eq!(project.workspace(&task).operations[0].state, OperationState::Begun);
    let done = project.run(OperationKind::Undo, &other).expect("nothing is in the way");
    assert_eq!((done.recovered[0].state, done.files), (RecoveryState::Finished, paths(&["b.txt"])));
    assert_eq!(project.read("a.txt"), "old\n");
}

#[test]
fn an_interrupted_operation_whose_snapshots_are_gone_is_given_up_and_reported() {
    let (project, task) = changed("new\n");
    interrupt(&project, &task, &[("a.txt", "new\n")]);
    let refs = project.git(&["for-each-ref", "--format=%(refname)", &format!("refs/codex-connector/{task}")]);
    refs.lines().for_each(|name| drop(project.git(&["update-ref", "-d", name])));
    project.git(&["gc", "-q", "--prune=now"]);
    let other = project.task(&["b.txt"], |top| write(top, "b.txt", "b\n"));
    let done = project.run(OperationKind::Undo, &other).expect("nothing is in the way");
    assert_eq!((done.recovered[0].state, &done.recovered[0].left), (RecoveryState::Abandoned, &paths(&["a.txt"])));
    assert_eq!((project.read("a.txt"), done.files), ("new\n".to_owned(), paths(&["b.txt"])));
    assert_eq!(project.workspace(&task).operations[0].state, OperationState::Abandoned);
    assert_eq!(project.run(OperationKind::Redo, &other).expect("nothing is in the way").recovered, []);
}

#[test]
fn a_revert_that_cannot_be_recorded_is_unfinished() {
    let (project, task, _) = project(|outside| {
        let (full, files) = (outside.join("full"), outside.join("data/workspaces"));
        // Writing fails, and then the workspace file can no longer be replaced.
        format!(
            "if [ \"$1\" = c.f ] && [ -e {0} ]; then rm {0}; for file in {1}/*.json; do mv $file {0}.json; \
             mkdir -p $file/x; done; exit 1; fi; cat\n",
            full.display(),
            files.display()
        )
    });
    let full = project.outside().join("full");
    fs::write(&full, "").expect("it is writable");
    let files = project.files_now();
    let failed = project.run(OperationKind::Undo, &task);
    assert!(matches!(&failed, Err(OperationError::Unfinished { files, .. }) if *files == paths(&NAMES)), "{failed:?}");
    assert_eq!(project.files_now(), files, "they were restored");
}

#[test]
fn an_error_says_which_interrupted_operations_were_finished_before_it() {
    let mut project = Project::with(&[("a.f", "old a.f\n"), ("b.f", "old b.f\n")]);
    let failing = project.outside().join("failing");
    fs::write(&failing, "").expect("it is writable");
    project.add_filter(&format!(
        "if [ \"$1\" = \"$(cat {})\" ]; then echo full >&2; exit 1; fi; cat\n",
        failing.display()
    ));
    for name in ["a.f", "b.f"] {
        let task = project.task(&[name], |top| write(top, name, format!("new {name}\n")));
        project.run(OperationKind::Undo, &task).expect("there is no conflict");
    }
    let ids = project.files.ids().expect("it is readable");
    let [first, second] = &ids[..] else { panic!("there are two tasks: {ids:?}") };
    let name = |task: &TaskId| String::from_utf8_lossy(project.workspace(task).named[0].as_bytes()).into_owned();
    for task in &ids {
        interrupt(&project, task, &[(&name(task), &format!("new {}\n", name(task)))]);
    }
    fs::write(&failing, name(second)).expect("it is writable");
    let failed = project.run(OperationKind::Undo, second);
    let Err(OperationError::AfterRecovery { recovered, source }) = failed else { panic!("{failed:?}") };
    assert_eq!((&recovered[0].task, recovered[0].state), (first, RecoveryState::Finished));
    assert!(matches!(&*source, OperationError::Unfinished { task, .. } if task == second), "{source:?}");
    let said = source.git_error().and_then(|error| error.stderr()).expect("git caused it");
    assert!(said.raw().contains("full"), "{said:?}");
    assert_eq!(project.read(&name(first)), format!("old {}\n", name(first)));
}

#[test]
fn an_interrupted_operation_that_was_finished_is_reported_even_if_that_cannot_be_recorded() {
    let (project, task, before) = project(|outside| {
        let (broken, files) = (outside.join("broken"), outside.join("data/workspaces"));
        // The workspace files can no longer be replaced.
        format!(
            "if [ -e {0} ]; then rm {0}; for file in {1}/*.json; do mv $file {0}.json; mkdir -p $file/x; done; fi; cat\n",
            broken.display(),
            files.display()
        )
    });
    project.run(OperationKind::Undo, &task).expect("there is no conflict");
    interrupt(&project, &task, &[("e.f", "new e.f\n"), ("f.f", "new f.f\n")]);
    fs::write(project.outside().join("broken"), "").expect("it is writable");
    let failed = project.run(OperationKind::Redo, &task);
    let Err(OperationError::AfterRecovery { recovered, source }) = failed else { panic!("{failed:?}") };
    assert!(matches!(*source, OperationError::Store(_)), "{source:?}");
    assert_eq!((&recovered[0].task, &recovered[0].files), (&task, &paths(&["e.f", "f.f"])));
    assert_eq!(project.files_now(), before);
}

/// The test runs itself as another process, which is killed in the middle of an undo, while git keeps running.
#[test]
fn a_killed_operation_is_finished_by_the_next_one() {
    if let Some(root) = std::env::var_os(CHILD) {
        let project = Project::open(Path::new(&root));
        let [task] = &project.files.ids().expect("it is readable")[..] else { panic!("there is one task") };
        let result = project.run(OperationKind::Undo, task);
        panic!("the process is killed before this: {result:?}");
    }
    let (project, task, before) = project(|outside| {
        let (pid, filter) = (outside.join("pid"), outside.join("filter-pid"));
        let kill = format!("echo $$ > {}; kill -9 $(cat {1}); rm {1}; sleep 60", filter.display(), pid.display());
        format!("if [ \"$1\" = b.f ] && [ -e {} ]; then {kill}; fi; cat\n", pid.display())
    });
    let test = "workspace::recovery::tests::a_killed_operation_is_finished_by_the_next_one";
    let program = std::env::current_exe().expect("it is known");
    let mut child = Command::new("sh");
    child.args(["-c", &format!("echo $$ > {}/pid; exec \"$@\"", project.outside().display()), "sh"]);
    child.arg(program).args(["--exact", test]).env(CHILD, project.outside());
    let killed = child.output().expect("it can be started");
    assert_eq!(killed.status.signal(), Some(9), "{}", String::from_utf8_lossy(&killed.stdout));
    assert_eq!(project.workspace(&task).operations[0].state, OperationState::Begun);
    assert_eq!(project.read("a.f"), "old content of a.f\nand more\n");
    assert!(!project.top.join("b.f").exists(), "git removes a file before it writes the new one");

    project.write("d.f", "changed since\n");
    project.write("e.f", "old content of");
    let other = project.task(&["other.txt"], |top| write(top, "other.txt", "x\n"));
    let result = project.run(OperationKind::Undo, &other).expect("there is no conflict");
    let expected = RecoveredOperation {
        task: task.clone(),
        kind: OperationKind::Undo,
        state: RecoveryState::Finished,
        files: paths(&["b.f", "c.f", "f.f"]),
        left: paths(&["d.f", "e.f"]),
    };
    assert_eq!((result.recovered, result.files), (vec![expected], paths(&["other.txt"])));
    assert_eq!(project.workspace(&task).operations[0].state, OperationState::Done);
    let filter = fs::read_to_string(project.outside().join("filter-pid")).expect("it was started");
    let filter = identity_of(filter.trim().parse().expect("it is a process ID"));
    assert!(!filter.is_some_and(|filter| is_alive(&filter)), "git and its filter could still write files");
    let mut now = project.files_now();
    assert_eq!(project.read("d.f"), "changed since\n");
    assert_eq!(project.read("e.f"), "old content of", "git had not come so far");
    for name in ["d.f", "e.f"] {
        now.insert(name.into(), before[Path::new(name)].clone());
    }
    assert_eq!(now, before);
    let again = project.operate(&request(OperationKind::Undo, &task));
    assert!(matches!(again, Err(OperationError::AlreadyUndone)), "{again:?}");
}

fn clean_up(project: &Project, task: &TaskId) -> CleanedUp {
    let data = project.outside().join("data");
    let upkeep = Upkeep::open(&data, &data.join("logs")).expect("it is writable");
    let clean_up = CleanUp {
        files: project.files.clone(),
        reader: upkeep.reader().clone(),
        max_file: MAX_FILE,
        now: chrono::DateTime::UNIX_EPOCH,
    };
    // The task has no record, so it counts as removed.
    clean_up.run(Some(std::slice::from_ref(task)))
}

#[test]
fn an_interrupted_operation_of_a_removed_task_is_finished_before_its_snapshots_are_removed() {
    let (project, task, before) = project(|outside| format!("[ ! -e {} ] && cat\n", outside.join("full").display()));
    project.run(OperationKind::Undo, &task).expect("there is no conflict");
    interrupt(&project, &task, &[("e.f", "new e.f\n"), ("f.f", "new f.f\n")]);
    let refs = || project.git(&["for-each-ref", "refs/codex-connector/"]).lines().count();
    let full = project.outside().join("full");
    fs::write(&full, "").expect("it is writable");
    assert_eq!(clean_up(&project, &task), CleanedUp { unfinished: vec![task.clone()], ..CleanedUp::default() });
    assert_eq!((project.workspace(&task).operations[0].state, refs()), (OperationState::Begun, 3));
    fs::remove_file(&full).expect("it exists");
    let done = clean_up(&project, &task);
    let [recovered] = &done.recovered[..] else { panic!("{done:?}") };
    assert_eq!((recovered.state, &recovered.left), (RecoveryState::Finished, &vec![]));
    assert_eq!((done.forgotten, project.files_now(), refs()), (vec![task], before, 0));
}

#[test]
fn a_file_that_was_deleted_or_emptied_after_a_kill_is_left_alone() {
    let (project, task, _) = project(|_| "cat\n".to_owned());
    project.run(OperationKind::Undo, &task).expect("there is no conflict");
    interrupt(&project, &task, &[("b.f", ""), ("c.f", "old content of")]);
    fs::remove_file(project.top.join("a.f")).expect("it exists");
    let files = project.files_now();
    let done = project.run(OperationKind::Redo, &task);
    let Err(OperationError::AfterRecovery { recovered, .. }) = done else { panic!("they differ: {done:?}") };
    assert_eq!((&recovered[0].files, &recovered[0].left), (&vec![], &paths(&["a.f", "b.f", "c.f"])));
    assert_eq!(project.files_now(), files);
}

#[test]
fn a_file_that_git_cannot_read_is_completed_only_if_git_has_written_its_beginning() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let project = Project::with(&[(".gitattributes", "*.txt working-tree-encoding=UTF-16LE\n")]);
    project.write("w.txt", utf16("old text\n"));
    project.commit_all();
    let task = project.task(&["w.txt"], |top| write(top, "w.txt", utf16("new\n")));
    project.run(OperationKind::Undo, &task).expect("there is no conflict");
    let read = || fs::read(project.top.join("w.txt")).expect("it exists");
    let check = |is_completed: bool| {
        let done = project.run(OperationKind::Undo, &task);
        let Err(OperationError::AfterRecovery { recovered, .. }) = done else { panic!("{done:?}") };
        let names = |is: bool| if is { paths(&["w.txt"]) } else { vec![] };
        assert_eq!((&recovered[0].files, &recovered[0].left), (&names(is_completed), &names(!is_completed)));
    };
    interrupt(&project, &task, &[("w.txt", "odd")]);
    check(false);
    assert_eq!(read(), b"odd");
    interrupt(&project, &task, &[("w.txt", "o\0l")]);
    check(true);
    assert_eq!(read(), utf16("old text\n"));
}
