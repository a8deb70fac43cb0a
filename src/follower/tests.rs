//! Followers return entries while they are written, with inotify and without.

use std::{thread, time::Instant};

use chrono::Utc;
use futures_util::FutureExt;

use super::*;
use crate::{
    store::{Claim, OpenTask, TimelineWriter, Upkeep},
    task::{TaskId, TimelineEvent},
};

/// Longer than any test takes.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

struct World {
    _dir: tempfile::TempDir,
    upkeep: Upkeep,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let upkeep = Upkeep::open(dir.path(), &dir.path().join("logs")).expect("it is writable");
        Self { _dir: dir, upkeep }
    }

    fn task(&self) -> OpenTask {
        let Ok(Claim::Claimed(task)) = self.upkeep.claim(&TaskId::random()) else { panic!("a new ID is free") };
        task
    }

    fn follower(&self, task: &OpenTask, watches: &Watches) -> Follower {
        Follower::new(self.upkeep.reader().timeline(task.id(), 0), watches)
    }
}

fn timeline(task: &OpenTask) -> TimelineWriter {
    task.open_timeline().expect("it is writable")
}

fn write(writer: &mut TimelineWriter) {
    writer.append(Utc::now(), TimelineEvent::Message { text: "x".into() });
    writer.flush().expect("it is writable");
}

async fn next(follower: &mut Follower) -> Vec<u64> {
    let entries = timeout(TEST_TIMEOUT, follower.next()).await.expect("something was written");
    entries.expect("it can be read").into_iter().map(|entry| entry.seq).collect()
}

async fn read(follower: &mut Follower) -> Option<Vec<u64>> {
    let read = follower.read().await.expect("it can be read")?;
    Some(read.entries.into_iter().map(|entry| entry.seq).collect())
}

#[tokio::test]
async fn a_timeline_created_later_is_followed() {
    for watches in [Watches::new(), Watches::polling()] {
        let world = World::new();
        let task = world.task();
        let mut follower = world.follower(&task, &watches);
        assert_eq!(read(&mut follower).await, None);
        let mut writer = timeline(&task);
        assert_eq!(read(&mut follower).await, Some(vec![]));
        write(&mut writer);
        assert_eq!(next(&mut follower).await, [1]);
        write(&mut writer);
        write(&mut writer);
        assert_eq!(next(&mut follower).await, [2, 3]);
        assert_eq!(read(&mut follower).await, Some(vec![]));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn writes_are_still_reported_after_the_middle_was_removed() {
    let world = World::new();
    let task = world.task();
    let mut follower = world.follower(&task, &Watches::new());
    let mut writer = timeline(&task);
    assert_eq!(read(&mut follower).await, Some(vec![]));
    let reported = |follower: &Follower| {
        let watch = follower.watch.clone();
        async move { timeout(TEST_TIMEOUT, watch.reported()).await.expect("a write is reported") }
    };
    write(&mut writer);
    reported(&follower).await;
    assert_eq!(read(&mut follower).await, Some(vec![1]));

    // The writer replaces the file in this way.
    let path = follower.path.clone();
    let new = path.with_extension("new");
    std::fs::copy(&path, &new).and_then(|_| std::fs::rename(&new, &path)).expect("it is writable");
    reported(&follower).await;
    assert_eq!(read(&mut follower).await, Some(vec![]));
    let mut writer = timeline(&task);
    // Reports about the old file may still be queued.
    let _ = follower.watch.reported().now_or_never();
    write(&mut writer);
    reported(&follower).await;
    assert_eq!(read(&mut follower).await, Some(vec![2]));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn timelines_beyond_the_watch_limit_are_polled() {
    let world = World::new();
    let watches = Watches::limited(2);
    let tasks: Vec<_> = (0..5).map(|_| world.task()).collect();
    let mut writers: Vec<_> = tasks.iter().map(timeline).collect();
    let mut followers: Vec<_> = tasks.iter().map(|task| world.follower(task, &watches)).collect();
    for follower in &mut followers {
        assert_eq!(read(follower).await, Some(vec![]));
    }
    assert_eq!(watches.watched(), 2);
    writers.iter_mut().for_each(write);
    for follower in &mut followers {
        assert_eq!(next(follower).await, [1]);
    }
    followers.truncate(1);
    assert_eq!(watches.watched(), 1, "a watch ends with its follower");
    let mut same = world.follower(&tasks[0], &watches);
    assert_eq!(read(&mut same).await, Some(vec![1]));
    drop(followers);
    write(&mut writers[0]);
    timeout(TEST_TIMEOUT, same.watch.reported()).await.expect("another follower of the same file is still notified");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn timelines_are_polled_where_inotify_is_unavailable() {
    let world = World::new();
    let watches = Watches::refused();
    let task = world.task();
    let mut writer = timeline(&task);
    let mut follower = world.follower(&task, &watches);
    assert_eq!(read(&mut follower).await, Some(vec![]));
    assert_eq!(watches.watched(), 0);
    write(&mut writer);
    assert_eq!(next(&mut follower).await, [1]);
}

#[test]
fn watches_outlive_the_runtime_on_which_they_started() {
    let world = World::new();
    let watches = Watches::new();
    let task = world.task();
    let mut writer = timeline(&task);
    for seq in 1..=2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be built");
        runtime.block_on(async {
            let mut follower = Follower::new(world.upkeep.reader().timeline(task.id(), seq - 1), &watches);
            assert_eq!(read(&mut follower).await, Some(vec![]));
            write(&mut writer);
            assert_eq!(next(&mut follower).await, [seq]);
        });
    }
}

#[tokio::test]
async fn a_silent_timeline_is_polled_only_once_a_second() {
    tokio::time::pause();
    let world = World::new();
    let task = world.task();
    let _writer = timeline(&task);
    let follower = world.follower(&task, &Watches::polling());
    let began = tokio::time::Instant::now();
    for _ in 0..10 {
        follower.changed().await;
    }
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn entries_read_for_an_abandoned_call_are_returned_by_the_next() {
    let world = World::new();
    let task = world.task();
    let mut writer = timeline(&task);
    let mut follower = world.follower(&task, &Watches::polling());
    for seq in 1..=20 {
        write(&mut writer);
        // The call is dropped after one poll, while its thread is still reading, unless the thread was faster.
        let mut seen = read(&mut follower).now_or_never().flatten().unwrap_or_default();
        let began = Instant::now();
        while seen.is_empty() && began.elapsed() < TEST_TIMEOUT {
            seen = read(&mut follower).await.unwrap_or_default();
        }
        assert_eq!(seen, [seq]);
    }
}

/// Many writes while a follower reads: each entry once, in order.
async fn assert_every_entry_is_returned_once(watches: Watches) {
    const COUNT: u64 = 2_000;
    let world = World::new();
    let task = world.task();
    let mut follower = world.follower(&task, &watches);
    let writing = thread::spawn(move || {
        for _ in 0..4 {
            // Each writer continues where the previous one stopped.
            let mut writer = timeline(&task);
            for number in 0..COUNT / 4 {
                writer.append(Utc::now(), TimelineEvent::Output { text: "y".repeat((number % 300) as usize) });
                if number % 3 == 0 || number == COUNT / 4 - 1 {
                    writer.flush().expect("it is writable");
                }
                thread::yield_now();
            }
        }
    });
    let (mut seen, began) = (Vec::new(), Instant::now());
    while seen.len() < COUNT as usize {
        assert!(began.elapsed() < TEST_TIMEOUT, "{} entries were seen", seen.len());
        seen.extend(next(&mut follower).await);
    }
    writing.join().expect("it writes");
    assert!(seen.into_iter().eq(1..=COUNT));
    assert_eq!(read(&mut follower).await, Some(vec![]));
}

#[tokio::test]
async fn every_entry_is_returned_once_and_in_order_with_inotify() {
    assert_every_entry_is_returned_once(Watches::new()).await;
}

#[tokio::test]
async fn every_entry_is_returned_once_and_in_order_without_inotify() {
    assert_every_entry_is_returned_once(Watches::polling()).await;
}
