//! Several callers of one end, and callers that go away.

use std::sync::Arc;

use futures_util::future::join_all;
use landfall_lifecycle::{TaskSet, Terminate};

use super::naive::FirstCallerWaits;
use super::{Ours, Subject, count, hold, rounds_to_a_fault};
use crate::harness::{Watchdog, assert_clean, long, multi_thread, no_grace, until};

const CALLERS: usize = 3;

/// Callers on tasks and on threads; gives what each of them found alive when its call returned, in all.
async fn callers<S: Subject>() -> usize {
    let (subject, alive, callers) = (S::default(), Arc::new(()), TaskSet::new("callers"));
    for _ in 0..4 {
        subject.task(hold(&alive));
    }
    let mut calls = Vec::new();
    for _ in 0..CALLERS {
        let (mine, seen) = (subject.clone(), Arc::downgrade(&alive));
        let call = async move {
            let report = mine.end(&no_grace()).await;
            (seen.strong_count() - 1, report)
        };
        calls.push(callers.spawn_with_handle("task", call).unwrap());
        let (mine, seen, runtime) = (subject.clone(), Arc::downgrade(&alive), tokio::runtime::Handle::current());
        let call = move |_: &_| {
            let report = runtime.block_on(mine.end(&no_grace()));
            (seen.strong_count() - 1, report)
        };
        calls.push(callers.spawn_thread("thread", call).unwrap());
    }
    let seen: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let reports: Vec<_> = seen.iter().filter_map(|(_, report)| report.as_ref()).collect();
    for report in &reports {
        assert_eq!((report.counts.aborted, report.took), (4, reports[0].took), "{report}");
        assert_eq!(report.to_string(), reports[0].to_string());
    }
    assert_clean(&callers.terminate(&long()).await.unwrap());
    // What a naive one has left would be counted in the next round.
    until(|| count(&alive) == 0).await;
    seen.iter().map(|(count, _)| count).sum()
}

/// Case 19: each of several callers gets the same report, when nothing lives any more, of one abort.
#[test]
fn every_caller_waits_until_nothing_lives_and_gets_the_same_report() {
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        assert_eq!(rounds_to_a_fault(300, callers::<Ours>).await, None);
    });
}

#[test]
fn a_second_caller_that_does_not_wait_is_caught() {
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        assert!(rounds_to_a_fault(2_000, callers::<FirstCallerWaits>).await.is_some());
    });
}

#[cfg(feature = "test-clock")]
mod dropped {
    use std::time::Duration;

    use landfall_lifecycle::{Clock, Shutdown};
    use tokio::runtime::{Builder, Handle};

    use super::super::naive::CallerDrives;
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// A call that is dropped before grace has ended; gives what lives long after the abort instant.
    async fn dropped_call<S: Subject>() -> usize {
        let (subject, alive) = (S::default(), Arc::new(()));
        subject.task(hold(&alive));
        {
            let how = Shutdown::within_on(Clock::tokio(&Handle::current()), HOUR, 2 * HOUR);
            let call = subject.end(&how);
            assert!(tokio::time::timeout(HOUR / 2, call).await.is_err());
        }
        assert_eq!(count(&alive), 1, "grace is not over");
        tokio::time::sleep(3 * HOUR).await;
        count(&alive)
    }

    #[track_caller]
    fn on_paused(body: impl Future<Output = usize>) -> usize {
        let _watched = Watchdog::new();
        Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(body)
    }

    /// Case 18: the escalation goes on without a caller.
    #[test]
    fn a_dropped_call_still_reaches_the_abort() {
        assert_eq!(on_paused(dropped_call::<Ours>()), 0);
    }

    #[test]
    fn a_driver_inside_of_the_caller_s_future_is_caught() {
        assert_eq!(on_paused(dropped_call::<CallerDrives>()), 1);
    }
}
