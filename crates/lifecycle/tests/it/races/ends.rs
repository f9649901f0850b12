//! What is alive when the end has come: captures, outputs, payloads, jobs in a queue.

use std::panic::panic_any;

use futures_util::FutureExt;
use landfall_lifecycle::{TaskSet, Terminate};

use super::naive::{AbortsUnjoined, CountsOnly};
use super::{Ours, Output, Subject, hold, rounds_to_a_fault};
use crate::harness::{Alive, Watchdog, assert_clean, current_thread, long, multi_thread, no_grace, on_both};

/// More than a control has ever needed by far.
const CONTROL_ROUNDS_MAX: usize = 20_000;

/// Tasks that are ended before they were ever polled.
async fn young<S: Subject>() -> usize {
    let (subject, alive) = (S::default(), Alive::default());
    for _ in 0..2 {
        subject.task(hold(alive.guard()));
    }
    let report = subject.end(&no_grace()).await;
    let left = alive.count();
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

/// Tasks and jobs with outputs that nobody takes.
async fn outputs<S: Subject>() -> usize {
    let (subject, alive) = (S::default(), Alive::default());
    for _ in 0..4 {
        let guard = alive.guard();
        subject.task(async move { Box::new(guard) as Output }.boxed());
        let guard = alive.guard();
        subject.job(Box::new(move || Box::new(guard)));
    }
    let report = subject.end(&long()).await;
    let left = alive.count();
    if let Some(report) = report {
        assert_eq!(report.counts.completed + report.counts.drained, 8, "{report}");
    }
    left
}

/// Case 1: the destructor of an output that nobody takes is over when the termination returns.
#[test]
fn destructors_of_outputs_are_over_in_every_round() {
    on_both(|| async {
        assert_eq!(rounds_to_a_fault(1_000, outputs::<Ours>).await, None);
    });
}

/// On a current_thread runtime too, for the outputs of jobs.
#[test]
fn what_only_counts_returns_while_destructors_of_outputs_run() {
    on_both(|| async {
        assert!(rounds_to_a_fault(CONTROL_ROUNDS_MAX, outputs::<CountsOnly>).await.is_some());
    });
}

/// Tasks that panic with a payload.
async fn payloads<S: Subject>() -> usize {
    let (subject, alive) = (S::default(), Alive::default());
    for _ in 0..4 {
        let guard = alive.guard();
        subject.task(async move { panic_any(guard) }.boxed());
    }
    let report = subject.end(&long()).await;
    let left = alive.count();
    if let Some(report) = report {
        assert_eq!(report.counts.panicked, 4, "{report}");
    }
    left
}

/// Case 2: so is that of a panic's payload.
#[test]
fn destructors_of_payloads_are_over_in_every_round() {
    on_both(|| async {
        assert_eq!(rounds_to_a_fault(1_000, payloads::<Ours>).await, None);
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
    let (subject, alive) = (S::default(), Alive::default());
    for _ in 0..8 {
        let guard = alive.guard();
        subject.job(Box::new(move || {
            drop(guard);
            Box::new(())
        }));
    }
    let report = subject.end(&no_grace()).await;
    let left = alive.count();
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
    let (subject, alive, runtime) = (S::default(), Alive::default(), multi_thread());
    {
        let _context = runtime.enter();
        for _ in 0..20 {
            subject.task(hold(alive.guard()));
        }
    }
    let helper = TaskSet::new("helper");
    drop(helper.spawn_thread("drops", move |_| drop(runtime)).unwrap());
    let report = subject.end(&no_grace()).await;
    let left = alive.count();
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
