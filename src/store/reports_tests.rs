//! Several processes that want to report the same end.

use std::{
    collections::BTreeMap,
    env,
    path::Path,
    process::{Command, Stdio},
};

use super::*;
use crate::store::{old_reports::KEPT, tests::upkeep};

/// Variables that give a child process its data directory and the IDs to report.
const WHERE: &str = "REPORTS_TEST_DIRECTORY";
const IDS: &str = "REPORTS_TEST_IDS";

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
    let claim = ours(&reports, &task);
    assert!(matches!(reports.claim(&task), Ok(ClaimedReport::Theirs)) && !reports.is_reported(&task));
    drop(claim);
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
        let file = File::open(upkeep.layout().report(id)).expect("it exists");
        file.set_modified(std::time::SystemTime::now() - 2 * KEPT).expect("it is ours");
    }
    upkeep.remove_leftovers();
    assert!(!reports.is_reported(&old) && reports.is_reported(&new));
    assert!(matches!(reports.claim(&waiting), Ok(ClaimedReport::Theirs)));
    confirm(claim);
}

#[test]
fn one_of_several_processes_reports_each_end_even_if_some_are_killed() {
    // In a child process, the test reports every end that it can claim. One of the children is killed while it reports.
    if let (Some(dir), Ok(ids)) = (env::var_os(WHERE), env::var(IDS)) {
        let dir = Path::new(&dir);
        let upkeep = Upkeep::open(dir, &dir.join("logs")).expect("it is ours");
        let reports = Reports::of(&upkeep);
        for id in ids.split(',').map(id) {
            if let Ok(ClaimedReport::Ours(claim)) = reports.claim(&id) {
                let _ = claim.confirm(ReportedBy::Hook, Some(&std::process::id().to_string()), Utc::now());
            }
        }
        return;
    }
    let (dir, upkeep) = upkeep();
    let ids: Vec<_> = (0..200).map(|number| format!("{number:08x}")).collect();
    let start = |fault: Option<&str>| {
        let mut command = Command::new(env::current_exe().expect("the test's own path is known"));
        let name = "store::reports::tests::one_of_several_processes_reports_each_end_even_if_some_are_killed";
        command.args(["--exact", name, "--quiet"]).env(WHERE, dir.path().join("data")).env(IDS, ids.join(","));
        command.envs(fault.map(|fault| ("CONNECTOR_FAULT", fault)));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the test can be run again")
    };
    let killed = (1..=3).map(|_| start(Some("serve:kill@report")));
    let children: Vec<_> = killed.chain((0..4).map(|_| start(None))).collect();
    for mut child in children {
        child.wait().expect("our child can be waited for");
    }
    let reports = Reports::of(&upkeep);
    // The killed processes may have held a claim while the others passed by, so what they left is claimed now.
    for id in ids.iter().map(|text| id(text)) {
        if let ClaimedReport::Ours(claim) = reports.claim(&id).expect("it is readable") {
            confirm(claim);
        }
    }
    let mut by = BTreeMap::new();
    for text in &ids {
        let content = fs::read_to_string(upkeep.layout().report(&id(text))).expect("it was reported");
        assert_eq!(content.lines().count(), 1, "{content}");
        *by.entry(content.split('"').nth(9).map(str::to_owned)).or_insert(0) += 1;
    }
    assert_eq!(by.values().sum::<usize>(), ids.len());
}
