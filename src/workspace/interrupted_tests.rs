use super::*;
use crate::{
    task::FrozenSetting,
    workspace::fixture::{Project, path, paths},
};

/// The file that git was writing, given the states of the files `a`, `b`, and so on, of which `d` is to be removed.
fn written(found: &[Found]) -> Option<GitPath> {
    let names = ["a", "b", "c", "d"].map(path);
    being_written(&names.into_iter().zip(found.iter().copied()).collect(), |removed| *removed == path("d"))
}

#[test]
fn only_the_first_file_that_is_not_written_may_be_incomplete() {
    use Found::{Changed, Incomplete, Missing, Other, Wanted};
    assert_eq!(written(&[Wanted, Missing, Other, Wanted]), Some(path("b")));
    assert_eq!(written(&[Incomplete, Other, Other, Wanted]), Some(path("a")));
    assert_eq!(written(&[Changed, Incomplete, Other, Wanted]), Some(path("b")), "somebody changed the one before");
    assert_eq!(written(&[Wanted, Wanted, Missing, Changed]), Some(path("c")));
    assert_eq!(written(&[Missing, Wanted, Other, Wanted]), None, "a later one is written");
    assert_eq!(written(&[Other, Missing, Other, Wanted]), None, "an earlier one is not written");
    assert_eq!(written(&[Missing, Other, Other, Other]), None, "git had not removed `d`");
    assert_eq!(written(&[Wanted, Wanted, Wanted, Wanted]), None);
}

#[test]
fn files_with_a_long_running_filter_are_found() {
    let mut project = Project::with(&[(".gitattributes", "*.p filter=p\n*.c filter=c\n")]);
    for key in ["filter.p.process", "filter.c.clean"] {
        let (key, value) = (GitPath::from_bytes(key), GitPath::from_bytes("cat"));
        project.settings.values.push(FrozenSetting { key, value });
    }
    let shadow = project.shadow(&project.place, None);
    let found = with_process_filter(&shadow, paths(&["a.p", "b.c", "c.txt"])).expect("git works");
    assert_eq!(found, BTreeSet::from([path("a.p")]));
}
