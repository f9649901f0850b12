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

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use landfall_lifecycle::{Report, Shutdown, TaskSet, Terminate};

use crate::harness::{Guard, assert_clean};

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

/// Work that never ends, holding something whose destructor is seen.
fn hold(guard: Guard) -> Work {
    async move {
        let _guard = guard;
        std::future::pending().await
    }
    .boxed()
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
