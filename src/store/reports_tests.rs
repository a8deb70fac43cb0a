//! Several processes that want to report the same end.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use connector_testing::eventually;

use super::*;
use crate::store::{old_reports::KEPT, tests::upkeep};

/// The variable that gives a child process its data directory.
const WHERE: &str = "REPORTS_TEST_DIRECTORY";

fn id(text: &str) -> TaskId {
    TaskId::parse(text).expect("a valid ID")
}

fn ours(reports: &Reports, id: &TaskId) -> ReportClaim {
    match reports.claim(id).expect("the directory is writable") {
        ClaimedReport::Ours(claim) => claim,
        other @ (ClaimedReport::Theirs | ClaimedReport::Done) => panic!("{other:?}"),
    }
}

fn confirm(claim: ReportClaim) {
    claim.confirm(ReportedBy::Monitor, Some("one"), Utc::now()).expect("it is writable");
}

#[test]
fn a_claim_excludes_others_until_it_is_confirmed_or_given_back() {
    let (_dir, upkeep) = upkeep();
    let (reports, task) = (Reports::of(&upkeep), id("1a2b3c4d"));
    assert!(!reports.is_claimed(&task).expect("it is readable") && !upkeep.layout().report(&task).exists());
    let claim = ours(&reports, &task);
    assert!(matches!(reports.claim(&task), Ok(ClaimedReport::Theirs)) && !reports.is_reported(&task));
    assert!(reports.is_claimed(&task).expect("it is readable"));
    drop(claim);
    assert!(!reports.is_claimed(&task).expect("it is readable"));
    assert!(!upkeep.layout().report(&task).exists(), "an unused claim leaves nothing");
    confirm(ours(&reports, &task));
    assert!(matches!(reports.claim(&task), Ok(ClaimedReport::Done)) && reports.is_reported(&task));
    let content = fs::read_to_string(upkeep.layout().report(&task)).expect("it is kept");
    assert!(content.starts_with(r#"{"format":1,"by":"monitor","session":"one","at":""#), "{content}");
}

#[test]
fn a_claim_that_is_given_back_does_not_remove_the_next_one() {
    let (_dir, upkeep) = upkeep();
    let (reports, task) = (Reports::of(&upkeep), id("1a2b3c4d"));
    let first = ours(&reports, &task);
    fs::remove_file(upkeep.layout().report(&task)).expect("it exists");
    let second = ours(&reports, &task);
    drop(first);
    assert!(matches!(reports.claim(&task), Ok(ClaimedReport::Theirs)));
    confirm(second);
    assert!(reports.is_reported(&task));
}

#[test]
fn files_of_old_reports_are_removed_unless_they_are_locked() {
    let (_dir, upkeep) = upkeep();
    let reports = Reports::of(&upkeep);
    let (old, new, waiting) = (id("00000001"), id("00000002"), id("00000003"));
    confirm(ours(&reports, &old));
    confirm(ours(&reports, &new));
    let claim = ours(&reports, &waiting);
    for id in [&old, &waiting] {
        let file = fs::File::open(upkeep.layout().report(id)).expect("it exists");
        file.set_modified(std::time::SystemTime::now() - 2 * KEPT).expect("it is ours");
    }
    upkeep.remove_leftovers();
    assert!(!reports.is_reported(&old) && reports.is_reported(&new));
    assert!(matches!(reports.claim(&waiting), Ok(ClaimedReport::Theirs)));
    confirm(claim);
}

/// How long one process waits for the others.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Reports all ends, together with other processes, until none is left.
fn report_all(dir: &Path, ids: &[TaskId], processes: usize) {
    let reports = Reports::of(&Upkeep::open(dir, &dir.join("logs")).expect("it is ours"));
    // All begin at the same time.
    let started = dir.join("started");
    fs::create_dir_all(&started).expect("it is ours");
    fs::write(started.join(std::process::id().to_string()), "").expect("it is ours");
    let count = || fs::read_dir(&started).map_or(0, Iterator::count);
    eventually("the other processes", TEST_TIMEOUT, || (count() == processes).then_some(()));
    eventually("the reports", TEST_TIMEOUT, || {
        // It holds all its claims before it confirms the first, so that the claims of all processes overlap.
        let claims: Vec<_> = ids.iter().map(|id| reports.claim(id).expect("it is writable")).collect();
        for claim in claims {
            match claim {
                ClaimedReport::Ours(claim) => confirm(claim),
                ClaimedReport::Theirs | ClaimedReport::Done => {}
            }
        }
        ids.iter().all(|id| reports.is_reported(id)).then_some(())
    });
}

#[test]
fn one_of_several_processes_reports_each_end_even_if_some_are_killed() {
    const PROCESSES: usize = 6;
    let ids: Vec<_> = (0..200).map(|number| id(&format!("{number:08x}"))).collect();
    // In a child process, the test is one of the reporters.
    if let Some(dir) = env::var_os(WHERE) {
        return report_all(Path::new(&dir), &ids, PROCESSES);
    }
    let (dir, upkeep) = upkeep();
    let start = |fault: &str| {
        let mut command = Command::new(env::current_exe().expect("the test's own path is known"));
        let name = "store::reports::tests::one_of_several_processes_reports_each_end_even_if_some_are_killed";
        command.args(["--exact", name, "--quiet"]).env(WHERE, dir.path().join("data")).env("CONNECTOR_FAULT", fault);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the test can be run again")
    };
    // Some are killed when they confirm their first report.
    let faults = ["serve:kill@report", "serve:none", "serve:kill@report", "serve:none", "serve:none", "serve:none"];
    let children: Vec<_> = faults.map(start).into();
    let ended = children.into_iter().map(|mut child| child.wait().expect("our child can be waited for").success());
    assert!(ended.skip(3).all(|success| success), "those that were not killed have reported everything");
    for id in &ids {
        let content = fs::read_to_string(upkeep.layout().report(id)).expect("it was reported");
        assert_eq!(content.lines().count(), 1, "{content}");
    }
}
