//! Costs of a long history in this build's library: filters, counts, retention and `notify`.

use std::{
    error::Error,
    hint::black_box,
    io,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use codex_connector::{
    store::{EndFilter, Filter, Listener, ReportedBy, UnreportedEnds, Upkeep},
    task::{Outcome, Retention, TaskStatus},
};

use crate::{
    histories::directory,
    history::Subject,
    report::{Report, Target},
    samples::{Samples, millis},
    scale::Scale,
    sides::Sides,
};

/// The queries.
const QUESTIONS: [&str; 8] = [
    "library: newest 20 of a repository, and their number",
    "library: newest 20 failed of a repository",
    "library: newest 20 of a backend",
    "library: newest 20 of the last hour",
    "library: newest 20 with the outcome `failed`, as for `ls --state failed`",
    "library: numbers of tasks by outcome",
    "library: `notify` after it has reported all ends",
    "library: retention that removes nothing",
];

/// Runs the queries in each history, in turn.
pub(crate) fn measure(subjects: &[Sides<Subject>], scale: &Scale, report: &mut Report) -> io::Result<()> {
    let opened = subjects.iter().map(|subject| {
        let data = subject.this.world().data_dir();
        Upkeep::open(&data, &data.join("logs")).map_err(io::Error::other)
    });
    let opened: Vec<Upkeep> = opened.collect::<io::Result<_>>()?;
    for upkeep in &opened {
        upkeep.catch_up(Utc::now());
        // The first report covers everything; after that, only new ends should cost anything.
        report_ends(upkeep).map_err(|error| io::Error::other(error.to_string()))?;
    }
    let mut times: Vec<[Samples; QUESTIONS.len()]> = opened.iter().map(|_| Default::default()).collect();
    for _ in 0..scale.rounds {
        for (upkeep, times) in opened.iter().zip(&mut times) {
            for (samples, time) in
                times.iter_mut().zip(ask(upkeep).map_err(|error| io::Error::other(error.to_string()))?)
            {
                samples.push(millis(time));
            }
        }
    }
    for (index, question) in QUESTIONS.iter().enumerate() {
        let numbers: Vec<_> = times.iter().map(|times| Sides::alone(times[index].clone())).collect();
        report.grid_row(question, &numbers, "ms", scale.floor, Target::Most(scale.most))?;
    }
    Ok(())
}

/// Does what `notify` does, except for printing.
fn report_ends(upkeep: &Upkeep) -> Result<(), Box<dyn Error>> {
    let (listener, now) = (Listener::default(), Utc::now());
    Ok(UnreportedEnds::of(upkeep).claim(&listener, now)?.confirm(ReportedBy::Hook, &listener, now)?)
}

fn ask(upkeep: &Upkeep) -> Result<[Duration; QUESTIONS.len()], Box<dyn Error>> {
    let now = Utc::now();
    let repository = Filter { repository: Some(directory(7)), ..Filter::default() };
    let filters = [
        repository.clone(),
        Filter { state: Some(TaskStatus::Failed), ..repository },
        Filter { backend: Some("codex".to_owned()), ..Filter::default() },
        Filter { since: Some(now - TimeDelta::hours(1)), ..Filter::default() },
        Filter { end: Some(EndFilter::Outcome(Outcome::Failed)), ..Filter::default() },
    ];
    let mut times = Vec::new();
    for filter in &filters {
        let began = Instant::now();
        black_box(upkeep.reader().find(filter, 20)?);
        times.push(began.elapsed());
    }
    let began = Instant::now();
    black_box(upkeep.reader().counts(&Filter::default())?);
    times.push(began.elapsed());
    let began = Instant::now();
    report_ends(upkeep)?;
    times.push(began.elapsed());
    let keeps_all = Retention { max_tasks: NonZeroUsize::new(10_000_000), ..Retention::default() };
    let began = Instant::now();
    let removed = upkeep.remove_old(keeps_all, now)?;
    times.push(began.elapsed());
    assert_eq!(removed, 0, "nothing is too old");
    times.try_into().map_err(|_| "there is a time for each question".into())
}
