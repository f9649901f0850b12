//! Spawners race a termination: each spawn is refused, or accepted and over when the termination has returned.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use landfall_lifecycle::{ChildError, Report, SpawnError, TaskSet, WeakTaskSet};
use tokio::runtime::{Handle, Runtime};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use super::naive::{ChildTokens, CountsOnly, Snapshot};
use super::{Output, Subject, wait_for_return};
use crate::harness::{Watchdog, assert_clean, current_thread, long, multi_thread, no_grace, until_blocking};

const SPAWNERS: u64 = 3;
const ATTEMPTS_MAX: u64 = 150;

/// What is known of one round.
#[derive(Default)]
struct Round {
    next: AtomicU64,
    gone: AtomicU64,
    is_ending: AtomicBool,
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
        std::thread::yield_now();
        // Some are slow, so that whoever does not wait for them is caught; not all, for there are many.
        if self.id.is_multiple_of(32) && self.round.is_ending.load(Ordering::SeqCst) {
            wait_for_return(&self.round.has_returned, Duration::from_micros(100));
        }
        if self.round.has_returned.load(Ordering::SeqCst) {
            self.round.late.lock().unwrap().push(self.id);
        }
        self.round.gone.fetch_add(1, Ordering::SeqCst);
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
    round.is_ending.store(true, Ordering::SeqCst);
    end();
    round.has_returned.store(true, Ordering::SeqCst);
    assert_clean(&spawners.terminate_blocking(&long()).unwrap());
    // What nobody has waited for may be dropped only now.
    until_blocking(|| round.gone.load(Ordering::SeqCst) == round.next.load(Ordering::SeqCst));
    round
}

/// Every way to start work.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Output,
    Drains,
    Deaf,
    On,
    LocalOn,
    Closing,
    Nests,
    Panics,
    Job,
    Thread,
    Tracked,
    Child,
}

impl Kind {
    fn of(number: u64) -> Self {
        use Kind::{Child, Closing, Deaf, Drains, Job, LocalOn, Nests, On, Output, Panics, Thread, Tracked};
        // Threads, sets and local sets cost more than the rest, and are started less often.
        match number % 48 {
            9 => Thread,
            19 | 29 => Child,
            39 => LocalOn,
            _ => [Output, Drains, Deaf, On, Closing, Nests, Panics, Job, Tracked][(number % 9) as usize],
        }
    }
}

/// Makes one attempt on a set; false when it was refused, or the set has gone.
fn attempt(tasks: &WeakTaskSet, round: &Arc<Round>, kind: Kind) -> bool {
    let Some(set) = tasks.upgrade() else { return false };
    round.attempt(|load| match start(&set, round, kind, load) {
        Ok(()) => true,
        Err(SpawnError::Closed { .. }) => false,
        Err(error) => panic!("{error}"),
    })
}

fn start(set: &TaskSet, round: &Arc<Round>, kind: Kind, load: Load) -> Result<(), SpawnError> {
    let stop = set.token();
    match kind {
        Kind::Output => set.spawn("output", async move { load }).map(drop),
        Kind::Drains => {
            let drains = async move {
                let _load = load;
                stop.cancelled().await;
                tokio::task::yield_now().await;
            };
            set.spawn("drains", drains).map(drop)
        }
        Kind::Deaf => set.spawn_with_handle("deaf", hold(load)).map(drop),
        // Not as its output: the handle would hold that for a moment, and what it holds counts as handed out.
        Kind::On => set.spawn_on(&Handle::current(), "on", async move { drop(load) }).map(drop),
        Kind::LocalOn => start_local(set, load),
        Kind::Closing => set.spawn_closing("closing", async move { load }).map(drop),
        Kind::Nests => {
            let (weak, inner) = (set.downgrade(), Arc::clone(round));
            let nests = async move {
                let _load = load;
                tokio::task::yield_now().await;
                attempt(&weak, &inner, Kind::Output);
            };
            set.spawn("nests", nests).map(drop)
        }
        Kind::Panics => {
            let panics = async move {
                let _load = load;
                tokio::task::yield_now().await;
                panic!("planned");
            };
            set.spawn("panics", panics).map(drop)
        }
        Kind::Job => set.spawn_blocking("job", move |_| drop(load)).map(drop),
        Kind::Thread => set.spawn_thread("thread", move |_| drop(load)).map(drop),
        Kind::Tracked => set.track("tracked", async move { drop(load) }).map(drop),
        Kind::Child => match set.child(format!("child-{}", load.id)) {
            // The handle goes, so that the child's own end races that of its parent.
            Ok(child) => child.spawn("in a child", hold(load)).map(drop),
            Err(ChildError::Closed { set }) => Err(SpawnError::Closed { set }),
            Err(error) => panic!("{error}"),
        },
    }
}

/// A task of a local set that is driven for a moment on this thread, and then dropped.
fn start_local(set: &TaskSet, load: Load) -> Result<(), SpawnError> {
    let (local, is_driven) = (LocalSet::new(), load.id.is_multiple_of(2));
    drop(set.spawn_local_on(&local, "local", hold(load))?);
    // Inside of a task there is nothing that could drive it.
    if is_driven && tokio::task::try_id().is_none() {
        Handle::current().block_on(local.run_until(tokio::task::yield_now()));
    }
    Ok(())
}

async fn hold(load: Load) {
    let _load = load;
    std::future::pending::<()>().await;
}

/// How many entries ended, in the whole tree.
fn ended(report: &Report) -> u64 {
    let counts = report.counts;
    let by_itself = counts.completed + counts.drained + counts.panicked;
    // A local set that is dropped is a runtime that goes.
    let own = by_itself + counts.aborted + counts.never_started + counts.runtime_gone;
    own + report.children.iter().map(ended).sum::<u64>()
}

/// One round on a set; gives how many spawns were refused.
fn check_round(runtime: &Runtime, number: u64) -> u64 {
    let tasks = TaskSet::new("set");
    let weak = tasks.downgrade();
    let mut report = None;
    let round = race(
        runtime,
        number * 7,
        move |round, kind| attempt(&weak, round, Kind::of(kind)),
        || report = Some(tasks.terminate_blocking(&no_grace()).unwrap()),
    );
    let report = report.unwrap();
    assert_clean(&report);
    assert_eq!(round.violations(), [0; 0], "round {number}");
    let accepted = round.accepted.lock().unwrap().len() as u64;
    assert_eq!(ended(&report), accepted, "round {number}: {report}");
    round.next.load(Ordering::SeqCst) - accepted
}

/// Case 7: spawns of every kind race a termination, in a thousand rounds.
#[test]
fn nothing_that_was_accepted_outlives_the_termination() {
    let _watched = Watchdog::new();
    let runtime = multi_thread();
    let refused: u64 = (0..1_000).map(|number| check_round(&runtime, number)).sum();
    assert!(refused > 0, "no termination met a spawn");
}

/// Case 7: as above, with one thread that drives the tasks.
#[test]
fn nothing_outlives_it_on_a_current_thread_runtime_either() {
    let _watched = Watchdog::new();
    let (runtime, helper) = (Arc::new(current_thread()), TaskSet::new("helper"));
    let driven = Arc::clone(&runtime);
    drop(helper.spawn_thread("drives", move |stop| driven.block_on(stop.cancelled())).unwrap());
    let refused: u64 = (0..300).map(|number| check_round(&runtime, number)).sum();
    assert!(refused > 0, "no termination met a spawn");
    assert_clean(&helper.terminate_blocking(&long()).unwrap());
}

/// Whether a round finds fault with something naive. Those that refuse nothing are spared for what came after the end
/// had begun, if it is something else that is wrong with them.
fn is_caught<S: Subject>(spares_late_ones: bool) -> bool {
    let _watched = Watchdog::new();
    let runtime = multi_thread();
    (0..2_000).any(|number| {
        let subject = S::default();
        let spawner = subject.clone();
        let spawn = move |round: &Arc<Round>, _| {
            round.attempt(|load| {
                spawner.task(async move { Box::new(load) as Output }.boxed());
                !(spares_late_ones && round.is_ending.load(Ordering::SeqCst))
            })
        };
        let end = || drop(runtime.block_on(subject.end(&no_grace())));
        !race(&runtime, number * 7, spawn, end).violations().is_empty()
    })
}

#[test]
fn the_race_finds_fault_with_what_only_counts() {
    assert!(is_caught::<CountsOnly>(true));
}

#[test]
fn the_race_finds_fault_with_child_tokens() {
    assert!(is_caught::<ChildTokens>(true));
}

#[test]
fn the_race_finds_fault_with_a_snapshot_of_handles() {
    assert!(is_caught::<Snapshot>(false));
}
