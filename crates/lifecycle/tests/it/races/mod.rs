//! Races. The round of each is one function that knows only a [`Subject`]: it is run on the crate, where it must find
//! nothing, and as its control on something [`naive`] that takes the crate's place, where it must find fault.

mod callers;
mod ends;
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the controls; their runtime ends what is left"
)]
mod naive;
mod pings;
mod spawners;

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use landfall_lifecycle::{Report, Shutdown, TaskSet, Terminate};

use crate::harness::assert_clean;

/// What a task or a job gives.
type Output = Box<dyn Any + Send>;
type Work = BoxFuture<'static, Output>;
type Job = Box<dyn FnOnce() -> Output + Send>;

/// What runs work, and ends it: a set of the crate, or something naive.
trait Subject: Clone + Default + Send + Sync + 'static {
    /// Starts a task on the current runtime.
    fn task(&self, work: Work);

    /// Starts a blocking job on the current runtime.
    fn job(&self, job: Job);

    /// Ends it all, and returns when nothing runs any more, or so it says.
    fn end(&self, how: &Shutdown) -> impl Future<Output = Option<Report>> + Send;
}

/// The crate.
#[derive(Clone)]
struct Ours(TaskSet);

impl Default for Ours {
    fn default() -> Self {
        Self(TaskSet::new("ours"))
    }
}

impl Subject for Ours {
    fn task(&self, work: Work) {
        self.0.spawn("task", work).unwrap();
    }

    fn job(&self, job: Job) {
        drop(self.0.spawn_blocking("job", |_| job()).unwrap());
    }

    async fn end(&self, how: &Shutdown) -> Option<Report> {
        let report = self.0.terminate(how).await.unwrap();
        assert_clean(&report);
        Some(report)
    }
}

/// Work that never ends, and holds what is counted. Nothing of it is slow: there are thousands of rounds.
fn hold(alive: &Arc<()>) -> Work {
    let held = Arc::clone(alive);
    async move {
        let _held = held;
        std::future::pending().await
    }
    .boxed()
}

/// What makes a destructor slow: it lasts until the end has returned, and this long if that waits for it.
fn wait_for_return(has_returned: &AtomicBool, max: Duration) {
    let began = Instant::now();
    while !has_returned.load(Ordering::SeqCst) && began.elapsed() < max {
        std::thread::yield_now();
    }
}

/// How many hold it beside the round itself.
fn count(alive: &Arc<()>) -> usize {
    Arc::strong_count(alive) - 1
}

/// Repeats a round until it finds fault; gives how many rounds that took, none if it found none in all of them.
async fn rounds_to_a_fault(rounds_max: usize, mut round: impl AsyncFnMut() -> usize) -> Option<usize> {
    for number in 1..=rounds_max {
        if round().await > 0 {
            return Some(number);
        }
    }
    None
}
