//! Spawners race a termination: when it has returned, no destructor of an accepted piece of work ends any more. The
//! same check is run on something that only counts, and must find fault with it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use landfall_lifecycle::{SpawnError, TaskSet, WeakTaskSet};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::harness::{Watchdog, assert_clean, current_thread, long, multi_thread, no_grace, until_blocking};

const SPAWNERS: u64 = 3;
const ATTEMPTS_MAX: u64 = 150;

/// What is known of one round.
#[derive(Default)]
struct Round {
    next: AtomicU64,
    has_returned: AtomicBool,
    accepted: Mutex<HashSet<u64>>,
    /// Which destructors ended after the termination had returned.
    late: Mutex<Vec<u64>>,
}

/// A capture or an output; refused ones may be dropped at any time, in the call that refuses them.
struct Load {
    id: u64,
    round: Arc<Round>,
}

impl Round {
    fn load(self: &Arc<Self>) -> Load {
        Load { id: self.next.fetch_add(1, Ordering::SeqCst), round: Arc::clone(self) }
    }

    /// Makes one attempt; false when it was refused.
    fn attempt(self: &Arc<Self>, spawn: impl FnOnce(Load) -> bool) -> bool {
        let load = self.load();
        let id = load.id;
        let is_accepted = spawn(load);
        if is_accepted {
            self.accepted.lock().unwrap().insert(id);
        }
        is_accepted
    }

    /// Which accepted loads outlived the termination.
    fn violations(&self) -> Vec<u64> {
        let accepted = self.accepted.lock().unwrap();
        self.late.lock().unwrap().iter().copied().filter(|id| accepted.contains(id)).collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for _ in 0..3 {
            std::thread::yield_now();
        }
        if self.round.has_returned.load(Ordering::SeqCst) {
            self.round.late.lock().unwrap().push(self.id);
        }
    }
}

/// Lets spawners race `end`, and gives the round once all of them are done.
fn race(
    runtime: &Runtime,
    seed: u64,
    spawn: impl Fn(&Arc<Round>, u64) -> bool + Clone + Send + 'static,
    end: impl FnOnce(),
) -> Arc<Round> {
    let (round, spawners) = (Arc::new(Round::default()), TaskSet::new("spawners"));
    for number in 0..SPAWNERS {
        let (round, spawn, runtime) = (Arc::clone(&round), spawn.clone(), runtime.handle().clone());
        let spawner = move |_: &CancellationToken| {
            let _context = runtime.enter();
            for attempt in 0..ATTEMPTS_MAX {
                if !spawn(&round, seed + number + attempt) {
                    break;
                }
            }
        };
        drop(spawners.spawn_thread("spawner", spawner).unwrap());
    }
    until_blocking(|| round.next.load(Ordering::SeqCst) > seed % (SPAWNERS * ATTEMPTS_MAX / 2));
    end();
    round.has_returned.store(true, Ordering::SeqCst);
    assert_clean(&spawners.terminate_blocking(&long()).unwrap());
    round
}

/// Starts work of one of several kinds on a set.
fn spawn_mixed(tasks: &WeakTaskSet, round: &Arc<Round>, kind: u64) -> bool {
    let Some(set) = tasks.upgrade() else { return false };
    let stop = set.token();
    round.attempt(|load| {
        let spawned = match kind % 9 {
            0 => set.spawn("output", async move { load }).map(drop),
            1 => set
                .spawn("drains", async move {
                    let _load = load;
                    stop.cancelled().await;
                    tokio::task::yield_now().await;
                })
                .map(drop),
            2 => set
                .spawn_with_handle("deaf", async move {
                    let _load = load;
                    std::future::pending::<()>().await;
                })
                .map(drop),
            3 => {
                let (weak, inner) = (tasks.clone(), Arc::clone(round));
                set.spawn("nests", async move {
                    let _load = load;
                    tokio::task::yield_now().await;
                    spawn_mixed(&weak, &inner, 0);
                })
                .map(drop)
            }
            4 => set.spawn_blocking("job", move |_| drop(load)).map(drop),
            5 => set.spawn_closing("closing", async move { load }).map(drop),
            6 => set.track("tracked", async move { drop(load) }).map(drop),
            7 if kind.is_multiple_of(4) => set.spawn_thread("thread", move |_| drop(load)).map(drop),
            _ => set
                .spawn("panics", async move {
                    let _load = load;
                    tokio::task::yield_now().await;
                    panic!("planned");
                })
                .map(drop),
        };
        match spawned {
            Ok(()) => true,
            Err(SpawnError::Closed { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    })
}

#[test]
fn nothing_that_was_accepted_outlives_the_termination() {
    let _watched = Watchdog::new();
    let (runtime, mut refused) = (multi_thread(), 0);
    for number in 0..300 {
        let tasks = TaskSet::new("set");
        let weak = tasks.downgrade();
        let mut report = None;
        let round = race(
            &runtime,
            number * 7,
            move |round, kind| spawn_mixed(&weak, round, kind),
            || report = Some(tasks.terminate_blocking(&no_grace()).unwrap()),
        );
        let report = report.unwrap();
        assert_clean(&report);
        assert_eq!(round.violations(), [0; 0], "round {number}");
        let counts = report.counts;
        let ended = counts.completed + counts.drained + counts.aborted + counts.never_started + counts.panicked;
        let accepted = round.accepted.lock().unwrap().len() as u64;
        assert_eq!(ended, accepted, "round {number}: {counts:?}");
        refused += round.next.load(Ordering::SeqCst) - accepted;
    }
    assert!(refused > 0, "no termination met a spawn");
}

#[test]
fn nothing_outlives_it_on_a_current_thread_runtime_either() {
    let _watched = Watchdog::new();
    let (runtime, helper) = (Arc::new(current_thread()), TaskSet::new("helper"));
    let driven = Arc::clone(&runtime);
    drop(helper.spawn_thread("drives", move |stop| driven.block_on(stop.cancelled())).unwrap());
    for number in 0..100 {
        let tasks = TaskSet::new("set");
        let weak = tasks.downgrade();
        let end = || assert_clean(&tasks.terminate_blocking(&no_grace()).unwrap());
        let round = race(&runtime, number * 7, move |round, kind| spawn_mixed(&weak, round, kind), end);
        assert_eq!(round.violations(), [0; 0], "round {number}");
    }
    assert_clean(&helper.terminate_blocking(&long()).unwrap());
}

#[test]
#[expect(clippy::disallowed_types, reason = "the control: what only counts must be caught; its runtime ends it")]
fn the_check_finds_fault_with_what_only_counts() {
    let _watched = Watchdog::new();
    let runtime = multi_thread();
    let is_caught = (0..2_000).any(|number| {
        let tracker = tokio_util::task::TaskTracker::new();
        let spawner = tracker.clone();
        // It refuses nothing: only what came before the end counts here, so that it is caught for its destructors.
        let closing = Arc::new(AtomicBool::new(false));
        let is_closing = Arc::clone(&closing);
        let spawn = move |round: &Arc<Round>, _| {
            round.attempt(|load| {
                spawner.spawn(async move { load });
                !is_closing.load(Ordering::SeqCst)
            })
        };
        let end = || {
            closing.store(true, Ordering::SeqCst);
            tracker.close();
            runtime.block_on(tracker.wait());
        };
        !race(&runtime, number * 7, spawn, end).violations().is_empty()
    });
    assert!(is_caught, "the check cannot fail");
}
