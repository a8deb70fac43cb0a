use std::fs;

use super::*;
use crate::workspace::{
    fixture::{Project, files_in, odd_name, path, paths, run_git, write},
    restrict::empty_tree,
};

/// A project with a changed, a binary, a renamed and an oddly named file, its shadow and its two snapshots.
fn changed() -> (Project, Shadow, ObjectId, ObjectId) {
    let project = Project::with(&[("a", "1\n2\n"), ("binary", "\0\u{1}"), ("moved", "1\n2\n3\n4\n5\n")]);
    let mut shadow = project.shadow(&project.place, None);
    let before = shadow.snapshot("before", None).expect("it can be taken").commit;
    write(&project.top, "a", "1\ntwo\n");
    write(&project.top, "binary", "\0\u{2}");
    write(&project.top, odd_name(), "new\n");
    fs::rename(project.top.join("moved"), project.top.join("to")).expect("it exists");
    let after = shadow.snapshot("after", Some(std::slice::from_ref(&before))).expect("it can be taken").commit;
    (project, shadow, before, after)
}

#[test]
fn a_patch_is_understood_by_git_apply() {
    let (project, shadow, before, after) = changed();
    let changed = files_in(&project.top);
    let request = PatchRequest { base: &before, head: &after, paths: &[], form: PatchForm::Patch };
    let mut patch = Vec::new();
    write_patch(&shadow, request, &mut patch).expect("git works");
    // Without the content, git would find it in this repository only.
    assert!(patch.windows(16).any(|part| part == b"GIT binary patch"));
    let file = project.outside().join("patch");
    fs::write(&file, &patch).expect("it is writable");
    run_git(&project.top, &["stash", "-u", "-q"]);
    run_git(&project.top, &["apply", "--whitespace=nowarn", file.to_str().expect("it is UTF-8")]);
    assert_eq!(files_in(&project.top), changed);
}

#[test]
fn a_patch_can_be_limited_to_literal_paths() {
    let (_project, shadow, before, after) = changed();
    let names = |paths: &[GitPath]| {
        let request = PatchRequest { base: &before, head: &after, paths, form: PatchForm::Names };
        let mut names = Vec::new();
        write_patch(&shadow, request, &mut names).expect("git works");
        String::from_utf8(names).expect("git quotes the names")
    };
    assert_eq!(names(&[]), "\"-caf\\351 \\\"q\\\"\\n.txt\"\na\nbinary\nto\n");
    assert_eq!(names(&paths(&["a", "*", ":/", "--stat"])), "a\n");
    assert_eq!(names(&[GitPath::from(std::path::Path::new(odd_name()))]).lines().count(), 1);
}

#[test]
fn no_program_of_the_project_runs_for_a_patch() {
    let (project, ..) = changed();
    let planted = project.outside().join("planted");
    let command = format!("sh -c 'touch {}'", planted.display());
    for key in ["diff.external", "diff.x.command", "diff.x.textconv", "core.pager", "core.fsmonitor"] {
        project.git(&["config", key, &command]);
    }
    write(&project.top, ".gitattributes", "* diff=x\n");
    write(&project.place.git_dir, "info/attributes", "* diff=x\n");
    let head = project.git(&["rev-parse", "HEAD"]).parse().expect("it is an object");
    let shadow = project.shadow(&project.place, None);
    let nothing = empty_tree(&shadow).expect("git works");
    for form in [PatchForm::Patch, PatchForm::Stat, PatchForm::Names] {
        let mut out = Vec::new();
        let request = PatchRequest { base: &nothing, head: &head, paths: &[], form };
        write_patch(&shadow, request, &mut out).expect("git works");
        assert!(!out.is_empty());
    }
    assert!(!planted.exists());
}

#[test]
fn a_bounded_patch_ends_after_a_whole_line() {
    let (_project, shadow, before, after) = changed();
    let request = PatchRequest { base: &before, head: &after, paths: &[], form: PatchForm::Patch };
    let bounded = |max| bounded_patch(&shadow, request, max).expect("git works");
    let whole = bounded(1 << 20);
    assert!(!whole.is_cut && whole.bytes.len() > 500);
    let cut = bounded(200);
    assert!(cut.is_cut && cut.bytes.len() <= 200 && cut.bytes.ends_with(b"\n"));
    assert!(whole.bytes.starts_with(&cut.bytes));
    assert!(!bounded(whole.bytes.len()).is_cut && bounded(whole.bytes.len() - 1).is_cut);
    assert_eq!(bounded(3), BoundedPatch { bytes: Vec::new(), is_cut: true });
}

#[test]
fn hidden_files_do_not_appear() {
    let (_project, shadow, before, after) = changed();
    let hidden = hide_paths(&shadow, &before, &after, &[path("a"), path("to"), path("moved")]).expect("git works");
    let request = PatchRequest { base: &before, head: &hidden, paths: &[], form: PatchForm::Names };
    let mut names = Vec::new();
    write_patch(&shadow, request, &mut names).expect("git works");
    assert_eq!(String::from_utf8_lossy(&names).lines().skip(1).collect::<Vec<_>>(), ["binary"]);
}
