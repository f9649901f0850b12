//! What a task that waits costs in memory.

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::terminate::{TASKS, all_wait, wait_for_ever, waiting};
use super::tools;
use crate::flavour::Flavour;
use crate::{Bound, Cell, Contender, Options, contest};

/// These figures hardly vary.
const ROUNDS_MAX: usize = 3;

/// Gives the live bytes of the program.
type Live = fn() -> usize;

/// Measures the live bytes of empty pending tasks; `live` asks the program's allocator.
#[must_use]
pub fn bytes(options: &Options, live: fn() -> usize) -> Vec<Cell> {
    let plant = options.plant;
    // The queue of the runtime grows in the rounds that warm up, and stays.
    let runtime = Flavour::CurrentThread.build();
    let mut contenders = [
        Contender::new(tools::OURS, || runtime.block_on(ours(live, plant))),
        Contender::new(tools::JOIN_SET, || runtime.block_on(join_set(live))),
        Contender::new(tools::TRACKER_TOKEN, || runtime.block_on(tracker(live))),
        Contender::new(tools::TOKIO, || runtime.block_on(tokio_spawn(live))),
    ];
    let mut series = contest(options.rounds.min(ROUNDS_MAX), &mut contenders).into_iter();
    let ours = series.next().expect("ours is the first");
    let name = "memory of a pending task".to_owned();
    let first = Cell { name, unit: "bytes", ours, peer: None, bound: Some(Bound::Max(200.0)) };
    let others = series.map(|peer| Cell { peer: Some(peer), bound: None, ..first.clone() });
    [first.clone()].into_iter().chain(others).collect()
}

/// What a task has taken since `before`, once all of them wait.
async fn a_task(live: Live, before: usize) -> f64 {
    all_wait(TASKS).await;
    live().saturating_sub(before) as f64 / TASKS as f64
}

async fn ours(live: Live, plant: bool) -> f64 {
    let before = live();
    let set = TaskSet::new("bench");
    for _ in 0..TASKS {
        if plant {
            let ballast = [1_u8; 128];
            let fat = async move {
                wait_for_ever().await;
                std::hint::black_box(&ballast);
            };
            set.spawn("pending", fat).expect("the set is open");
        } else {
            set.spawn("pending", wait_for_ever()).expect("the set is open");
        }
    }
    let bytes = a_task(live, before).await;
    let report = set.terminate(&Shutdown::now()).await.expect("no task of the set waits for it");
    assert_eq!(report.counts.aborted, TASKS as u64, "{report}");
    bytes
}

async fn join_set(live: Live) -> f64 {
    let before = live();
    let mut set = JoinSet::new();
    for _ in 0..TASKS {
        set.spawn(wait_for_ever());
    }
    let bytes = a_task(live, before).await;
    set.shutdown().await;
    bytes
}

/// A tracker cannot end a task: each has to wait for the token.
async fn tracker(live: Live) -> f64 {
    let before = live();
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    for _ in 0..TASKS {
        let token = token.clone();
        tracker.spawn(async move {
            waiting();
            token.cancelled().await;
        });
    }
    let bytes = a_task(live, before).await;
    tracker.close();
    token.cancel();
    tracker.wait().await;
    bytes
}

async fn tokio_spawn(live: Live) -> f64 {
    let mut handles: Vec<JoinHandle<()>> = Vec::with_capacity(TASKS);
    let before = live();
    handles.extend((0..TASKS).map(|_| tokio::spawn(wait_for_ever())));
    let bytes = a_task(live, before).await;
    for handle in handles {
        handle.abort();
        assert!(handle.await.is_err_and(|error| error.is_cancelled()));
    }
    bytes
}
