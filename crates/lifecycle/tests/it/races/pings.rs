//! Blocking jobs that are awaited while their runtime goes away.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use landfall_lifecycle::{TaskError, TaskSet};
use tokio::runtime::Runtime;

use super::naive::PingsUnwrapped;
use crate::harness::{Watchdog, assert_clean, foreign_panics, long, multi_thread, until_blocking};

const RUNTIMES: usize = 300;
const CONTROL_RUNTIMES_MAX: usize = 3_000;

/// A way to end a runtime.
type End = fn(Runtime);

/// Asks a blocking job whether a connection is alive, as a pool does.
pub(super) trait Pings: Clone + Default + Send + 'static {
    /// Whether the job has answered.
    fn ping(&self) -> impl Future<Output = bool> + Send;
    /// Looks whether all is in order when the runtime has gone.
    fn check(&self) {}
}

#[derive(Clone)]
struct Ours(TaskSet);

impl Default for Ours {
    fn default() -> Self {
        Self(TaskSet::new("pings"))
    }
}

impl Pings for Ours {
    async fn ping(&self) -> bool {
        match self.0.spawn_blocking("ping", |_| ()).unwrap().await {
            Ok(()) => true,
            Err(TaskError::NeverStarted | TaskError::RuntimeGone) => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn check(&self) {
        let report = self.0.terminate_blocking(&long()).unwrap();
        assert_clean(&report);
        assert_eq!(report.counts.panicked, 0, "{report}");
    }
}

/// One runtime that ends while two tasks ping; gives how many of them panicked.
fn round<P: Pings>(end: End) -> usize {
    let (runtime, pings, owner) = (multi_thread(), P::default(), TaskSet::new("pingers"));
    let (pinged, panicked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for _ in 0..2 {
        let (pings, pinged, panicked) = (pings.clone(), Arc::clone(&pinged), Arc::clone(&panicked));
        let pinger = async move {
            loop {
                match AssertUnwindSafe(pings.ping()).catch_unwind().await {
                    Ok(true) => pinged.fetch_add(1, Ordering::SeqCst),
                    Ok(false) => return,
                    Err(_) => {
                        panicked.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                };
            }
        };
        drop(owner.spawn_on(runtime.handle(), "pinger", pinger).unwrap());
    }
    until_blocking(|| pinged.load(Ordering::SeqCst) > 4);
    end(runtime);
    assert_clean(&owner.terminate_blocking(&long()).unwrap());
    pings.check();
    panicked.load(Ordering::SeqCst)
}

const ENDS: [(&str, End); 3] = [
    ("drop", drop),
    ("shutdown_timeout", |runtime| runtime.shutdown_timeout(Duration::from_secs(60))),
    ("shutdown_background", Runtime::shutdown_background),
];

/// Case 14: a job that its runtime cancels gives an error that says so; nothing panics.
#[test]
fn no_ping_panics_in_three_hundred_runtimes_that_end_in_each_way() {
    for (name, end) in ENDS {
        let _watched = Watchdog::new();
        let before = foreign_panics();
        for number in 0..RUNTIMES {
            assert_eq!(round::<Ours>(end), 0, "{name}, runtime {number}");
        }
        assert_eq!(foreign_panics(), before, "{name}");
    }
}

#[test]
fn pings_that_unwrap_tokio_s_join_error_panic_however_the_runtime_ends() {
    for (name, end) in ENDS {
        let _watched = Watchdog::new();
        let is_caught = (0..CONTROL_RUNTIMES_MAX).any(|_| round::<PingsUnwrapped>(end) > 0);
        assert!(is_caught, "{name}");
    }
}
