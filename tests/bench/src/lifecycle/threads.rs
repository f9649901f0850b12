//! Four threads that spawn at once on one set, from the first spawn until the last task has ended.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use landfall_lifecycle::TaskSet;
use tokio::runtime::{Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::tools;
use crate::contest::cells as pair;
use crate::flavour::Flavour;
use crate::{Bound, Cell, Contender, Options, Plant, contest};

const THREADS: usize = 4;
const TASKS_A_THREAD: usize = 5_000;

pub(super) fn cells(options: &Options) -> Vec<Cell> {
    let runtime = Flavour::TwoWorkers.build();
    let plant = options.plant();
    let mut contenders = [
        Contender::new(tools::OURS, || ours(&runtime, plant)),
        Contender::new(tools::TRACKER_TOKEN, || tracker(&runtime)),
    ];
    let series = contest(options.rounds, &mut contenders);
    pair("four threads spawn at once", "ns", series, &[Some(Bound::RatioMax(1.5))])
}

fn ours(runtime: &Runtime, plant: Plant) -> f64 {
    let set = TaskSet::new("bench");
    let began = spawn_from_threads(runtime.handle(), || {
        let set = set.clone();
        move || {
            plant.act();
            set.spawn("empty", async {}).expect("the set is open");
        }
    });
    let report = set.terminate_blocking(&tools::in_peace()).expect("no task of the set waits for it");
    let took = began.elapsed();
    assert!(report.is_clean(), "{report}");
    nanos_a_task(took)
}

fn tracker(runtime: &Runtime) -> f64 {
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    let began = spawn_from_threads(runtime.handle(), || {
        let (tracker, token) = (tracker.clone(), token.clone());
        move || {
            let token = token.clone();
            tracker.spawn(async move { drop(token) });
        }
    });
    tracker.close();
    token.cancel();
    runtime.block_on(tracker.wait());
    nanos_a_task(began.elapsed())
}

fn nanos_a_task(took: std::time::Duration) -> f64 {
    took.as_nanos() as f64 / (THREADS * TASKS_A_THREAD) as f64
}

/// Gives when the first of the threads began.
fn spawn_from_threads<S>(runtime: &Handle, spawner: impl Fn() -> S) -> Instant
where
    S: FnMut() + Send + 'static,
{
    let ready = Arc::new(Barrier::new(THREADS));
    let threads = [(); THREADS].map(|()| {
        let (runtime, ready, mut spawn) = (runtime.clone(), Arc::clone(&ready), spawner());
        thread::spawn(move || {
            let _inside = runtime.enter();
            ready.wait();
            let began = Instant::now();
            for _ in 0..TASKS_A_THREAD {
                spawn();
            }
            began
        })
    });
    let began = threads.map(|thread| thread.join().expect("spawning does not panic"));
    began.into_iter().min().expect("there are four")
}
