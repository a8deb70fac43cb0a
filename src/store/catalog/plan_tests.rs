//! Checks the query plans: each statement searches an index, so its cost does not depend on the number of tasks.

use rusqlite::Connection;

use super::{
    read::{ENDED_SINCE, FIRST_AFTER, HAS_ENDED, LAST_SEQ, NEWEST_OF_SESSION, OLDEST, RUNNING, WITH_PREFIX},
    row::StoredState,
    schema::select,
    search::{BY_ID, BY_ROW, NEWEST, NUMBER, SEARCHES, TALLIES, TALLY},
    tests::{World, row},
    usage::{daily_statement, statement},
    write::{FORGET, NEXT_SEQ, REMOVE, STORED},
};
use crate::task::{TaskStatus, TotalsBy};

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("valid SQL");
    for parameter in 1..=statement.parameter_count() {
        statement.raw_bind_parameter(parameter, 0).expect("the parameter exists");
    }
    let mut rows = statement.raw_query();
    let mut plan = Vec::new();
    while let Some(row) = rows.next().expect("it is readable") {
        plan.push(row.get(3).expect("a plan has four columns"));
    }
    plan
}

#[test]
fn no_statement_scans_or_sorts() {
    let world = World::new();
    let catalog = world.rebuild((0..200).map(|number| row(number, StoredState::ALL[number as usize % 6]))).catalog;
    let of_searches = |before: &str, after: &str, covering: &str| {
        let indexes = ["by_state", "by_repository", "by_backend", "by_repository_and_backend"];
        let statements = SEARCHES.iter().map(|search| format!("{before}{search}{after}"));
        let using = indexes.iter().map(|index| format!("{covering}INDEX {index} ("));
        statements.zip(using).collect::<Vec<_>>()
    };
    let mut statements = of_searches(NEWEST.0, NEWEST.1, "USING COVERING ");
    statements.extend(of_searches(NUMBER, "", "USING COVERING "));
    for (condition, using) in [
        (BY_ROW, "USING INTEGER PRIMARY KEY (rowid=?)"),
        (BY_ID, "(id=?)"),
        (WITH_PREFIX, "(id>? AND id<?)"),
        (ENDED_SINCE, "USING INDEX by_seq (seq>?)"),
        (NEWEST_OF_SESSION, "USING INDEX by_session (session=?)"),
    ] {
        statements.push((select(condition), using.to_owned()));
    }
    for (sql, using) in [
        (HAS_ENDED, "USING INDEX sqlite_autoindex_tasks_1 (id=?)"),
        (RUNNING, "(state=?)"),
        (FIRST_AFTER, "USING INDEX removable (ended_at>?)"),
        (TALLY, "USING PRIMARY KEY (scope=? AND repository=? AND backend=? AND state=?)"),
        (TALLIES, "USING PRIMARY KEY (scope=?)"),
        (LAST_SEQ, "USING INTEGER PRIMARY KEY (rowid=?)"),
        (OLDEST, "USING COVERING INDEX removable (ended_at<?)"),
        (STORED, "(id=?)"),
        (NEXT_SEQ, "USING INTEGER PRIMARY KEY (rowid=?)"),
        (REMOVE, "(id=?)"),
        (FORGET, "USING PRIMARY KEY (scope=? AND repository=? AND backend=? AND state=?)"),
    ] {
        statements.push((sql.to_owned(), using.to_owned()));
    }
    for (sql, using) in statements {
        let plan = plan(&catalog.connection, &sql);
        let [step] = &plan[..] else { panic!("{sql}: {plan:?}") };
        assert!(step.starts_with("SEARCH ") && step.contains(&using), "{sql}\n{step}\nexpected {using}");
    }
}

#[test]
fn totals_read_only_an_index() {
    let world = World::new();
    let catalog = world.rebuild((0..200).map(|number| row(number, TaskStatus::Completed))).catalog;
    let groups = [TotalsBy::Day, TotalsBy::Backend, TotalsBy::Model, TotalsBy::Repository];
    for sql in groups.map(statement).into_iter().chain([daily_statement()]) {
        let plan = plan(&catalog.connection, &sql);
        assert_eq!(plan[0], "SEARCH tasks USING COVERING INDEX by_start (started_at>?)", "{plan:?}");
    }
}
