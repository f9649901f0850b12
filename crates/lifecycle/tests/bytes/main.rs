//! Live bytes: flat over a million short tasks. A test program of its own, because its allocator counts.
#![forbid(unsafe_code)]

use std::alloc::System;
use std::time::Duration;

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Short tasks in all; the second half of them is measured against the first.
const TASKS: usize = 1_000_000;
/// Tasks that live at once.
const BATCH: usize = 500;
/// What may be more at the end: far less than one byte for each task of the second half.
const GROWTH_BYTES_MAX: usize = 16 * 1_024;

fn live() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

/// What short tasks are started on.
trait Subject {
    /// Starts the short task of this number.
    fn start(&mut self, number: usize);
    /// Waits until all of them have ended.
    async fn idle(&mut self);
}

/// A set, with tasks of each kind that leaves something behind while it lives: made names, handles, outcomes.
struct Ours(TaskSet);

impl Subject for Ours {
    fn start(&mut self, number: usize) {
        match number % 500 {
            0 => self.0.spawn(format!("task {number}"), async {}).map(drop),
            100 => self.0.spawn_with_handle("handle", async move { number }).map(drop),
            200 => self.0.spawn("cut", std::future::pending::<()>()).map(|id| assert!(self.0.abort(id))),
            300 => self.0.spawn_closing("closing", tokio::task::yield_now()).map(drop),
            // Their outcomes are kept up to a bound, which the first half reaches.
            400 => self.0.spawn_with_handle("aborted", std::future::pending::<()>()).map(|task| task.abort()),
            _ => self.0.spawn("short", async {}).map(drop),
        }
        .unwrap();
    }

    async fn idle(&mut self) {
        while !self.0.is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

/// The control: a set of handles that nobody asks keeps each finished task until somebody asks for it.
#[expect(clippy::disallowed_types, reason = "the control, dropped with its runtime")]
#[derive(Default)]
struct Unreaped(tokio::task::JoinSet<()>);

impl Subject for Unreaped {
    fn start(&mut self, _: usize) {
        drop(self.0.spawn(async {}));
    }

    async fn idle(&mut self) {
        tokio::task::yield_now().await;
    }
}

/// Runs short tasks, and gives how many live bytes more there are after the second half than after the first.
async fn growth(subject: &mut impl Subject, tasks: usize) -> usize {
    let mut after = [0; 2];
    for (half, after) in after.iter_mut().enumerate() {
        for number in (half * tasks / 2..(half + 1) * tasks / 2).step_by(BATCH) {
            for number in number..number + BATCH {
                subject.start(number);
            }
            subject.idle().await;
        }
        *after = live();
    }
    after[1].saturating_sub(after[0])
}

fn check(runtime: &Runtime, tasks: usize) {
    runtime.block_on(async {
        let mut ours = Ours(TaskSet::new("set"));
        let grown = growth(&mut ours, tasks).await;
        assert!(grown <= GROWTH_BYTES_MAX, "{grown} bytes more after the second half");
        let hour = Duration::from_secs(3_600);
        let report = ours.0.terminate(&Shutdown::within(hour, hour)).await.unwrap();
        assert!(report.is_clean(), "{report}");
        let counts = report.counts;
        assert_eq!(counts.completed + counts.aborted, tasks as u64, "{report}");
    });
}

/// One test, because whatever ran beside it would be counted too.
#[test]
fn live_bytes_are_flat_over_a_million_short_tasks() {
    let current = Builder::new_current_thread().build().unwrap();
    check(&current, TASKS);
    check(&Builder::new_multi_thread().worker_threads(2).build().unwrap(), TASKS / 10);
    // A hundredth of it is enough to see what a set of handles keeps.
    let mut unreaped = Unreaped::default();
    let grown = current.block_on(growth(&mut unreaped, TASKS / 100));
    assert!(grown > GROWTH_BYTES_MAX, "the check cannot fail: {grown} bytes more");
}
