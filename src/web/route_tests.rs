use proptest::prelude::*;

use super::*;
use crate::present::web::links;

fn parse(address: &str) -> Result<Route, NoRoute> {
    let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
    Route::parse(path, query)
}

fn id() -> impl Strategy<Value = TaskId> {
    "[0-9a-f]{8}".prop_map(|id| TaskId::parse(&id).expect("a valid ID"))
}

/// Text of one line that is not empty.
fn line() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("[^\\p{Cc}]{1,20}")
}

fn list_query() -> impl Strategy<Value = TaskListQuery> {
    let state = proptest::option::of((0..StateFilter::ALL.len()).prop_map(|at| StateFilter::ALL[at]));
    (state, line(), line(), line(), 1..=1_000_000_usize)
        .prop_map(|(state, repository, backend, since, page)| TaskListQuery { state, repository, backend, since, page })
}

proptest! {
    #[test]
    fn links_to_lists_mean_what_they_say(query in list_query()) {
        prop_assert_eq!(parse(&links::tasks(&query)), Ok(Route::Tasks(query.clone())));
        prop_assert_eq!(parse(&links::tasks_live(&query)), Ok(Route::TasksLive(query)));
    }

    #[test]
    fn links_to_parts_of_a_task_mean_what_they_say(
        id in id(),
        after in any::<u64>(),
        file in proptest::collection::vec(1..=255_u8, 1..40),
    ) {
        let file = GitPath::from_bytes(file);
        for tab in Tab::ALL {
            let query = TabQuery { file: Some(file.clone()).filter(|_| tab == Tab::Changes), before: Some(after) };
            let route = Route::Task { id: id.clone(), tab, query: query.clone() };
            prop_assert_eq!(parse(&links::part(&id, tab, &query)), Ok(route));
            let whole = Route::Task { id: id.clone(), tab, query: TabQuery::default() };
            prop_assert_eq!(parse(&links::task(&id, tab)), Ok(whole));
        }
        for action in Action::ALL {
            prop_assert_eq!(parse(&links::action(&id, action)), Ok(Route::Action { id: id.clone(), action }));
        }
        for download in Download::ALL {
            prop_assert_eq!(parse(&links::download(&id, download)), Ok(Route::Download { id: id.clone(), download }));
        }
        let live = Route::TaskLive { id: id.clone(), after: Some(after) };
        prop_assert_eq!(parse(&links::task_live(&id, after)), Ok(live));
    }

    #[test]
    fn other_links_mean_what_they_say(since in line(), key in "[0-9a-f]{1,96}") {
        prop_assert_eq!(parse(&links::usage(since.as_deref())), Ok(Route::Usage { since }));
        prop_assert_eq!(parse(&links::login(&key)), Ok(Route::Login { key: Some(key) }));
    }

    #[test]
    fn any_address_is_a_route_or_refused(path in "[\\x00-\\x7f]{0,60}", query in proptest::option::of("[\\x00-\\x7f]{0,60}")) {
        let _ = Route::parse(&path, query.as_deref());
    }

    #[test]
    fn any_parameters_of_a_known_path_are_accepted_or_refused(
        at in 0..5_usize,
        query in "((state|repo|backend|since|page|file|before|after|key|v)=[%a-f0-9+&=]{0,12}&?){0,4}",
    ) {
        let path = ["/tasks", "/tasks/live", "/tasks/1a2b3c4d/changes", "/tasks/1a2b3c4d/live", "/usage"][at];
        let _ = Route::parse(path, Some(&query));
    }
}

#[test]
fn plain_links_mean_what_they_say() {
    let plain = |link: String| parse(&link);
    assert_eq!(plain(links::check()), Ok(Route::Check));
    assert_eq!(plain(links::token_login()), Ok(Route::Login { key: None }));
    assert_eq!(plain(links::logout()), Ok(Route::Logout));
    assert_eq!(plain("/".to_owned()), Ok(Route::Home));
    for name in ["style.css", "app.js", "icon.svg"] {
        let asset = Asset::named(name).expect("it exists");
        let route = plain(asset.link()).expect("it is valid");
        assert!(matches!(route, Route::Asset { version: Some(_), .. }), "{route:?}");
    }
}

#[test]
fn hostile_paths_mean_nothing() {
    let long = format!("/tasks/{}", "a".repeat(60_000));
    for path in [
        "",
        "tasks",
        "//",
        "/tasks/",
        "/tasks//",
        "//tasks",
        "/tasks/1a2b3c4d/",
        "/tasks/1A2B3C4D",
        "/tasks/1a2b3c4d/live/",
        "/tasks/1a2b3c4d/../1a2b3c4e",
        "/tasks/../../etc/passwd",
        "/tasks/%2e%2e",
        "/tasks/%31a2b3c4d",
        "/tasks/1a2b3c4d\0",
        "/tasks/1a2b3c4d%00",
        "/tasks/1a2b3c4d/log.txt/x",
        "/tasks/1a2b3c4d/debug.json",
        "/assets/../app.js",
        "/assets/..%2fapp.js",
        "/assets/",
        "/assets/app.js/",
        "/login/",
        "/mcp",
        "/.git/config",
        &long,
    ] {
        assert_eq!(Route::parse(path, None), Err(NoRoute::Unknown), "{path}");
    }
}

#[test]
fn parameters_that_do_not_belong_to_a_page_are_refused() {
    for address in [
        "/tasks?state=unknown",
        "/tasks?page=0",
        "/tasks?page=1000001",
        "/tasks?page=1&page=2",
        "/tasks?stat=failed",
        "/tasks?repo=%00",
        "/tasks?repo=%0d%0aSet-Cookie:x",
        "/tasks/1a2b3c4d?before=-1",
        "/tasks/1a2b3c4d/live?after=x",
        "/usage?since=%",
        "/check?x=1",
        "/?x",
    ] {
        assert!(matches!(parse(address), Err(NoRoute::Invalid(_))), "{address}");
    }
}
