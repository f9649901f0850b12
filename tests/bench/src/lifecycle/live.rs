//! How long `live()` of 100,000 tasks holds up a spawn.
//!
//! One thread spawns without a break and keeps its longest spawn, while another one calls `live()` once. On a busy
//! machine that longest spawn is mostly a thread that was not scheduled. So each round is measured once more with a
//! second thread that copies as much from a list of its own: what is more than that is the lock's. And each sample is
//! the least of five: a lock that holds up a spawn does so every time, the scheduler does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use landfall_lifecycle::{Shutdown, TaskInfo, TaskSet, Terminate};
use tokio::runtime::Runtime;
use tokio::task::yield_now;

use super::terminate::{TASKS, all_wait, wait_for_ever};
use crate::contest::cells as pair;
use crate::flavour::Flavour;
use crate::{Bound, Cell, Contender, Options, contest};

/// How many times the longest spawn is taken for one sample.
const TIMES: usize = 5;
/// After how many spawns the tasks that were spawned are run: tokio runs at most 61 before it polls us again.
const SPAWNS_AT_ONCE: usize = 32;

pub(super) fn cells(options: &Options) -> Vec<Cell> {
    // The spawning thread runs the tasks too: with a worker beside it there would be more threads than processors.
    let runtime = Flavour::CurrentThread.build();
    let set = TaskSet::new("bench");
    runtime.block_on(async {
        for _ in 0..TASKS {
            set.spawn("pending", wait_for_ever()).expect("the set is open");
        }
        all_wait(TASKS).await;
    });
    let copy = Arc::new(set.live());
    let mut contenders = [
        Contender::new("longest spawn beside live()", || {
            least(|| {
                let set_too = set.clone();
                longest_spawn(&runtime, &set, move || assert!(set_too.live().len() >= TASKS))
            })
        }),
        Contender::new("longest spawn beside a copy", || {
            least(|| {
                let copy = Arc::clone(&copy);
                longest_spawn(&runtime, &set, move || assert!(copied(&copy).len() >= TASKS))
            })
        }),
    ];
    let series = contest(options.rounds_of_slow(), &mut contenders);
    drop(contenders);
    let report = runtime.block_on(set.terminate(&Shutdown::now())).expect("no task of the set waits for it");
    assert!(report.is_clean(), "{report}");
    pair("live() of 100,000 tasks", "µs", series, &[Some(Bound::ExcessMax(1000.0))])
}

fn least(measure: impl FnMut() -> f64) -> f64 {
    std::iter::repeat_with(measure).take(TIMES).fold(f64::INFINITY, f64::min)
}

/// As `live()` makes its list.
fn copied(of: &[TaskInfo]) -> Vec<TaskInfo> {
    let mut list = Vec::new();
    for info in of {
        list.push(info.clone());
    }
    list
}

/// Microseconds. The other thread begins once spawning goes on, so that they run beside each other.
fn longest_spawn(runtime: &Runtime, set: &TaskSet, beside: impl FnOnce() + Send + 'static) -> f64 {
    let (begun, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let other = thread::spawn({
        let (begun, over) = (Arc::clone(&begun), Arc::clone(&over));
        move || {
            while !begun.load(Ordering::Acquire) {
                thread::yield_now();
            }
            beside();
            over.store(true, Ordering::Release);
        }
    });
    let longest = runtime.block_on(async {
        let mut longest = Duration::ZERO;
        while !over.load(Ordering::Acquire) {
            for _ in 0..SPAWNS_AT_ONCE {
                let began = Instant::now();
                set.spawn("empty", async {}).expect("the set is open");
                longest = longest.max(began.elapsed());
            }
            begun.store(true, Ordering::Release);
            yield_now().await;
        }
        longest
    });
    other.join().expect("copying does not panic");
    longest.as_secs_f64() * 1e6
}
