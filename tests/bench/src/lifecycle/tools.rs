//! The tools that are compared: how each starts a batch of empty tasks and waits until all of them have ended.

use std::time::Duration;

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Plant;

pub(super) const OURS: &str = "TaskSet";
pub(super) const OURS_TOKEN: &str = "TaskSet + token";
pub(super) const TRACKER: &str = "TaskTracker";
pub(super) const TRACKER_TOKEN: &str = "TaskTracker + token";
pub(super) const JOIN_SET: &str = "JoinSet";
pub(super) const TOKIO: &str = "tokio::spawn";

/// Time enough for everything to drain.
pub(super) fn in_peace() -> Shutdown {
    Shutdown::within(Duration::from_secs(600), Duration::from_secs(601))
}

pub(super) async fn ours(tasks: usize, plant: Plant) {
    let set = TaskSet::new("bench");
    for _ in 0..tasks {
        plant.act();
        set.spawn("empty", async {}).expect("the set is open");
    }
    ended(&set, tasks).await;
}

pub(super) async fn ours_with_token(tasks: usize, plant: Plant) {
    let set = TaskSet::new("bench");
    let token = set.token();
    for _ in 0..tasks {
        plant.act();
        let token = token.clone();
        set.spawn("empty", async move { drop(token) }).expect("the set is open");
    }
    ended(&set, tasks).await;
}

async fn ended(set: &TaskSet, tasks: usize) {
    let report = set.terminate(&in_peace()).await.expect("no task of the set waits for it");
    assert_eq!(report.counts.completed + report.counts.drained, tasks as u64, "{report}");
}

pub(super) async fn tracker(tasks: usize) {
    let tracker = TaskTracker::new();
    for _ in 0..tasks {
        tracker.spawn(async {});
    }
    tracker.close();
    tracker.wait().await;
}

pub(super) async fn tracker_with_token(tasks: usize) {
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    for _ in 0..tasks {
        let token = token.clone();
        tracker.spawn(async move { drop(token) });
    }
    tracker.close();
    token.cancel();
    tracker.wait().await;
}

pub(super) async fn join_set(tasks: usize) {
    let mut set = JoinSet::new();
    for _ in 0..tasks {
        set.spawn(async {});
    }
    while set.join_next().await.is_some() {}
}

pub(super) async fn tokio_spawn(tasks: usize) {
    let handles: Vec<_> = (0..tasks).map(|_| tokio::spawn(async {})).collect();
    for handle in handles {
        handle.await.expect("an empty task does not panic");
    }
}
