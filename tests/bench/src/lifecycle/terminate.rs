//! The end of 100,000 tasks that wait for ever: abort all, and wait until all are gone.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use tokio::task::{JoinSet, yield_now};

use super::tools;
use crate::contest::cells as pair;
use crate::flavour::Flavour;
use crate::{Bound, Cell, Contender, Options, contest};

pub(super) const TASKS: usize = 100_000;

/// How many tasks have been polled and wait now.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Waits for ever once it has been polled. Nothing is captured, so that the future stays as small as it can be.
pub(super) async fn wait_for_ever() {
    waiting();
    pending::<()>().await;
}

/// Called by each task before it waits.
pub(super) fn waiting() {
    WAITING.fetch_add(1, Ordering::Relaxed);
}

/// Waits until that many tasks wait, and begins to count anew.
pub(super) async fn all_wait(tasks: usize) {
    while WAITING.load(Ordering::Relaxed) < tasks {
        yield_now().await;
    }
    WAITING.store(0, Ordering::Relaxed);
}

pub(super) fn cells(options: &Options) -> Vec<Cell> {
    let mut cells = Vec::new();
    for flavour in [Flavour::CurrentThread, Flavour::TwoWorkers] {
        let runtime = flavour.build();
        let run = |batch| runtime.block_on(runtime.spawn(batch)).expect("the batch does not panic");
        let mut contenders = [
            Contender::new(tools::OURS, || run(Box::pin(ours()) as Batch)),
            Contender::new(tools::JOIN_SET, || run(Box::pin(join_set()) as Batch)),
        ];
        let name = format!("end 100,000 pending tasks, {}", flavour.name());
        cells.extend(pair(
            &name,
            "ms",
            contest(options.rounds_of_slow(), &mut contenders),
            &[Some(Bound::RatioMax(1.0))],
        ));
    }
    cells
}

type Batch = std::pin::Pin<Box<dyn Future<Output = f64> + Send>>;

async fn ours() -> f64 {
    let set = TaskSet::new("bench");
    for _ in 0..TASKS {
        set.spawn("pending", wait_for_ever()).expect("the set is open");
    }
    all_wait(TASKS).await;
    let began = Instant::now();
    let report = set.terminate(&Shutdown::now()).await.expect("no task of the set waits for it");
    let took = began.elapsed();
    assert_eq!(report.counts.aborted, TASKS as u64, "{report}");
    took.as_secs_f64() * 1e3
}

async fn join_set() -> f64 {
    let mut set = JoinSet::new();
    for _ in 0..TASKS {
        set.spawn(wait_for_ever());
    }
    all_wait(TASKS).await;
    let began = Instant::now();
    set.shutdown().await;
    began.elapsed().as_secs_f64() * 1e3
}
