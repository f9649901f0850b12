//! What is alive when the end has come: captures, outputs, payloads, jobs in a queue.

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use landfall_lifecycle::{TaskSet, Terminate};

use super::naive::{AbortsUnjoined, CountsOnly};
use super::{Ours, Output, Subject, count, hold, rounds_to_a_fault, wait_for_return};
use crate::harness::{Watchdog, assert_clean, current_thread, long, multi_thread, no_grace, on_both, until};

/// More than a control has ever needed by far.
const CONTROL_ROUNDS_MAX: usize = 20_000;

/// Tasks that are ended before they were ever polled.
async fn young<S: Subject>() -> usize {
    let (subject, alive) = (S::default(), Arc::new(()));
    for _ in 0..2 {
        subject.task(hold(&alive));
    }
    let report = subject.end(&no_grace()).await;
    let left = count(&alive);
    if let Some(report) = report {
        assert_eq!((report.counts.aborted, report.tasks.len()), (2, 2), "{report}");
    }
    left
}

/// Case 6: an abort before the first poll drops what the task has captured, and counts it once.
#[test]
fn tasks_that_were_never_polled_are_gone_and_counted_in_ten_thousand_rounds() {
    on_both(|| async {
        assert_eq!(rounds_to_a_fault(10_000, young::<Ours>).await, None);
    });
}

#[test]
fn an_abort_without_a_join_leaves_tasks_that_were_never_polled() {
    on_both(|| async {
        assert!(rounds_to_a_fault(CONTROL_ROUNDS_MAX, young::<AbortsUnjoined>).await.is_some());
    });
}

/// When the end of a round has returned, and which destructors had not come to their ends by then.
#[derive(Default)]
struct Round {
    has_returned: AtomicBool,
    alive: AtomicUsize,
    late: AtomicUsize,
}

/// A value with a slow destructor.
struct Slow(Arc<Round>);

impl Round {
    fn slow(self: &Arc<Self>) -> Slow {
        self.alive.fetch_add(1, Ordering::SeqCst);
        Slow(Arc::clone(self))
    }

    /// Notes that the end has returned, and gives how many destructors it has not waited for.
    async fn returned(&self) -> usize {
        self.has_returned.store(true, Ordering::SeqCst);
        until(|| self.alive.load(Ordering::SeqCst) == 0).await;
        self.late.load(Ordering::SeqCst)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        wait_for_return(&self.0.has_returned, Duration::from_millis(1));
        self.0.late.fetch_add(usize::from(self.0.has_returned.load(Ordering::SeqCst)), Ordering::SeqCst);
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Tasks with outputs that nobody takes.
async fn outputs<S: Subject>() -> usize {
    let (subject, round) = (S::default(), Arc::new(Round::default()));
    for _ in 0..4 {
        let slow = round.slow();
        subject.task(async move { Box::new(slow) as Output }.boxed());
    }
    let report = subject.end(&long()).await;
    let late = round.returned().await;
    if let Some(report) = report {
        assert_eq!(report.counts.completed + report.counts.drained, 4, "{report}");
    }
    late
}

/// Jobs with outputs that nobody takes.
async fn outputs_of_jobs<S: Subject>() -> usize {
    let (subject, round) = (S::default(), Arc::new(Round::default()));
    for _ in 0..4 {
        let slow = round.slow();
        subject.job(Box::new(move || Box::new(slow)));
    }
    let report = subject.end(&long()).await;
    let late = round.returned().await;
    if let Some(report) = report {
        assert_eq!(report.counts.completed + report.counts.drained, 4, "{report}");
    }
    late
}

/// Case 1: the destructor of an output that nobody takes is over when the termination returns.
#[test]
fn destructors_of_outputs_are_over_in_every_round() {
    on_both(|| async {
        assert_eq!(rounds_to_a_fault(100, outputs::<Ours>).await, None);
        assert_eq!(rounds_to_a_fault(100, outputs_of_jobs::<Ours>).await, None);
    });
}

/// Tasks not on a current_thread runtime, where nobody looks before the poll that gave the output has come back.
#[test]
fn what_only_counts_returns_while_destructors_of_outputs_run() {
    on_both(|| async {
        assert!(rounds_to_a_fault(CONTROL_ROUNDS_MAX, outputs_of_jobs::<CountsOnly>).await.is_some());
    });
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        assert!(rounds_to_a_fault(CONTROL_ROUNDS_MAX, outputs::<CountsOnly>).await.is_some());
    });
}

/// Tasks that panic with a payload.
async fn payloads<S: Subject>() -> usize {
    let (subject, round) = (S::default(), Arc::new(Round::default()));
    for _ in 0..4 {
        let slow = round.slow();
        subject.task(async move { panic_any(slow) }.boxed());
    }
    let report = subject.end(&long()).await;
    let late = round.returned().await;
    if let Some(report) = report {
        assert_eq!(report.counts.panicked, 4, "{report}");
    }
    late
}

/// Case 2: so is that of a panic's payload.
#[test]
fn destructors_of_payloads_are_over_in_every_round() {
    on_both(|| async {
        assert_eq!(rounds_to_a_fault(100, payloads::<Ours>).await, None);
    });
}

/// Not on a current_thread runtime, where nobody looks before the poll that panicked has come back.
#[test]
fn what_only_counts_returns_while_destructors_of_payloads_run() {
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        assert!(rounds_to_a_fault(CONTROL_ROUNDS_MAX, payloads::<CountsOnly>).await.is_some());
    });
}

/// Jobs that start while they are taken out of the queue.
async fn queue<S: Subject>() -> usize {
    let (subject, alive) = (S::default(), Arc::new(()));
    for _ in 0..8 {
        let held = Arc::clone(&alive);
        subject.job(Box::new(move || {
            drop(held);
            Box::new(())
        }));
    }
    let report = subject.end(&no_grace()).await;
    let left = count(&alive);
    if let Some(report) = report {
        let counts = report.counts;
        assert_eq!(counts.completed + counts.drained + counts.never_started, 8, "{counts:?}");
    }
    left
}

#[test]
fn jobs_that_race_their_queue_end_once() {
    on_both(|| async {
        assert_eq!(rounds_to_a_fault(1_000, queue::<Ours>).await, None);
    });
}

#[test]
fn an_abort_without_a_join_leaves_jobs_that_race_their_queue() {
    on_both(|| async {
        assert!(rounds_to_a_fault(CONTROL_ROUNDS_MAX, queue::<AbortsUnjoined>).await.is_some());
    });
}

/// A runtime that goes away while its tasks are being ended from outside.
async fn runtime_goes<S: Subject>() -> usize {
    let (subject, alive, runtime) = (S::default(), Arc::new(()), multi_thread());
    {
        let _context = runtime.enter();
        for _ in 0..20 {
            subject.task(hold(&alive));
        }
    }
    let helper = TaskSet::new("helper");
    drop(helper.spawn_thread("drops", move |_| drop(runtime)).unwrap());
    let report = subject.end(&no_grace()).await;
    let left = count(&alive);
    if let Some(report) = report {
        assert_eq!(report.counts.aborted + report.counts.runtime_gone, 20, "{report}");
    }
    assert_clean(&helper.terminate(&long()).await.unwrap());
    left
}

#[test]
fn a_set_ends_while_its_runtime_is_dropped() {
    let _watched = Watchdog::new();
    current_thread().block_on(async {
        assert_eq!(rounds_to_a_fault(200, runtime_goes::<Ours>).await, None);
    });
}

#[test]
fn an_abort_without_a_join_leaves_tasks_of_a_runtime_that_goes() {
    let _watched = Watchdog::new();
    current_thread().block_on(async {
        assert!(rounds_to_a_fault(2_000, runtime_goes::<AbortsUnjoined>).await.is_some());
    });
}
